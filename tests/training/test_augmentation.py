"""Augmentation keeps shape, type and label, moves the mask with its image and follows its seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.scans.preprocessing import preprocess
from utils.training.augmentation import augment


@settings(deadline=None, max_examples=60)
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
