"""Paths on the command line -> images, slices and refusals, with the names that answers and results have."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import uid

from tests.support.corpus import dicom, dicom_bytes, zipped
from tests.support.series import Frame, enhanced
from utils.scans.files import files_in, output_stems, read_files


def _slice(number: int, series: int) -> bytes:
    return dicom_bytes(
        dicom(
            number,
            2 - number,
            SOPInstanceUID=f"1.2.{series}.{number}",
            SeriesInstanceUID=f"1.2.826.0.1.{series}",
        )
    )


def test_a_series_is_one_stack_in_several_folders_and_with_other_files_between(tmp_path: Path) -> None:
    """Collected by series over all arguments, as in the app; the stack is complete and in order."""
    for number in range(4):
        folder = tmp_path / ("a" if number < 2 else "b")
        folder.mkdir(exist_ok=True)
        (folder / f"IM{number}.dcm").write_bytes(dicom_bytes(dicom(number, number)))
    (tmp_path / "a" / "IM0.json").write_text("{}")
    inputs = list(read_files(files_in([tmp_path / "b", tmp_path / "a", tmp_path / "a"])))
    slices = [(item.path.name, item.scan.slice) for item in inputs if item.scan]
    assert slices == [(f"IM{number}.dcm", number) for number in range(4)]
    assert [item.path.name for item in inputs if item.reason] == ["IM0.json"]


@pytest.mark.parametrize("syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian])
def test_the_series_is_known_in_every_byte_order(tmp_path: Path, syntax) -> None:
    for number in range(2):
        ds = dicom(number, number)
        ds.file_meta.TransferSyntaxUID = syntax
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "IM").write_bytes(dicom_bytes(ds))
    inputs = list(read_files(files_in([tmp_path])))
    assert [item.scan.slice for item in inputs if item.scan] == [0, 1]


def test_stacks_of_one_file_have_results_of_their_own(tmp_path: Path) -> None:
    """Two echoes in one enhanced file: no result overwrites another."""
    (tmp_path / "echoes.dcm").write_bytes(
        enhanced([Frame(0, place, echo) for echo in (15, 90) for place in (0, 5)])
    )
    files = [tmp_path / "echoes.dcm"]
    inputs = list(read_files(files))
    assert [(item.part, item.scan.slice) for item in inputs if item.scan] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert len({item.stem(Path("echoes")) for item in inputs}) == 4


def test_empty_and_locked_folders_are_reported(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "empty").mkdir()
    (item,) = read_files(files_in([tmp_path / "empty"]))
    assert item.reason == "This folder holds no files; name a folder with scans in it."

    def locked(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", locked)
    (item,) = read_files(files_in([tmp_path / "empty"]))
    assert item.reason and "cannot be opened (Permission denied)" in item.reason


def test_dicom_files_of_a_folder_are_read_as_a_series(tmp_path: Path, png_bytes) -> None:
    for series, folder in enumerate(("one", "two")):
        (tmp_path / folder).mkdir()
        for number in range(2):
            (tmp_path / folder / f"{number}.dcm").write_bytes(_slice(number, series))
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
