"""Reviewed cases become class folders that a network can be trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cases import case
from tests.support.corpus import dicom, dicom_bytes
from utils.cases.class_folders import file_stems, write_class_folders
from utils.cases.reviews import LONGEST_NAME
from utils.classes import CLASSES
from utils.datasets.protocols import split_samples
from utils.datasets.samples import load_samples
from utils.datasets.tables import DatasetError
from utils.paths import file_sha256
from utils.scans.upload import read_scan, read_scan_file


def test_what_is_written_can_be_trained_on(class_folders: Path, tmp_path: Path) -> None:
    cases = []
    for number, file in enumerate(sorted(class_folders.rglob("*.png")), 1):
        label = CLASSES[(number - 1) // 8]  # the folders are in this order too
        verdict = ("agree", None) if label == "glioma" else ("disagree", label)
        cases.append(case(file.read_bytes(), f"Scan {number}", *verdict))
    output = tmp_path / "labelled"
    written = write_class_folders(cases, class_folders, output)
    assert written.counts == dict.fromkeys(CLASSES, 8)
    assert written.unlabelled == written.missing == written.unusable == ()
    samples = load_samples(output)
    assert samples.attrs["unreadable"] == [] and len(samples) == 32
    sha_of = {case.name: case.sha256 for case in cases}
    label_of = {case.name: case.label for case in cases}
    for path, label in zip(samples["path"], samples["label"], strict=True):
        assert sha_of[Path(path).stem] == file_sha256(Path(path)) and label_of[Path(path).stem] == label
    assert set(split_samples(samples, "folder")["part"]) == {"train", "validation", "test"}


def test_cases_that_are_left_out_are_listed(originals: Path, tmp_path: Path, png_bytes) -> None:
    labelled, unsure, text = png_bytes(1), png_bytes(2), b"no picture"
    (originals / "below" / "Doe^Jane.png").write_bytes(labelled)
    (originals / "unsure.png").write_bytes(unsure)
    (originals / "other.png").write_bytes(png_bytes(3))  # has no case
    (originals / "text.png").write_bytes(text)
    cases = [case(labelled, "Scan 1"), case(unsure, "Scan 2", "unsure"), case(png_bytes(4), "Scan 3")]
    written = write_class_folders([*cases, case(text, "Scan 4")], originals, tmp_path / "labelled")
    assert written.counts == {"glioma": 1, "meningioma": 0, "no_tumor": 0, "pituitary": 0}
    assert (written.unlabelled, written.missing) == (("Scan 2",), ("Scan 3",))
    assert len(written.unusable) == 1 and written.unusable[0].startswith("Scan 4: This ")
    files = [file for file in (tmp_path / "labelled").rglob("*") if file.is_file()]
    assert files == [tmp_path / "labelled" / "glioma" / "Scan 1.png"] and files[0].read_bytes() == labelled


def test_dicom_slices_become_pictures_without_their_header(originals: Path, tmp_path: Path) -> None:
    single, stack = (
        dicom_bytes(dicom(1)),
        dicom_bytes(dicom(2, NumberOfFrames=3, PixelData=3 * dicom(2).PixelData)),
    )
    (originals / "slice").write_bytes(single)
    (originals / "stack.dcm").write_bytes(stack)
    written = write_class_folders(
        [case(single, "Scan 1"), case(stack, "Scan 2")], originals, tmp_path / "labelled"
    )
    assert written.counts["glioma"] == 1
    assert written.unusable == ("Scan 2: This file is a stack of 3 slices, not a single image.",)
    file = tmp_path / "labelled" / "glioma" / "Scan 1.png"
    assert b"Secret" in single and b"Secret" not in file.read_bytes()
    difference = read_scan_file(file).pixels - read_scan(single, "slice").pixels
    assert np.abs(difference).max() <= 0.51 / 255


def test_files_of_a_name_stand_beside_each_other(originals: Path, tmp_path: Path, png_bytes) -> None:
    cases = []
    for seed, name in enumerate(("Scan 1", "scan 1", "../a/b", "CON")):
        (originals / f"{seed}.png").write_bytes(png_bytes(seed))
        cases.append(case(png_bytes(seed), name))
    write_class_folders(cases, originals, tmp_path / "labelled")
    names = sorted(file.name for file in (tmp_path / "labelled" / "glioma").iterdir())
    assert names == ["Scan 1.png", "_CON.png", "___a_b.png", "scan 1 (2).png"]


@pytest.mark.parametrize("inside", ["labelled/file", "labelled"])
def test_folder_with_something_in_it_is_left_alone(originals: Path, tmp_path: Path, inside: str) -> None:
    (tmp_path / inside).parent.mkdir(exist_ok=True)
    (tmp_path / inside).write_text("mine")
    with pytest.raises(DatasetError, match="is not empty"):
        write_class_folders([], originals, tmp_path / "labelled")
    assert (tmp_path / inside).read_text() == "mine"


def test_originals_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing is not a folder"):
        write_class_folders([], tmp_path / "missing", tmp_path / "labelled")


@settings(max_examples=25)
@given(st.lists(st.text(max_size=LONGEST_NAME), max_size=5))
def test_any_names_become_different_file_names_in_one_folder(names: list[str]) -> None:
    stems = file_stems([*names, *names])
    assert len({stem.casefold() for stem in stems}) == len(stems) == 2 * len(names)
    for stem in stems:
        assert Path(f"{stem}.png").name == f"{stem}.png" and len(f"{stem}.jpeg".encode()) <= 255
        assert not stem.startswith(".") and stem == stem.strip() and stem.isprintable()


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Scan 1", "Scan 1"),
        ("links-frontal (2)", "links-frontal (2)"),
        ("Schläfe 左", "Schläfe 左"),
        ("a/b\\c:d..", "a_b_c_d__"),
        ("..", "__"),
        ("／etc", "_etc"),
        ("", "_"),
        ("lpt¹", "_lpt1"),
        ("nul.png", "nul_png"),
    ],
)
def test_file_name_of_a_case(name: str, stem: str) -> None:
    assert file_stems([name]) == [stem]


def test_label_that_is_no_output_class_is_left_out(originals: Path, tmp_path: Path, png_bytes) -> None:
    (originals / "a.png").write_bytes(png_bytes(1))
    cases = [case(png_bytes(1), "Scan 1", "disagree", "metastasis")]
    written = write_class_folders(cases, originals, tmp_path / "labelled")
    assert set(written.counts.values()) == {0} and written.unlabelled == ("Scan 1",)
