"""Paths on the command line -> images, slices and refusals, with the names that answers and results have."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np

from tests.support.corpus import dicom, dicom_bytes, zipped
from utils.scans.files import files_in, output_stems, read_files


def test_dicom_files_of_a_folder_are_read_as_a_series(tmp_path: Path, png_bytes) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        for number in range(2):
            (tmp_path / folder / f"{number}.dcm").write_bytes(dicom_bytes(dicom(number, 2 - number)))
    (tmp_path / "one" / "image.png").write_bytes(png_bytes(1))
    (tmp_path / "one" / "text.txt").write_text("no scan")
    files = list(files_in([tmp_path, tmp_path / "missing.png"]))
    inputs = list(read_files(files))
    below = [str(Path(item.file).relative_to(tmp_path)) for item in inputs]
    names = "one/1.dcm one/0.dcm one/image.png one/text.txt two/1.dcm two/0.dcm missing.png"
    assert below == names.split()
    slices = [item.scan.slice if item.scan else "refused" for item in inputs]
    assert slices == [0, 1, None, "refused", 0, 1, "refused"]
    stems = dict(zip(files, output_stems(files), strict=True))
    assert str(inputs[0].stem(stems[inputs[0].path])) == "one/1-slice000"
    assert str(inputs[2].stem(stems[inputs[2].path])) == "one/image"


def test_slices_of_a_volume_and_parts_of_a_zip(tmp_path: Path, png_bytes) -> None:
    volume = np.add.outer(np.add.outer(np.arange(40), np.arange(41)), np.arange(3)).astype(np.int16)
    (tmp_path / "head.nii.gz").write_bytes(nibabel.Nifti1Image(volume, np.diag([1, 1, 4, 1])).to_bytes())
    parts = {"../same.png": png_bytes(1), "b/same.png": png_bytes(2), "c.txt": b"text"}
    (tmp_path / "parts.zip").write_bytes(zipped(parts))
    files = list(files_in([tmp_path]))
    inputs = list(read_files(files))
    stems = dict(zip(files, output_stems(files), strict=True))
    assert [item.stem(stems[item.path]).name for item in inputs] == [
        "head-slice000", "head-slice001", "head-slice002", "parts-1", "parts-2", "parts-3",
    ]  # fmt: skip
    assert {item.file for item in inputs[:3]} == {str(tmp_path / "head.nii.gz")}
    assert [item.file for item in inputs[3:]] == [
        f"{tmp_path}/parts.zip/same.png", f"{tmp_path}/parts.zip/same.png", f"{tmp_path}/parts.zip/c.txt",
    ]  # fmt: skip
    assert inputs[-1].scan is None and inputs[-1].reason
