"""The ensemble's answer for a scan, and what the worklist makes of it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from tests.support.brains import draw
from utils.classes import CLASSES
from utils.networks.shipped import DetectionWeights
from utils.reading.conclusion import Referral, conclude
from utils.reading.joint import JointReader, JointReading, joint_reading
from utils.reading.segmenter import Segmentation, Segmenter, tumor_score
from utils.reading.worklist import Entry, read_entries, tumor_probabilities, with_referral_thresholds
from utils.scans.scan import Scan

WEIGHTS = DetectionWeights(intercept=0.0, weights={"cnn": 0.5, "unet": 1.0}, fitted_on={"unseen-brats": 1})


def segments(score: float, grade: str = "ok") -> Segmenter:
    """A segmentation network with this tumour score for every scan."""
    result = Segmentation(cast("object", None), score, grade)  # type: ignore[arg-type]
    return cast(Segmenter, SimpleNamespace(read_many=lambda scans, inputs: [result for _ in scans]))


def entries(count: int = 1) -> list[Entry]:
    return [Entry(str(seed), str(seed), Scan(str(seed), draw(seed=seed), "PNG")) for seed in range(count)]


def test_the_tumour_score_is_that_of_the_likeliest_pixels() -> None:
    probabilities = np.zeros((224, 224), np.float32)
    assert tumor_score(probabilities) == 0
    probabilities.flat[:100] = 1
    assert tumor_score(probabilities) == pytest.approx(0.5)  # 100 of the 200 pixels that count
    assert tumor_score(np.ones((32, 32), np.float32)) == 1


def test_the_segmentation_decides_with_the_classifiers(tiny_readers) -> None:
    scored = [
        read_entries(entries(3), tiny_readers, JointReader(segments(score), WEIGHTS))
        for score in (0.01, 0.99)
    ]
    for low, high in zip(*scored, strict=True):
        assert low.joint.tumor_probability < 0.1 < 0.9 < high.joint.tumor_probability
        assert low.joint.label == "no_tumor" and high.joint.label != "no_tumor"
        assert low.joint.probabilities.sum() == pytest.approx(1)
        assert low.confidence == low.joint.confidence


def test_the_answer_is_the_one_that_was_fitted(tiny_readers) -> None:
    (entry,) = read_entries(entries(), tiny_readers, JointReader(segments(0.3), WEIGHTS))
    assert entry.joint is not None
    logits = entry.readings[0].logits.astype(float)
    healthy = CLASSES.index("no_tumor")
    odds = np.log(np.exp(np.delete(logits, healthy)).sum()) - logits[healthy]
    expected = 1 / (1 + np.exp(-(0.5 * odds + np.log(0.3 / 0.7))))
    assert entry.joint.tumor_probability == pytest.approx(expected, abs=1e-6)
    types = np.mean([reading.probabilities for reading in entry.readings], axis=0)
    tumors = np.delete(entry.joint.probabilities, healthy) / entry.joint.tumor_probability
    np.testing.assert_allclose(tumors, np.delete(types, healthy) / np.delete(types, healthy).sum(), atol=1e-5)


def test_without_a_network_of_the_fit_there_is_no_answer(tiny_readers) -> None:
    (entry,) = read_entries(entries(), tiny_readers[1:], JointReader(segments(0.3), WEIGHTS))
    assert entry.joint is None and entry.segmentation and entry.segmentation.tumor_score == 0.3
    assert joint_reading(WEIGHTS, entry.readings, 0.3) is None
    (entry,) = read_entries(entries(), tiny_readers, JointReader(segments(0.3), None))
    assert entry.joint is None


def test_an_ensemble_that_contradicts_the_classifiers_is_discordant(make_entry) -> None:
    entry = make_entry("a.png", ("glioma", "glioma"))
    assert entry.status == "agree"
    healthy = JointReading(np.asarray([0.05, 0.03, 0.9, 0.02]))
    apart = replace(entry, joint=healthy)
    assert apart.status == "disagree"
    assert conclude(apart, Referral({"no_tumor": 0.8})).remarks[0].endswith("ensemble: no tumour.")


def test_referral_and_volumes_use_the_ensemble(make_entry) -> None:
    entry = replace(
        make_entry("a.png", ("glioma", "glioma")), joint=JointReading(np.asarray([0.7, 0.1, 0.15, 0.05]))
    )
    assert with_referral_thresholds(entry, {"glioma": 0.6}).status == "agree"
    assert with_referral_thresholds(entry, {"glioma": 0.75}).status == "unsure"
    assert tumor_probabilities(replace(entry, slices=(entry, entry))).tolist() == pytest.approx([0.85, 0.85])


def test_an_outlier_of_the_segmentation_network_is_graded(tiny_readers) -> None:
    (refused,) = read_entries(entries(), tiny_readers, JointReader(segments(0.9, "refused"), WEIGHTS))
    assert refused.grade == "refused" and refused.status == "refused"
    (unusual,) = read_entries(entries(), tiny_readers, JointReader(segments(0.9, "unusual"), WEIGHTS))
    assert unusual.status == "unusual"
