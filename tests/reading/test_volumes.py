"""Which slices of a volume are read, and which runs of them are suspicious."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.reading.volumes import MAXIMUM_RUNS, Run, slices_with_brain, suspicious_runs


def disc(radius: float, noise: float = 0.03) -> np.ndarray:
    y, x = np.mgrid[-1:1:80j, -1:1:80j]
    inside = y**2 + x**2 < radius**2
    return np.clip(0.6 * inside + np.random.default_rng(0).normal(0, noise, (80, 80)), 0, 1).astype(
        np.float32
    )


def test_air_and_the_top_of_the_head_are_skipped() -> None:
    assert slices_with_brain([disc(radius) for radius in (0, 0.2, 0.6, 0.9, 0.7, 0.3, 0)]) == [2, 3, 4]


def test_slices_that_are_all_alike_are_all_read() -> None:
    assert slices_with_brain([disc(0.5)] * 3) == [0, 1, 2]
    assert slices_with_brain([disc(0.5)]) == [0]


@pytest.mark.parametrize(
    ("suspicion", "runs"),
    [
        ([], []),
        ([0.1, 0.2], []),
        ([0.9], [Run(0, 0, 0)]),
        ([0.1, 0.6, 0.9, 0.5, 0.2], [Run(1, 3, 2)]),
        ([0.6, 0.1, 0.7, 0.8], [Run(2, 3, 3), Run(0, 0, 0)]),
        ([0.6, np.nan, 0.7], [Run(2, 2, 2), Run(0, 0, 0)]),
    ],
)
def test_runs_of_suspicious_slices(suspicion, runs) -> None:
    assert suspicious_runs(suspicion) == runs


@given(st.lists(st.floats(0, 1), max_size=60))
def test_runs_never_overlap_and_hold_only_suspicious_slices(suspicion) -> None:
    runs = suspicious_runs(suspicion)
    covered = [position for run in runs for position in range(run.first, run.last + 1)]
    assert len(covered) == len(set(covered)) and all(suspicion[position] >= 0.5 for position in covered)
    assert len(runs) <= MAXIMUM_RUNS
    assert all(suspicion[run.peak] == max(suspicion[run.first : run.last + 1]) for run in runs)
