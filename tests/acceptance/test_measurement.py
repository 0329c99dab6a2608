"""Figures, refitted rules and verdicts of scans with known diagnosis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support.acceptance import RULE, made_scans
from utils.acceptance.figures import figures, reliability_table
from utils.acceptance.refit import cross_validated, fit_rule
from utils.acceptance.run import accept
from utils.acceptance.scores import Answers, Scores, answers
from utils.classes import CLASSES
from utils.records.acceptance import AcceptanceFigures, AcceptanceRecord, AnswerRule


@pytest.fixture(scope="module")
def reference() -> AcceptanceRecord:
    scores = Scores.of(made_scans(600, seed=9))
    return AcceptanceRecord(
        date="", commit="", command="", weights_sha256={}, never_seen={}, coverage={}, verdicts={}, drift={},
        held_out=figures(scores, answers(scores, RULE)),
    )  # fmt: skip


def value(part: AcceptanceFigures, name: str) -> float:
    share = part.share(name)
    assert share is not None
    return share.value


def test_figures_count_what_their_names_say() -> None:
    scan = made_scans(1)[0]
    certain = {name: np.where(np.asarray(CLASSES) == name, 0.97, 0.01) for name in CLASSES}

    def made(target: str, label: str, grade: str = "ok"):
        return replace(
            scan, target=target, joint=certain[label], labels=dict.fromkeys(scan.labels, label), grade=grade
        )

    scores = Scores.of(
        [
            made("glioma", "glioma"),
            made("glioma", "meningioma"),
            made("other_tumor", "no_tumor"),
            made("no_tumor", "no_tumor"),
            made("no_tumor", "glioma", "unusual"),
            made("pituitary", "no_tumor", "refused"),
        ]
    )
    part = figures(scores, answers(scores, RULE))
    assert value(part, "sensitivity") == pytest.approx(2 / 3, abs=1e-4), "without what has no result"
    assert value(part, "specificity") == 0.5
    assert value(part, "correct_type") == 0.5, "a tumour of another type has no correct type"
    assert value(part, "answered") == pytest.approx(4 / 6, abs=1e-4), (
        "unusual and rejected scans are left to a person"
    )
    assert value(part, "correct_answers") == pytest.approx(2 / 3, abs=1e-4)
    assert value(part, "unusual") == pytest.approx(2 / 6, abs=1e-4)
    assert value(part, "rejected") == pytest.approx(1 / 6, abs=1e-4)
    assert part.ece == pytest.approx(0.97 - 0.5)


def test_discordant_scans_are_not_answered() -> None:
    scan = made_scans(1)[0]
    scores = Scores.of([replace(scan, labels={"cnn": "glioma", "vgg16": "meningioma"})])
    assert not answers(scores, RULE).is_answered.any()


def test_patients_of_the_table_are_kept_together() -> None:
    scans = [replace(scan, patient=f"P{number // 6}") for number, scan in enumerate(made_scans(60))]
    assert len(np.unique(Scores.of(scans).groups)) == 10
    assert len(np.unique(Scores.of(made_scans(60)).groups)) == 60


def test_temperature_and_threshold_are_found_again() -> None:
    rule = fit_rule(Scores.of(made_scans(3000, evidence=3, temperature=2.0)))
    right = fit_rule(Scores.of(made_scans(3000, evidence=3)))
    assert rule.temperature == pytest.approx(right.temperature / 2, rel=0.05)
    scores = Scores.of(made_scans(3000, evidence=3, tumor_shift=4))
    rule = fit_rule(scores)
    assert value(figures(scores, answers(scores, rule)), "specificity") == pytest.approx(0.95, abs=0.01)


def test_cross_validated_figures_are_not_those_of_the_fit() -> None:
    scores = Scores.of(made_scans(60, evidence=2))
    fitted = figures(scores, answers(scores, fit_rule(scores)))
    validated = figures(scores, cross_validated(scores))
    assert value(validated, "specificity") < value(fitted, "specificity")


def test_a_rule_follows_no_scan_of_the_patient_that_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    from utils.acceptance import refit

    scans = [replace(scan, patient=f"P{number // 4}") for number, scan in enumerate(made_scans(80))]
    scores = Scores.of(scans)
    fitted_on: list[set[int]] = []

    def fit(part: Scores) -> AnswerRule:
        fitted_on.append(set(part.groups))
        return RULE

    def answer(part: Scores, rule: AnswerRule) -> Answers:
        assert not set(part.groups) & fitted_on[-1]
        return answers(part, rule)

    monkeypatch.setattr(refit, "fit_rule", fit)
    monkeypatch.setattr(refit, "answers", answer)
    refit.cross_validated(scores)
    assert len(fitted_on) == refit.FOLDS


def test_good_scans_are_used_as_evaluated(reference: AcceptanceRecord) -> None:
    result = accept(made_scans(120), RULE, reference)
    assert result.decision.verdict == "as evaluated" and "95 % CI" in result.decision.reason


def test_probabilities_that_do_not_hold_are_refitted(reference: AcceptanceRecord) -> None:
    result = accept(made_scans(240, temperature=4), RULE, reference)
    assert result.decision.verdict == "refitted" and "the probabilities are off by" in result.decision.reason
    assert (
        result.refitted is not None
        and result.refitted.ece is not None
        and result.as_evaluated.ece is not None
    )
    assert result.refitted.ece < result.as_evaluated.ece - 0.1


def test_a_shifted_threshold_is_refitted() -> None:
    result = accept(made_scans(240, tumor_shift=4), RULE, None)
    assert result.refitted is not None
    assert value(result.refitted, "sensitivity") > value(result.as_evaluated, "sensitivity") + 0.05


def test_scans_without_evidence_are_not_for_use(reference: AcceptanceRecord) -> None:
    result = accept(made_scans(120, evidence=0.5), RULE, reference)
    assert result.decision.verdict == "not here" and "Even with thresholds" in result.decision.reason


def test_few_scans_give_no_verdict(reference: AcceptanceRecord) -> None:
    result = accept(made_scans(30), RULE, reference)
    assert result.decision.verdict is None and result.rule is None
    assert (
        "Add at least 20 more, 5 scans with a tumour and 5 scans without tumour among them"
        in result.decision.reason
    )
    healthy = [scan for scan in made_scans(200) if scan.target == "no_tumor"]
    assert "Add at least 20 more, 20 scans with a tumour" in accept(healthy, RULE, reference).decision.reason


def test_what_more_scans_could_settle_gives_no_verdict(reference: AcceptanceRecord) -> None:
    result = accept(made_scans(50, evidence=4.2, seed=3), RULE, reference)
    assert result.decision.verdict is None and "cannot exclude" in result.decision.reason


def test_without_stored_figures_fixed_ones_count() -> None:
    result = accept(made_scans(120, evidence=0.5), RULE, None)
    assert result.decision.verdict == "not here" and "required" in result.decision.reason


def test_unlike_scans_are_not_for_use(reference: AcceptanceRecord) -> None:
    scans = [
        replace(scan, grade="unusual" if number % 3 == 0 else "ok")
        for number, scan in enumerate(made_scans(240))
    ]
    result = accept(scans, RULE, reference)
    assert result.decision.verdict == "not here" and "unlike the training scans" in result.decision.reason


def test_reliability_is_that_of_the_label() -> None:
    scores = Scores.of(made_scans(120))
    answered = answers(scores, RULE)
    table = reliability_table(scores, answered)
    assert table["count"].sum() == 120
    correct = (np.asarray(CLASSES)[answered.labels] == scores.targets).mean()
    assert np.average(table["accuracy"], weights=table["count"]) == pytest.approx(correct)
