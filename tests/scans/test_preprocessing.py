from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.scans.preprocessing import Geometry, NetworkInputs, foreground_box, preprocess
from utils.scans.scan import Scan

SIZE = 224


@st.composite
def scans(draw) -> np.ndarray:
    """A bright ellipse anywhere in a dark image of any shape."""
    height, width = draw(st.integers(40, 400)), draw(st.integers(40, 400))
    half_height = draw(st.floats(0.15, 0.5)) * height
    half_width = draw(st.floats(0.15, 0.5)) * width
    centre_y = draw(st.floats(half_height, height - half_height))
    centre_x = draw(st.floats(half_width, width - half_width))
    y, x = np.mgrid[:height, :width]
    inside = ((y - centre_y) / half_height) ** 2 + ((x - centre_x) / half_width) ** 2 < 1
    noise = np.random.default_rng(draw(st.integers(0, 99))).random((height, width))
    return np.where(inside, 0.5 + 0.3 * noise, 0.02 * noise).astype(np.float32)


def centre_of(image: np.ndarray) -> np.ndarray:
    """(row, column) of the centre of mass, in pixels."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    return np.array([(y * image).sum(), (x * image).sum()]) / image.sum()


@settings(max_examples=60)
@given(scans(), st.sampled_from([96, 160, 224]))
def test_the_crop_stays_inside_and_holds_the_foreground(pixels, size):
    image, geometry = preprocess(pixels, size)
    assert image.shape == (size, size) and image.dtype == np.uint8
    assert geometry.top >= 0 and geometry.left >= 0 and geometry.height > 0 and geometry.width > 0
    assert geometry.top + geometry.height <= pixels.shape[0]
    assert geometry.left + geometry.width <= pixels.shape[1]
    outside = pixels.copy()
    outside[geometry.top : geometry.top + geometry.height, geometry.left : geometry.left + geometry.width] = 0
    assert (outside > 0.4).sum() <= 0.03 * (pixels > 0.4).sum()


@settings(max_examples=60)
@given(scans(), st.floats(0.25, 0.75), st.floats(0.25, 0.75))
def test_a_blob_comes_back_to_where_it_was(pixels, down, right):
    geometry = preprocess(pixels, SIZE)[1]
    corner = np.array([geometry.top, geometry.left])
    where = corner + np.array([down * geometry.height, right * geometry.width])
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    width = max(min(geometry.height, geometry.width) / 12, 1.0)
    blob = np.exp(-((y - where[0]) ** 2 + (x - where[1]) ** 2) / (2 * width**2))
    on_network = geometry.to_network(blob)
    back = geometry.to_scan(on_network)
    assert back.shape == pixels.shape
    expected = (where - corner + geometry.padding + 0.5) * SIZE / geometry.side - 0.5
    assert np.abs(centre_of(on_network) - expected).max() < 1
    assert np.abs(centre_of(back) - where).max() < max(geometry.side / SIZE, 1) / 2


@settings(max_examples=40)
@given(scans(), st.sampled_from([7, 14, 28, 224]))
def test_a_map_is_zero_outside_the_crop_and_keeps_its_range_inside(pixels, side):
    geometry = preprocess(pixels, SIZE)[1]
    network_map = np.random.default_rng(0).uniform(1, 2, (side, side))
    on_scan = geometry.to_scan(network_map)
    assert on_scan.shape == pixels.shape and on_scan.dtype == np.float32
    crop = on_scan[
        geometry.top : geometry.top + geometry.height, geometry.left : geometry.left + geometry.width
    ]
    assert crop.min() >= 0.999 and crop.max() <= 2.001
    assert np.count_nonzero(on_scan) == geometry.height * geometry.width


@pytest.mark.parametrize("shape", [(300, 150), (150, 300), (223, 224), (33, 64)])
def test_a_image_laid_back_is_the_image(draw_brain, shape):
    brain = draw_brain(*shape)
    geometry = preprocess(brain, SIZE)[1]
    back = geometry.to_scan(geometry.to_network(brain))
    assert np.corrcoef(back.ravel(), brain.ravel())[0, 1] > 0.99


def test_padding_is_centred():
    geometry = Geometry((100, 200), top=10, left=20, height=50, width=121, size=64)
    assert geometry.side == 121 and geometry.padding == (35, 0)
    network = geometry.to_network(np.ones((100, 200), np.float32))
    assert network[0].max() == 0 and network[-1].max() == 0 and network[32].min() == pytest.approx(1)


def test_the_dark_surround_is_cut_away(draw_brain):
    scan = np.zeros((400, 500), np.float32)
    scan[60:280, 250:430] = draw_brain(220, 180)
    rows, columns = np.nonzero(scan > 0.2)
    top, left, height, width = foreground_box(scan)
    assert abs(top - rows.min()) <= 8 and abs(left - columns.min()) <= 8
    assert abs(top + height - rows.max()) <= 9 and abs(left + width - columns.max()) <= 9


def test_lettering_in_a_corner_does_not_count(draw_brain):
    scan = np.zeros((400, 400), np.float32)
    scan[100:320, 120:300] = draw_brain(220, 180)
    plain = foreground_box(scan)
    lettering = cv2.putText(
        np.zeros(scan.shape, np.uint8), "TE 90", (5, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1
    )
    assert lettering.any()
    assert foreground_box(np.maximum(scan, lettering / 255)) == plain


@pytest.mark.parametrize("kind", ["bright surround", "dots", "speck"])
def test_the_whole_image_is_kept_where_the_foreground_is_unclear(kind):
    scan = np.zeros((100, 120), np.float32)
    if kind == "bright surround":
        scan[:] = 1
        scan[40:60, 40:60] = 0
    elif kind == "dots":
        scan[::4, ::4] = 1
    else:
        scan[50:56, 60:66] = 1
    assert foreground_box(scan) == (0, 0, 100, 120)


@pytest.mark.parametrize("gain,offset", [(0.4, 0.0), (0.5, 0.3), (0.9, 0.05)])
def test_brightness_and_contrast_do_not_matter(brain, gain, offset):
    plain, geometry = preprocess(brain, SIZE)
    changed, same = preprocess(brain * gain + offset, SIZE)
    assert same == geometry
    assert np.abs(plain.astype(int) - changed).max() <= 1


def test_the_same_scan_in_another_resolution_looks_the_same(draw_brain):
    large = draw_brain(880, 720)
    small = cv2.resize(large, (180, 220), interpolation=cv2.INTER_AREA)
    difference = preprocess(large, SIZE)[0].astype(float) - preprocess(small, SIZE)[0]
    assert np.abs(difference).mean() < 4


def test_networks_of_one_size_share_their_inputs(brain):
    inputs = NetworkInputs([Scan("a", brain, "PNG"), Scan("b", brain[::-1].copy(), "PNG")])
    for size in (SIZE, SIZE // 2):
        assert inputs.of_size(size) is inputs.of_size(size)
        for (image, geometry), pixels in zip(inputs.of_size(size), (brain, brain[::-1]), strict=True):
            expected, place = preprocess(pixels, size)
            np.testing.assert_array_equal(image, expected)
            assert geometry == place
