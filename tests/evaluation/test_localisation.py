"""The measures of maps against masks are those of the field, and a map without evidence never counts as right."""

from __future__ import annotations

import numpy as np
import pytest

from utils.evaluation.localisation import energy_inside, points_at, uniform_energy_inside


@pytest.fixture
def mask() -> np.ndarray:
    mask = np.zeros((20, 30), bool)
    mask[5:10, 10:20] = True
    return mask


def test_pointing_game_asks_for_the_peak_alone(mask) -> None:
    evidence = np.full(mask.shape, 0.5)
    evidence[0, 0] = 2.0
    assert not points_at(evidence, mask)
    evidence[5, 10] = 2.0  # one of two equal peaks
    assert points_at(evidence, mask)
    evidence[4, 10] = 2.1  # one pixel beside the mask
    assert not points_at(evidence, mask)
    assert not points_at(np.zeros(mask.shape), mask)


def test_energy_is_the_share_of_the_map_in_the_mask(mask) -> None:
    evidence = np.where(mask, 3.0, 1.0)
    assert energy_inside(evidence, mask) == pytest.approx(150 / (150 + 550))
    assert energy_inside(mask.astype(float), mask) == 1 and energy_inside((~mask).astype(float), mask) == 0
    assert energy_inside(np.zeros(mask.shape), mask) == 0


def test_uniform_map_has_the_masks_share_of_the_head(mask) -> None:
    head = np.zeros(mask.shape, bool)
    head[:, :20] = True
    assert uniform_energy_inside(head, mask) == pytest.approx(50 / 400)
