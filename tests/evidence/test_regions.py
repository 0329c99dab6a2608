"""A region is the strongest connected part of a map, described in the scan's pixels and in words."""

from __future__ import annotations

import numpy as np
import pytest

from utils.evidence.regions import (
    THRESHOLDS,
    find_region,
    fit_threshold,
    overlap,
    place_of,
    strongest_part,
)
from utils.scans.preprocessing import foreground
from utils.scans.scan import Scan


def spots(shape: tuple[int, int], *boxes: tuple[int, int, int, int, float]) -> np.ndarray:
    """A map of boxes (top, left, height, width, strength)."""
    drawn = np.zeros(shape, np.float32)
    for top, left, height, width, strength in boxes:
        drawn[top : top + height, left : left + width] = strength
    return drawn


def test_region_tells_box_centre_share_and_millimetres() -> None:
    pixels = spots((100, 160), (20, 40, 60, 80, 0.6))
    region = find_region(
        spots((100, 160), (30, 50, 12, 20, 0.9)), 0.5, Scan("s", pixels, "DICOM", None, (0.5, 2.0))
    )
    assert region is not None
    assert region.box == (30, 50, 12, 20)
    assert region.centre == (35.5, 59.5)
    assert region.share == pytest.approx(12 * 20 / (60 * 80), rel=0.01)
    assert region.size_mm == (6.0, 40.0)
    assert region.place == "centre of the image"
    assert region.mask.sum() == 240 and region.mask.dtype == bool


def test_region_outside_of_the_head_covers_nothing_of_it() -> None:
    pixels = spots((100, 100), (20, 20, 60, 60, 0.6))
    scan = Scan("s", pixels, "PNG")
    region = find_region(spots((100, 100), (0, 0, 10, 10, 1.0)), 0.5, scan)
    assert region is not None and region.share == 0 and region.size_mm is None
    assert region.place == "upper left of the image"


def test_weak_evidence_has_no_region(brain) -> None:
    strength = np.full(brain.shape, 0.4, np.float32)
    assert find_region(strength, 0.5, Scan("s", brain, "PNG")) is None
    assert find_region(strength, 0.4, Scan("s", brain, "PNG")) is None  # above, not at


def test_of_two_parts_the_one_with_more_evidence_is_taken() -> None:
    strength = spots((60, 60), (5, 5, 10, 10, 0.6), (40, 40, 8, 8, 2.0))  # the smaller one is much stronger
    assert np.array_equal(strongest_part(strength, 0.5), strength == 2.0)
    assert strongest_part(strength, 1.0).sum() == 64
    assert not strongest_part(strength, 3.0).any()


def test_overlap() -> None:
    first, second = (spots((10, 10), box) > 0 for box in ((0, 0, 4, 4, 1.0), (0, 2, 4, 4, 1.0)))
    assert overlap(first, second) == pytest.approx(8 / 24) and overlap(first, first) == 1
    assert overlap(first, ~first) == 0 and overlap(first & ~first, first & ~first) == 0


@pytest.mark.parametrize(
    "centre, words",
    [
        ((5, 5), "upper left"),
        ((5, 150), "upper middle"),
        ((50, 299), "middle right"),
        ((99, 150), "lower middle"),
        ((50, 150), "centre"),
        ((99.5, 299.5), "lower right"),
    ],
)
def test_place_is_a_ninth_of_the_picture(centre, words) -> None:
    assert place_of(centre, (100, 300)) == f"{words} of the image"


def test_head_is_filled_and_without_its_surround(brain) -> None:
    head = foreground(brain)
    rows, columns = np.indices(brain.shape)
    y, x = 2 * rows / (brain.shape[0] - 1) - 1, 2 * columns / (brain.shape[1] - 1) - 1
    inside = (y / 0.85) ** 2 + (x / 0.8) ** 2 < 1
    assert overlap(head, inside) > 0.98
    assert foreground(np.where(inside & (y**2 + x**2 > 0.1), brain, 0))[110, 90]  # a black hole belongs to it
    assert foreground(np.full((40, 40), 0.5, np.float32)).all()


def test_threshold_is_the_one_that_overlaps_best() -> None:
    y, x = np.mgrid[-1:1:80j, -1:1:80j]
    hill = (1 - np.hypot(x, y)).clip(0).astype(np.float32)
    for radius in (0.3, 0.6):
        fitted, mean = fit_threshold([hill, hill], [np.hypot(x, y) < radius] * 2)
        assert fitted == pytest.approx(1 - radius, abs=0.03) and fitted in THRESHOLDS
        assert mean > 0.9
    with pytest.raises(ValueError, match="no mask"):
        fit_threshold([], [])
