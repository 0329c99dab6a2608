"""An outline lies where the tumour is, is as large as it is, and is silent below the least area."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from utils.evidence.outlines import (
    COLOUR,
    OperatingPoint,
    drawn,
    largest_part,
    longest_diameter,
    outline,
)
from utils.scans.preprocessing import Geometry, preprocess

EVEN = OperatingPoint(0.5, 0.0)


def rectangle(shape: tuple[int, int], top: int, left: int, height: int, width: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def whole(size: int) -> Geometry:
    """The geometry of a square scan that the network sees as it is."""
    return Geometry((size, size), 0, 0, size, size, size)


def test_outline_lies_on_the_tumour_of_an_off_centre_scan_that_is_not_square(draw_brain) -> None:
    pixels = np.zeros((300, 420), np.float32)
    pixels[20:140, 250:360] = draw_brain(120, 110, 3)
    truth = np.zeros(pixels.shape, bool)
    cv2.ellipse(mask := truth.astype(np.uint8), (300, 60), (22, 14), 30, 0, 360, 1, -1)
    truth = mask > 0
    geometry = preprocess(pixels, 224)[1]
    assert geometry.side < 200 and (geometry.top, geometry.left) != (0, 0)
    outlined = outline(geometry.to_network(truth), geometry, EVEN)
    assert outlined.mask.shape == (300, 420) and outlined.mask.dtype == bool
    assert (outlined.mask & truth).sum() / (outlined.mask | truth).sum() > 0.95
    assert outlined.area == outlined.mask.sum() == pytest.approx(truth.sum(), rel=0.05)
    x, y = np.concatenate(outlined.contours).mean(axis=0)
    assert (x, y) == pytest.approx((300, 60), abs=3)


def test_nothing_above_the_threshold_is_an_empty_outline() -> None:
    outlined = outline(np.full((32, 32), 0.4), whole(32), EVEN, spacing=(1.0, 1.0))
    assert outlined.is_empty and outlined.contours == () and not outlined.mask.any()
    assert outlined.sizes == {"area": 0, "diameter": 0.0, "area_mm2": 0.0, "diameter_mm": 0.0}


def test_a_part_is_drawn_whole_where_it_reaches_the_peak_and_else_not_at_all() -> None:
    probabilities = 0.6 * rectangle((40, 40), 2, 2, 4, 4) + 0.7 * rectangle((40, 40), 20, 20, 6, 6)
    probabilities[22, 22] = 0.9
    areas = [
        outline(probabilities, whole(40), OperatingPoint(0.5, peak)).area
        for peak in (0.0, 0.6, 0.61, 0.9, 0.91)
    ]
    assert areas == [52, 52, 36, 36, 0]


@pytest.mark.parametrize(
    ("mask", "pixels", "millimetres"),
    [
        (rectangle((9, 9), 1, 2, 3, 4), 5.0, math.hypot(3 * 2.0, 4 * 0.5)),
        (rectangle((9, 9), 4, 4, 1, 1), math.sqrt(2), math.hypot(2.0, 0.5)),
        (rectangle((9, 9), 0, 3, 9, 1), math.hypot(9, 1), math.hypot(18, 0.5)),
        (np.eye(9, dtype=bool), 9 * math.sqrt(2), 9 * math.hypot(2.0, 0.5)),
        (np.zeros((9, 9), bool), 0.0, 0.0),
    ],
)
def test_longest_diameter_by_hand(mask: np.ndarray, pixels: float, millimetres: float) -> None:
    assert longest_diameter(mask) == pytest.approx(pixels)
    assert longest_diameter(mask, (2.0, 0.5)) == pytest.approx(millimetres)


def test_sizes_in_millimetres_where_the_spacing_is_known() -> None:
    probabilities = rectangle((32, 32), 4, 4, 3, 4) | rectangle((32, 32), 20, 20, 2, 2)
    outlined = outline(probabilities.astype(float), whole(32), EVEN, spacing=(2.0, 0.5))
    assert outlined.area == 16 and outlined.area_mm2 == pytest.approx(16.0)
    assert outlined.diameter == pytest.approx(5.0), "that of the largest part alone"
    assert outlined.diameter_mm == pytest.approx(math.hypot(6, 2))
    unknown = outline(probabilities.astype(float), whole(32), EVEN)
    assert unknown.area_mm2 is None and unknown.sizes["diameter_mm"] is None


def test_parts_that_touch_at_a_corner_are_one() -> None:
    corner = rectangle((9, 9), 0, 0, 3, 3) | rectangle((9, 9), 3, 3, 2, 2) | rectangle((9, 9), 7, 7, 1, 1)
    assert largest_part(corner).sum() == 13
    assert not largest_part(np.zeros((9, 9), bool)).any()


def test_a_hole_has_a_border_of_its_own() -> None:
    ring = rectangle((32, 32), 4, 4, 20, 20) & ~rectangle((32, 32), 10, 10, 8, 8)
    assert len(outline(ring.astype(float), whole(32), EVEN).contours) == 2


def test_contour_is_drawn_and_the_rest_is_the_scan() -> None:
    pixels = np.full((32, 32), 0.5, np.float32)
    outlined = outline(rectangle((32, 32), 8, 8, 10, 12).astype(float), whole(32), EVEN)
    image = drawn(pixels, outlined.contours)
    border = outlined.mask & ~rectangle((32, 32), 9, 9, 8, 10)
    assert (image[border] == COLOUR).all() and (image[~border] == 128).all()
    assert (drawn(pixels, ()) == 128).all()
