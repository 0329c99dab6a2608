"""The synthetic example: the same image everywhere, and marked as what it is."""

import numpy as np
import pytest

from utils.scans.example import synthetic_scan
from utils.scans.preprocessing import preprocess


def test_it_is_the_same_image_every_time() -> None:
    np.testing.assert_array_equal(synthetic_scan().pixels, synthetic_scan().pixels)
    assert (synthetic_scan(seed=8).pixels != synthetic_scan().pixels).any()


@pytest.mark.parametrize("size", [64, 320, 512])
def test_it_is_a_scan_like_any_other(size: int) -> None:
    scan = synthetic_scan(size)
    assert scan.shape == (size, size) and scan.pixels.dtype == np.float32
    assert 0 <= scan.pixels.min() < 0.01 and 0.8 < scan.pixels.max() <= 1
    assert not scan.pixels.flags.writeable
    assert preprocess(scan.pixels, 224)[0].shape == (224, 224)


def test_it_is_marked_as_synthetic() -> None:
    scan = synthetic_scan()
    assert "synthetic" in scan.name.lower() and scan.format == "drawn by code"
    assert any("drawn by code" in note and "no patient" in note for note in scan.notes)


def test_it_shows_a_bright_mass_on_one_side() -> None:
    pixels = synthetic_scan().pixels
    mass, mirrored = pixels[100:116, 200:208], pixels[100:116, 320 - 208 : 320 - 200]
    assert mass.mean() > mirrored.mean() + 0.2
