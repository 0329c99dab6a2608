"""Loss functions against values computed by hand: classification, localisation, segmentation."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from utils.datasets.masks import BOX_LEVEL, IMAGE_LEVEL
from utils.metrics.classification import softmax
from utils.training.losses import (
    DICE_SMOOTHING,
    classification_loss,
    evidence_targets,
    localisation_loss,
    segmentation_loss,
    weak_segmentation_loss,
)

CERTAIN_LOGIT = 30.0  # its probability is 1 in float32


def test_classification_loss_is_cross_entropy_and_near_zero_where_all_classes_are_correct() -> None:
    logits = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    targets, all_classes, teacher = (
        np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]],
        np.ones((5, 4), np.float32),
        softmax(logits),
    )
    reference = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1, reduction=None)
    np.testing.assert_allclose(
        classification_loss(0.1)(targets, logits), reference(targets, logits), rtol=1e-5
    )
    np.testing.assert_allclose(classification_loss()(all_classes, logits), 0, atol=1e-6)
    entropy = -(teacher * np.log(teacher)).sum(axis=1)
    taught = classification_loss(0.0, distillation_weight=1.0)(
        np.concatenate([targets, teacher], axis=1), logits
    )
    np.testing.assert_allclose(taught, entropy, rtol=1e-4)


def test_localisation_loss_is_zero_inside_the_mask_and_without_one() -> None:
    masks = np.zeros((3, 64, 64), np.uint8)
    masks[:2, :16, :16] = 255
    targets = np.eye(4, dtype=np.float32)[[1, 1, 1]]
    places = evidence_targets(masks, targets, 4)
    maps = np.full((3, 4, 4, 4), -20, np.float32)
    maps[0, 0, 0, 1], maps[1, 3, 3, 1], maps[2, 3, 3, 1] = 20, 20, 20
    inside, outside, unknown = np.asarray(localisation_loss(places, maps))
    assert inside == pytest.approx(0, abs=1e-3) and outside > 5 and unknown == 0


def corner(side: int) -> np.ndarray:
    """(1, 64, 64, 1) float32, 1 in a square in the corner."""
    mask = np.zeros((1, 64, 64, 1), np.float32)
    mask[:, :side, :side] = 1
    return mask


def certain(mask: np.ndarray) -> np.ndarray:
    """The logits of a network that predicts this mask with certainty."""
    return (2 * mask - 1) * CERTAIN_LOGIT


def test_segmentation_loss_is_zero_for_the_correct_mask_and_for_an_empty_one() -> None:
    for mask in (corner(16), corner(0)):
        assert float(segmentation_loss(mask, certain(mask))[0]) == pytest.approx(0, abs=1e-5)


def test_segmentation_loss_of_half_a_mask() -> None:
    mask, half = corner(16), corner(16)
    half[:, 8:] = 0
    smoothing = DICE_SMOOTHING * 64 * 64
    dice = (2 * 128 + smoothing) / (256 + 128 + smoothing)
    entropy = CERTAIN_LOGIT * 128 / 64**2
    assert float(segmentation_loss(mask, certain(half))[0]) == pytest.approx(1 - dice + entropy, rel=1e-5)


def test_a_false_region_of_the_size_of_the_smoothing_halves_the_overlap() -> None:
    spot = corner(2)  # 4 pixels; the smoothing is 4.096
    smoothing = DICE_SMOOTHING * 64 * 64
    expected = 1 - smoothing / (4 + smoothing) + CERTAIN_LOGIT * 4 / 64**2
    assert float(segmentation_loss(corner(0), certain(spot))[0]) == pytest.approx(expected, rel=1e-5)
    assert 0.45 < 1 - smoothing / (4 + smoothing) < 0.55


def test_segmentation_loss_is_computed_for_each_image() -> None:
    masks = np.concatenate([corner(16), corner(0), corner(16)])
    logits = np.concatenate([certain(corner(16)), certain(corner(0)), certain(corner(0))])
    losses = np.asarray(segmentation_loss(masks, logits))
    assert losses.shape == (3,) and losses[:2].max() < 1e-5 and losses[2] > 0.9


def boxed(logit_inside: float, logit_far: float, logit_near: float = -12.0) -> float:
    """The loss of an image whose tumour is only known to lie in a box in the middle."""
    masks = np.zeros((1, 40, 40, 1), np.float32)
    masks[:, 16:24, 16:24] = BOX_LEVEL / 255
    logits = np.full((1, 40, 40, 1), logit_far, np.float32)
    logits[:, 12:28, 12:28] = logit_near
    logits[:, 16:24, 16:24] = logit_inside
    return float(keras.ops.convert_to_numpy(weak_segmentation_loss(masks, logits))[0])


def test_a_box_asks_for_some_of_the_tumour_inside_and_nothing_far_away() -> None:
    assert boxed(12, -12) < 0.05
    assert boxed(-12, -12) > 0.4  # nothing in the box
    assert boxed(12, 0) > boxed(12, -12) + 0.2  # something far away
    assert boxed(12, -12, logit_near=12) == pytest.approx(
        boxed(12, -12), abs=0.01
    )  # the surroundings are unknown


def test_an_image_label_asks_for_a_tumour_anywhere() -> None:
    masks = np.full((2, 40, 40, 1), IMAGE_LEVEL / 255, np.float32)
    logits = np.full((2, 40, 40, 1), -12, np.float32)
    logits[1, 3:9, 30:36] = 12  # larger than the area that is certainly tumour
    hidden, found = keras.ops.convert_to_numpy(weak_segmentation_loss(masks, logits))
    assert hidden > 1.5 and found == pytest.approx(0, abs=1e-3)


def test_masks_that_are_no_boxes_have_the_segmentation_loss() -> None:
    rng = np.random.default_rng(0)
    masks = np.zeros((3, 16, 16, 1), np.float32)
    masks[1, 2:9, 3:8] = 1
    masks[2, 5:7] = 0.8
    logits = rng.normal(size=masks.shape).astype(np.float32)
    expected = keras.ops.convert_to_numpy(segmentation_loss(masks, logits))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(weak_segmentation_loss(masks, logits)), expected, rtol=1e-6
    )
