"""Losses by hand: answers, the place of their evidence, outlines where there is a tumour and where there is none."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from utils.metrics.classification import softmax
from utils.training.losses import DICE_SMOOTHING, answer_loss, outline_loss, places, pointing_loss

SURE = 30.0  # a logit whose probability is 1 to the last bit of a float32


def test_the_loss_of_one_right_answer_is_cross_entropy_and_of_all_nearly_nothing() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    one, tumours, teacher = (
        np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]],
        np.ones((5, 4), np.float32),
        softmax(logits),
    )
    usual = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, reduction=None)
    np.testing.assert_allclose(answer_loss(0.1)(one, logits), usual(one, logits), rtol=1e-5)
    np.testing.assert_allclose(answer_loss()(tumours, logits), 0, atol=1e-6)
    entropy = -(teacher * np.log(teacher)).sum(axis=1)
    taught = answer_loss(0.0, teaching=1.0)(np.concatenate([one, teacher], axis=1), logits)
    np.testing.assert_allclose(taught, entropy, rtol=1e-4)


def test_pointing_costs_nothing_inside_the_mask_nor_without_one() -> None:
    masks = np.zeros((3, 64, 64), np.uint8)
    masks[:2, :16, :16] = 255
    targets = np.eye(4, dtype=np.float32)[[1, 1, 1]]
    wanted = places(masks, targets, 4)
    maps = np.full((3, 4, 4, 4), -20, np.float32)
    maps[0, 0, 0, 1], maps[1, 3, 3, 1], maps[2, 3, 3, 1] = 20, 20, 20
    inside, outside, unknown = np.asarray(pointing_loss(wanted, maps))
    assert inside == pytest.approx(0, abs=1e-3) and outside > 5 and unknown == 0


def corner(side: int) -> np.ndarray:
    """(1, 64, 64, 1) float32, 1 in a square in the corner."""
    mask = np.zeros((1, 64, 64, 1), np.float32)
    mask[:, :side, :side] = 1
    return mask


def certain(mask: np.ndarray) -> np.ndarray:
    """The logits of a network that is sure of this mask."""
    return (2 * mask - 1) * SURE


def test_the_right_outline_costs_nothing_and_so_does_silence_on_an_empty_mask() -> None:
    for mask in (corner(16), corner(0)):
        assert float(outline_loss(mask, certain(mask))[0]) == pytest.approx(0, abs=1e-5)


def test_the_loss_of_half_an_outline_by_hand() -> None:
    mask, half = corner(16), corner(16)
    half[:, 8:] = 0
    smoothing = DICE_SMOOTHING * 64 * 64
    dice = (2 * 128 + smoothing) / (256 + 128 + smoothing)
    entropy = SURE * 128 / 64**2
    assert float(outline_loss(mask, certain(half))[0]) == pytest.approx(1 - dice + entropy, rel=1e-5)


def test_a_stray_spot_on_an_empty_mask_costs_half_an_overlap_at_the_smoothing_s_size() -> None:
    spot = corner(2)  # 4 pixels; the smoothing is 4.096
    smoothing = DICE_SMOOTHING * 64 * 64
    expected = 1 - smoothing / (4 + smoothing) + SURE * 4 / 64**2
    assert float(outline_loss(corner(0), certain(spot))[0]) == pytest.approx(expected, rel=1e-5)
    assert 0.45 < 1 - smoothing / (4 + smoothing) < 0.55


def test_each_picture_has_a_loss_of_its_own() -> None:
    masks = np.concatenate([corner(16), corner(0), corner(16)])
    logits = np.concatenate([certain(corner(16)), certain(corner(0)), certain(corner(0))])
    losses = np.asarray(outline_loss(masks, logits))
    assert losses.shape == (3,) and losses[:2].max() < 1e-5 and losses[2] > 0.9
