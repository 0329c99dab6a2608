"""A map of an upright scan back on the grid of its file, for every turn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from utils.scans.places import TURNS, Turn, turned
from utils.scans.scan import SourceGrid
from utils.scans.source_grid import to_source


@pytest.mark.parametrize("turn", TURNS)
def test_every_turn_is_undone(turn: Turn) -> None:
    frame = np.random.default_rng(0).random((7, 5)).astype(np.float32)
    grid = SourceGrid(0, frame.shape, turn)
    np.testing.assert_array_equal(to_source(turned(frame, turn), grid), frame)
    mask = frame > 0.5
    back = to_source(turned(mask, turn), grid)
    assert back.dtype == bool and (back == mask).all()


@pytest.mark.parametrize("turn", TURNS)
def test_a_resampled_mask_covers_the_same_place(turn: Turn) -> None:
    mask = np.zeros((40, 60), bool)
    mask[5:25, 10:40] = True
    upright = turned(mask, turn)
    larger = cv2.resize(upright.astype(np.uint8), (upright.shape[1] * 3 // 2, upright.shape[0])) > 0
    back = to_source(larger, SourceGrid(0, mask.shape, turn))
    assert back.shape == mask.shape and (back != mask).mean() < 0.02
