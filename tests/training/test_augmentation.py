"""Augmentation keeps shape, type and label, moves the mask with its image and follows its seed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.scans.preprocessing import preprocess
from utils.training.augmentation import augment, strip_skull


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([32, 97, 224]))
def test_shape_and_type_stay(seed, size):
    image = np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8)
    kept = image.copy()
    for changed in augment(image, image, np.random.default_rng(seed)):
        assert changed.shape == (size, size) and changed.dtype == np.uint8
    assert np.array_equal(image, kept), "the original must stay unchanged"


def test_a_seed_determines_the_changes(brain):
    image = preprocess(brain, 160)[0]
    first, again, other = (augment(image, image, np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(20))
def test_the_brain_stays_in_the_image(brain, seed):
    image = preprocess(brain, 160)[0]
    brain_mask = np.where(image > 60, 255, 0).astype(np.uint8)
    changed, moved = augment(image, brain_mask, np.random.default_rng(seed))
    assert changed.astype(float).std() > 15
    assert 0.6 < (moved > 127).mean() / (image > 60).mean() < 1.4
    y, x = np.nonzero(moved > 127)
    assert abs(y.mean() - 79.5) < 20 and abs(x.mean() - 79.5) < 20


@pytest.mark.parametrize("seed", range(40))
def test_the_mask_moves_with_its_image(seed):
    image = np.zeros((96, 96), np.uint8)
    image[20:40, 50:80] = 255  # the only bright region, whatever the remapping
    changed, mask = augment(image, image, np.random.default_rng(seed))
    inside, outside = changed[mask > 200].astype(float), changed[mask < 50].astype(float)
    assert inside.mean() > outside.mean() + 40


def test_half_of_the_images_are_mirrored():
    image = np.zeros((64, 64), np.uint8)
    image[16:48, 8:24] = 200
    sides = [
        augment(image, image, np.random.default_rng(seed))[1][:, :32].sum(dtype=int) > 32 * 16 * 100
        for seed in range(200)
    ]
    assert 70 < sum(sides) < 130


def test_skull_stripping_keeps_the_tumour_and_removes_the_rim() -> None:
    image, mask = np.zeros((96, 96), np.uint8), np.zeros((96, 96), np.uint8)
    cv2.ellipse(image, (48, 48), (40, 44), 0, 0, 360, 255, -1)  # scalp
    cv2.ellipse(image, (48, 48), (38, 42), 0, 0, 360, 90, -1)  # brain
    mask[40:56, 40:56] = 255
    image[mask > 0] = 180
    stripped, moved = strip_skull(image, mask, np.random.default_rng(0))
    assert stripped.shape == moved.shape == image.shape and stripped.dtype == moved.dtype == np.uint8
    inside = moved > 127
    assert inside.sum() > (mask > 127).sum()  # the smaller head fills the image again
    assert stripped[inside].mean() > stripped[(stripped > 20) & (moved == 0)].mean()
    rim = stripped[stripped > 0]
    assert (rim == 255).mean() < 0.5


def test_skull_stripping_spares_a_tumour_at_the_rim() -> None:
    image, mask = np.zeros((96, 96), np.uint8), np.zeros((96, 96), np.uint8)
    cv2.ellipse(image, (48, 48), (40, 44), 0, 0, 360, 120, -1)
    mask[44:52, 9:13] = 255
    stripped, moved = strip_skull(image, mask, np.random.default_rng(0))
    np.testing.assert_array_equal(stripped, image)
    np.testing.assert_array_equal(moved, mask)


def test_an_empty_image_is_not_stripped() -> None:
    image = np.zeros((64, 64), np.uint8)
    stripped, _ = strip_skull(image, image, np.random.default_rng(0))
    assert stripped.shape == image.shape
