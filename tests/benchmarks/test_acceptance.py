"""The simulation of acceptances, in small."""

from __future__ import annotations

import numpy as np

from benchmarks.accuracy import acceptance, drift
from tests.support.acceptance import RULE, made_scans
from utils.acceptance.drift import ANSWERS


def test_draws_have_as_many_scans_as_they_should() -> None:
    scans, random = made_scans(300), np.random.default_rng(0)
    assert len(acceptance.draw_scans(scans, random)) == acceptance.SCANS
    kinds = [scan.target == "no_tumor" for scan in acceptance.draw_kinds(scans, random)]
    assert sum(kinds) == len(kinds) / 2 == acceptance.SCANS / 2
    assert len({scan.patient for scan in acceptance.draw_patients(scans, random)}) > 1


def test_intervals_hold_the_value_of_all_scans_nearly_always() -> None:
    covered = acceptance.coverage(made_scans(2000, evidence=3), RULE, "scans", draws=100)
    assert all(0.88 <= part.covered <= 1 for part in covered.values())


def test_another_distribution_is_noticed_and_the_same_is_not() -> None:
    random = np.random.default_rng(0)
    known = {ANSWERS: random.random(300), "cnn": random.normal(size=300)}
    assert drift._alarms(known, known, 50).alarmed <= 0.06
    assert (
        drift._alarms(known, {ANSWERS: random.random(300), "cnn": random.normal(2, size=300)}, 50).alarmed
        == 1
    )
