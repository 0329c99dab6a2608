from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.augmentation import augment
from utils.preprocessing import preprocess


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([32, 97, 224]))
def test_shape_and_type_stay(seed, size):
    image = np.random.default_rng(0).integers(0, 256, (size, size), dtype=np.uint8)
    kept = image.copy()
    changed = augment(image, np.random.default_rng(seed))
    assert changed.shape == (size, size) and changed.dtype == np.uint8
    assert np.array_equal(image, kept), "the picture that was given must stay as it is"


def test_a_seed_repeats_itself_and_another_does_not(brain):
    image = preprocess(brain, 160)[0]
    assert np.array_equal(augment(image, np.random.default_rng(3)), augment(image, np.random.default_rng(3)))
    assert not np.array_equal(
        augment(image, np.random.default_rng(3)), augment(image, np.random.default_rng(4))
    )


@pytest.mark.parametrize("seed", range(20))
def test_the_brain_stays_in_the_picture(brain, seed):
    image = preprocess(brain, 160)[0]
    changed = augment(image, np.random.default_rng(seed)).astype(float)
    assert changed.std() > 20
    assert 0.6 < (changed > 60).mean() / (image > 60).mean() < 1.4
    y, x = np.nonzero(changed > 60)
    assert abs(y.mean() - 79.5) < 20 and abs(x.mean() - 79.5) < 20


def test_half_of_the_pictures_are_mirrored():
    image = np.zeros((64, 64), np.uint8)
    image[16:48, 8:24] = 200
    sides = [
        augment(image, np.random.default_rng(seed))[:, :32].sum(dtype=int) > 32 * 16 * 100
        for seed in range(200)
    ]
    assert 70 < sum(sides) < 130
