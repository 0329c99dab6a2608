"""Which way up: learned from upright pictures alone, turned by the code itself."""

from __future__ import annotations

import numpy as np
import pytest

from utils.reading.orientation import MARKED, fit_orientation, fit_turned_threshold, turned_score
from utils.scans.preprocessing import preprocess


@pytest.fixture(scope="module")
def weights() -> np.ndarray:
    return fit_orientation([upright(seed) for seed in range(80)])


def upright(seed: int) -> np.ndarray:
    """A tall ellipse, brighter on top, with noise: (64, 64) uint8."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[-1:1:90j, -1:1:90j]
    inside = (rows / 0.9) ** 2 + (columns / rng.uniform(0.6, 0.75)) ** 2 < 1
    picture = np.where(inside, 0.6 - 0.3 * rows, 0) + 0.03 * rng.normal(size=rows.shape)
    return preprocess(np.clip(picture, 0, 1).astype(np.float32), 64)[0]


@pytest.mark.parametrize("seed", range(100, 105))
def test_upright_is_told_from_turned(weights: np.ndarray, seed: int) -> None:
    picture = upright(seed)
    scores = [turned_score(np.rot90(picture, turn), weights) for turn in range(4)]
    assert scores[0] < 0 < min(scores[1:])


def test_threshold_marks_no_more_than_its_share_and_never_what_looks_upright() -> None:
    scores = np.random.default_rng(0).normal(size=1000)
    assert np.mean(scores > fit_turned_threshold(scores)) <= MARKED
    assert fit_turned_threshold(np.full(10, -0.8)) == 0
