"""The patient-level answer of stacks, in numbers and in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.stacks import FUSION, square, stack
from utils.classes import CLASSES
from utils.networks.shipped import ENSEMBLE
from utils.reading.study import STUDY, key_slices, load_study_fusion, study_answer, study_of
from utils.reading.study_conclusion import (
    TYPE_NOT_VALIDATED,
    study_basis,
    study_headline,
    study_sentences,
    volume_in_words,
)
from utils.reading.volumetry import tumor_volume
from utils.reading.worklist import with_site_rule
from utils.records.acceptance import AnswerRule
from utils.records.measures import DetectionFigures
from utils.records.study import RuleFigures


def odds(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


def test_one_stack_is_answered_by_its_most_suspicious_quarter() -> None:
    answer = study_answer([stack([0.1, 0.2, 0.1, 0.9, 0.95, 0.1, 0.2, 0.1])], FUSION)
    assert answer is not None and answer.kind == "tumor"
    expected = 1 / (1 + np.exp(-(odds(0.9) + odds(0.95)) / 2))
    assert answer.tumor_probability == pytest.approx(expected)
    assert (answer.stacks, answer.slices) == (1, 8)
    assert answer.favoured == "glioma" and answer.types["glioma"] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("probability", "kind", "headline"),
    [
        (0.97, "tumor", "Tumour likely (97 %), favours glioma"),
        (0.6, "indeterminate", "Indeterminate - review manually: probability of a tumour 60 %"),
        (0.1, "no_tumor", "No tumour detected (probability of a tumour 10 %)"),
    ],
)
def test_the_answer_in_words(probability, kind, headline) -> None:
    answer = study_answer([stack([probability] * 4)], FUSION)
    assert answer is not None and answer.kind == kind
    assert study_headline(answer) == headline


def test_a_site_profile_does_not_change_the_answer() -> None:
    evaluated = stack([0.1, 0.2, 0.9, 0.95])
    rule = AnswerRule(temperature=3.0, tumor_threshold=0.9, referral_thresholds=dict.fromkeys(CLASSES, 0.5))
    adjusted = with_site_rule(evaluated, rule)
    joint = adjusted.slices[3].joint
    assert joint is not None and joint.tumor_probability < 0.9
    assert study_answer([adjusted], FUSION) == study_answer([evaluated], FUSION)


def test_several_stacks_of_a_study_give_one_answer() -> None:
    answer = study_answer([stack([0.9] * 4, "a"), stack([0.5] * 4, "b"), stack([0.9], "single")], FUSION)
    assert answer is not None and (answer.stacks, answer.slices) == (2, 8)
    assert answer.tumor_probability == pytest.approx(1 / (1 + np.exp(-odds(0.9) / 2)))


def test_slices_that_are_no_brain_do_not_count() -> None:
    shown = stack([0.99, 0.1, 0.1, 0.1], grades=["refused", "ok", "ok", "ok"])
    answer = study_answer([shown], FUSION)
    assert answer is not None and answer.slices == 3 and answer.kind == "no_tumor"
    assert study_answer([stack([0.9, 0.9, 0.9], grades=["refused", "ok", "ok"])], FUSION) is None
    assert study_answer([stack([0.9, 0.9])], FUSION) is None


def test_series_of_one_study_belong_together() -> None:
    first, second = stack([0.1] * 3, "a", study="s"), stack([0.1] * 3, "b", study="s")
    other, alone = stack([0.1] * 3, "c", study="t"), stack([0.1] * 3, "d")
    every = [first, second, other, alone, stack([0.1] * 3, "e")]
    assert study_of(first, every) == [first, second]
    assert study_of(other, every) == [other] and study_of(alone, every) == [alone]


def test_key_slices_are_the_peaks_in_order() -> None:
    assert key_slices(stack([0.6, 0.9, 0.1, 0.1, 0.95, 0.7])) == [1, 4]
    assert key_slices(stack([0.1, 0.2, 0.3])) == []


def test_the_basis_names_patients_and_interval() -> None:
    detection = DetectionFigures(
        tumors=30, healthy=80, threshold=0.5, auc=0.991, auc_interval=(0.97, 0.999), sensitivity=0.9,
        specificity=0.96, sensitivity_at_95_specificity=0.93, sensitivity_at_95_specificity_interval=(0.85, 0.99),
    )  # fmt: skip
    figures = RuleFigures(stacks=150, slices=900, fused=detection, single_slice=detection)
    fusion = FUSION.model_copy(update={"figures": {"held-out": figures}})
    answer = study_answer([stack([0.9] * 4)], fusion)
    assert answer is not None
    words = study_basis(answer, fusion)
    assert "from 4 slices of 1 series" in words
    assert (
        "On held-out patients of known collections (30 with a tumour, 80 without): sensitivity 93.0 % (95 % CI "
        "85.0-99.0) at 95 % specificity, AUC 0.991 (0.970-0.999)."
    ) in words
    assert "never seen" not in words  # not measured
    assert words.endswith(TYPE_NOT_VALIDATED)


def test_sentences_of_a_report_say_what_contradicts() -> None:
    masks = [square(0), square(10), square(0)]
    sentences = study_sentences([stack([0.1] * 3, masks=masks)], stack([0.1] * 3, masks=masks), FUSION)
    assert sentences[0].startswith("No tumour detected") and "check the outlined area" in sentences[-1]
    empty = stack([0.9] * 3, masks=[square(0)] * 3)
    answer = study_answer([empty], FUSION)
    assert volume_in_words(tumor_volume(empty), answer) == "The suspected tumour could not be outlined."
    assert study_sentences([], stack([0.9] * 3).slices[0], FUSION) == ()


def test_the_fusion_holds_only_for_the_networks_it_was_fitted_for(fitted_models: Path) -> None:
    assert load_study_fusion() is None
    versions = json.loads((fitted_models / ENSEMBLE).read_text())["weights_sha256"]
    record = FUSION.model_copy(update={"weights_sha256": versions})
    (fitted_models / STUDY).write_text(record.model_dump_json(by_alias=True), encoding="utf-8")
    assert load_study_fusion() == record
    altered = record.model_copy(update={"weights_sha256": versions | {"cnn": "0"}})
    (fitted_models / STUDY).write_text(altered.model_dump_json(by_alias=True), encoding="utf-8")
    assert load_study_fusion() is None
    (fitted_models / STUDY).write_text("{}", encoding="utf-8")
    assert load_study_fusion() is None
