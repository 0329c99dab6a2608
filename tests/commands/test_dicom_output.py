"""`model.py predict --dicom-output` and `model.py objects`."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
import pytest

from tests.commands.steps import Run, one_sentence
from tests.support import mr_series
from tests.support.mr_series import BrightSpots, Drawn
from tests.support.networks import write_card
from utils.reading.segmenter import Segmenter
from utils.reports.dicom.kinds import KINDS


@pytest.fixture
def folder(tmp_path: Path, png_bytes) -> Path:
    """A folder with a series of four files, an enhanced file, and a PNG."""
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    for name, data in mr_series.series(Drawn()):
        (folder / name).write_bytes(data)
    for name, data in mr_series.enhanced(Drawn(mr_series.SAGITTAL)):
        (folder / "b" / name).write_bytes(data)
    (folder / "z.png").write_bytes(png_bytes(1))
    return folder


@pytest.fixture
def outlines(monkeypatch: pytest.MonkeyPatch, models_copy: Path) -> None:
    """Bright spots are outlined; the small networks have no segmentation network."""
    weights = models_copy / "unet.keras"
    weights.touch()
    write_card(weights, BrightSpots.card.model_dump(mode="json", exclude_unset=True, exclude={"file"}))
    monkeypatch.setattr(Segmenter, "load", lambda weights: BrightSpots())


def read_of(output: str) -> list[tuple[str, int | None, list[str]]]:
    """File, slice and labels of each line: probabilities may differ in the last digit between batches."""
    lines = [json.loads(line) for line in output.splitlines()]
    return [(line["file"], line["slice"], [each["label"] for each in line["predictions"]]) for line in lines]


def test_predict_writes_objects_beside_the_lines(run: Run, folder: Path, tmp_path: Path, outlines) -> None:
    plain = run("predict", folder)[1]
    code, output, errors = run("predict", folder, "--dicom-output", tmp_path / "out")
    assert code == 0 and read_of(output) == read_of(plain)
    made = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*.dcm"))
    assert made == ["0.seg.dcm", "0.sr.dcm", "b/enhanced.seg.dcm", "b/enhanced.sr.dcm"]
    assert "z.png: no DICOM results" in errors and errors.count("\n") == 1
    listed = [json.loads(line) for line in run("objects", tmp_path / "out", folder)[1].splitlines()]
    uids = {str(pydicom.dcmread(tmp_path / "out" / name).SOPInstanceUID) for name in made}
    assert {line["sop_instance_uid"] for line in listed} == uids and len(listed) == 4
    assert {line["kind"] for line in listed} == {"seg", "sr"}


def test_one_network_is_outlined_too(run: Run, folder: Path, tmp_path: Path, outlines) -> None:
    assert run("predict", folder / "b", "--model", "cnn", "--dicom-output", tmp_path / "out")[0] == 0
    assert {file.name for file in (tmp_path / "out").iterdir()} == {"enhanced.seg.dcm", "enhanced.sr.dcm"}


def test_all_kinds_and_a_repeat_gives_the_same_uids(run: Run, folder: Path, tmp_path: Path, outlines) -> None:
    listed = []
    for output in (tmp_path / "first", tmp_path / "second"):
        assert run("predict", *folder.glob("*.dcm"), "--dicom-output", output, "--kinds", *KINDS)[0] == 0
        lines = [json.loads(line) for line in run("objects", output)[1].splitlines()]
        listed.append({line["kind"]: line["sop_instance_uid"] for line in lines})
    assert listed[0] == listed[1] and [*listed[0]] == sorted(KINDS)


def test_without_segmentation_network_there_is_the_report_alone(
    run: Run, folder: Path, tmp_path: Path, models_copy
) -> None:
    assert run("predict", folder / "b", "--dicom-output", tmp_path / "out")[0] == 0
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["enhanced.sr.dcm"]


def test_options_that_do_not_fit(run: Run, folder: Path, tmp_path: Path, models_copy) -> None:
    assert "--dicom-output" in one_sentence(*run("predict", folder, "--kinds", "seg"))
    (tmp_path / "file").touch()
    assert "cannot be written" in one_sentence(*run("predict", folder, "--dicom-output", tmp_path / "file"))


def test_objects_lists_nothing_else(run: Run, folder: Path) -> None:
    assert run("objects", folder, folder / "missing") == (1, "", "")
