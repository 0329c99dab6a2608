"""Screenshots of several series are noticed; single scans are not."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.corpus import dicom, dicom_bytes, png_bytes_of
from utils.scans import panels
from utils.scans.example import synthetic_scan
from utils.scans.upload import read_scan


@pytest.mark.parametrize("rows,columns", [(2, 2), (2, 3), (3, 3)])
@pytest.mark.parametrize("background", [0.0, 0.1])
def test_a_grid_of_scans_is_noticed(draw_brain, rows, columns, background) -> None:
    tiles = [[draw_brain(seed=columns * row + column) for column in range(columns)] for row in range(rows)]
    image = np.maximum(np.block(tiles), background).astype(np.float32)
    assert panels.shows_panels(image)
    assert panels.NOTE in read_scan(png_bytes_of(image), "screenshot.png").notes


def test_single_scans_are_not(draw_brain) -> None:
    for seed in range(10):
        assert not panels.shows_panels(draw_brain(seed=seed))
        assert not panels.shows_panels(synthetic_scan(seed=seed).pixels)
    assert not panels.shows_panels(np.zeros((40, 40), np.float32))
    assert read_scan(dicom_bytes(dicom()), "a").notes == ()


@pytest.mark.data
def test_real_single_scans_are_not(data_root) -> None:
    from utils.scans.upload import read_scan_file

    files = sorted((data_root / "nickparvar" / "Testing").rglob("*.jpg"))[::20]
    noticed = [file.name for file in files if panels.NOTE in read_scan_file(file).notes]
    assert not noticed
