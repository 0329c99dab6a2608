"""Stacks of known diagnosis: one case a study, with the patient-level answer; each file is opened once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.support import mr_series
from tests.support.acceptance import RULE, made_scans
from tests.support.mr_series import Drawn
from tests.support.stacks import FUSION, stack
from utils.acceptance.diagnoses import Diagnoses, Diagnosis
from utils.acceptance.figures import figures
from utils.acceptance.profile import make_profile, read_profile
from utils.acceptance.refit import cross_validated, fit_rule
from utils.acceptance.run import accept, expanded, read_scans
from utils.acceptance.scores import ScoredScan, Scores, answers, cases_of, scored
from utils.acceptance.words import answers_in_words
from utils.classes import CLASSES
from utils.reading.joint import JointReading
from utils.reading.study import study_answer
from utils.reading.worklist import Entry, probabilities_of, read_entries
from utils.records.base import write_record

LIKELY, UNLIKELY, BETWEEN = [0.99] * 8, [0.02] * 8, [0.5] * 8  # tumour probabilities of slices, by FUSION


def case(tumor: Sequence[float], target: str, patient: str = "", study: str = "") -> ScoredScan:
    """One stack, not yet combined with others of its study."""
    return scored(stack(tumor, study=study), target, patient, FUSION)


def share_of(scans: Sequence[ScoredScan], name: str) -> float:
    scores = Scores.of(cases_of(scans, FUSION))
    share = figures(scores, answers(scores, RULE)).share(name)
    assert share is not None
    return share.value


def test_stacks_of_one_study_are_one_case_with_the_answer_of_the_app() -> None:
    series = [stack(LIKELY, "a.nii", study="1"), stack(UNLIKELY, "b.nii", study="1")]
    alone = stack(UNLIKELY, "c.nii")
    scans = [scored(each, "glioma", fusion=FUSION) for each in [*series, alone]]
    both, other = cases_of(scans, FUSION)
    assert both.answer is not None and both.answer.stacks == 2
    assert both.answer == study_answer(series, FUSION)
    assert other.answer == study_answer([alone], FUSION)
    assert [len(each.appearances) for each in (both, other)] == [2, 1], "the drift monitor sees each stack"


def test_stacks_of_one_study_with_different_diagnoses_are_cases_of_one_patient() -> None:
    cases = cases_of([case(LIKELY, "glioma", study="1"), case(UNLIKELY, "no_tumor", study="1")], FUSION)
    assert len(cases) == 2 and len(np.unique(Scores.of(cases).groups)) == 1


def test_patients_of_the_table_are_clusters_of_cases() -> None:
    scans = [case(UNLIKELY, "no_tumor", patient, study) for patient, study in ("A1", "A2", "B3")]
    share = figures(scores := Scores.of(cases_of(scans, FUSION)), answers(scores, RULE)).share("specificity")
    assert share is not None and (share.n, share.patients) == (3, 2)


def test_figures_of_stacks_are_those_of_their_answers() -> None:
    scans = [
        case(LIKELY, "glioma"),
        case(LIKELY, "pituitary"),  # the answer favours glioma
        case(BETWEEN, "meningioma"),
        case(UNLIKELY, "no_tumor"),
    ]
    assert share_of(scans, "sensitivity") == pytest.approx(2 / 3, abs=1e-4), "indeterminate is not detected"
    assert share_of(scans, "specificity") == 1
    assert share_of(scans, "answered") == 0.75, "indeterminate is left to a person"
    assert share_of(scans, "correct_type") == 0.5
    assert share_of(scans, "correct_answers") == 1, "the answer is tumour or not; the type is not part of it"


def test_the_probability_of_a_stack_is_that_of_its_answer() -> None:
    (only,) = cases_of([case(LIKELY, "glioma")], FUSION)
    answered = answers(Scores.of([only]), RULE)
    assert only.answer is not None and answered.confidence[0] == only.answer.tumor_probability
    assert answered.probabilities.sum() == pytest.approx(1)


def test_without_fusion_or_with_few_slices_the_most_suspicious_slice_counts() -> None:
    entry = stack([0.1, 0.9, 0.2, 0.3])
    for scan, fusion in (
        (scored(entry, "glioma"), None),
        (scored(stack([0.1, 0.9]), "glioma", fusion=FUSION), FUSION),
    ):
        (only,) = cases_of([scan], fusion)
        assert only.answer is None and 1 - only.joint[CLASSES.index("no_tumor")] == pytest.approx(0.9)


def test_no_rule_changes_the_answer_of_a_stack_or_is_fitted_on_it() -> None:
    images, labels = made_scans(80), {"cnn": "no_tumor", "vgg16": "no_tumor"}
    stacks = [replace(case(UNLIKELY, "glioma"), labels=labels) for _ in range(40)]
    mixed = Scores.of([*images, *cases_of(stacks, FUSION)])
    assert fit_rule(mixed) == fit_rule(Scores.of(images))
    other = RULE.model_copy(update={"temperature": 3.0, "tumor_threshold": 0.0})
    for answered in (answers(mixed, other), cross_validated(mixed)):
        np.testing.assert_array_equal(answered.labels[80:], CLASSES.index("no_tumor"))
        np.testing.assert_array_equal(answered.probabilities[80:], answers(mixed, RULE).probabilities[80:])


def test_a_site_with_stacks_alone_has_a_verdict_and_a_profile_without_a_rule(
    ensemble_models, tmp_path
) -> None:
    kinds = [("glioma", LIKELY), ("no_tumor", UNLIKELY)]
    scans = [
        case(tumor, target, study=f"{target}{number}") for target, tumor in kinds for number in range(40)
    ]
    result = accept(cases_of(scans, FUSION), RULE, None)
    assert result.decision.verdict == "as evaluated" and result.rule is None
    few = [replace(scan, labels={"cnn": scan.labels["cnn"]}) for scan in made_scans(30)]
    assert accept([*few, *cases_of(scans, FUSION)], RULE, None).rule is None, (
        "30 images are too few for a fit"
    )
    write_record(tmp_path / "p.json", make_profile(result, "Here"))
    profile = read_profile(tmp_path / "p.json")
    assert profile.active_rule is None and len(profile.distributions.tumor_probability) == 80
    assert "80 scans answered" in answers_in_words(profile)
    missed = [replace(scan, target="glioma") for scan in cases_of(scans, FUSION)[40:]]
    result = accept([*missed, *cases_of(scans, FUSION)[40:]], RULE, None)
    assert (
        result.decision.verdict == "not here" and "too few single images to refit" in result.decision.reason
    )


def test_a_series_in_single_files_is_one_case_and_each_file_is_opened_once(tiny_readers) -> None:
    opened: Counter[str] = Counter()
    files = [
        replaced(file, opened)
        for name, data in mr_series.series(Drawn(slices=4))
        for file in expanded(f"glioma/{name}", data)
    ]

    def read(entries: Sequence[Entry]) -> list[Entry]:
        done = read_entries(entries, tiny_readers, with_maps=False)
        return [replace(entry, joint=JointReading(probabilities_of(entry))) for entry in done]

    scans, problems = read_scans(files, Diagnoses(), read, FUSION)
    assert not problems and [scan.target for scan in scans] == ["glioma"]
    assert scans[0].answer is not None and scans[0].answer.slices == 4 and scans[0].study
    assert opened == {file.name: 1 for file in files} and len(files) == 4
    table = Diagnoses({"glioma/0.dcm": Diagnosis("no_tumor", "P1")})
    assert [scan.patient for scan in read_scans(files, table, read, FUSION)[0]] == ["P1"]


def replaced(file, opened: Counter[str]):
    """The file, which counts how often it is opened."""

    def content() -> bytes:
        opened[file.name] += 1
        return file.content()

    return file._replace(content=content)
