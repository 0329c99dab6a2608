"""`model.py explain`: the maps, their file names and wrong options."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands.steps import Run, explain, one_sentence, written
from tests.support.networks import change_card, facts_of
from utils.classes import CLASSES
from utils.reading.reader import Reader
from utils.scans.upload import read_scan_file


def test_explain_writes_the_evidence_on_the_scans_own_pixels(run: Run, scans, models_copy, tmp_path) -> None:
    output = tmp_path / "out"
    code, _, _ = run("explain", scans / "a.png", "--model", "cnn", "--output", output)
    assert code == 0
    assert sorted(file.name for file in output.iterdir()) == ["a.cam.npy", "a.overlay.png"]
    scan = read_scan_file(scans / "a.png")
    evidence = np.load(output / "a.cam.npy")
    assert evidence.dtype == np.float32 and evidence.shape == scan.shape and evidence.min() >= 0
    reading = Reader.load(models_copy / "cnn.keras").read(scan)
    np.testing.assert_allclose(evidence, reading.evidence(reading.label), rtol=1e-3, atol=1e-6)
    image = Image.open(output / "a.overlay.png")
    assert (image.height, image.width) == scan.shape and image.mode == "RGB"


@pytest.mark.parametrize("spelling", ["Pituitary Tumour", "pituitary", "pituitary_tumor"])
def test_explain_takes_any_spelling_of_a_class(run: Run, scans, models_copy, tmp_path, spelling) -> None:
    arguments = ("--model", "vgg16", "--class", spelling, "--output", tmp_path / "out")
    assert run("explain", scans / "a.png", *arguments)[0] == 0
    reading = Reader.load(models_copy / "vgg16.keras").read(read_scan_file(scans / "a.png"))
    evidence = np.load(tmp_path / "out" / "a.cam.npy")
    np.testing.assert_allclose(evidence, reading.evidence("pituitary"), rtol=1e-3, atol=1e-6)


def test_explain_by_another_method_and_layer(run: Run, scans, models_copy, tmp_path) -> None:
    arguments = ("--model", "cnn", "--class", "glioma", "--output", tmp_path / "out", "--method", "layercam")
    error = one_sentence(*run("explain", scans / "a.png", *arguments))
    assert "no scale" in error and "model.py calibrate" in error and "cnn and vgg16" in error
    assert not (tmp_path / "out").exists()
    for name in ("cnn", "vgg16"):
        weights = models_copy / f"{name}.keras"
        change_card(weights, evidence_scale=facts_of(weights)["evidence_scale"] | {"layercam": 0.1})
    assert run("explain", scans / "a.png", *arguments, "--layer", "stage2_block2")[0] == 0
    reader, scan = Reader.load(models_copy / "cnn.keras"), read_scan_file(scans / "a.png")
    expected = reader.explain(scan, reader.read(scan), "layercam", "stage2_block2")
    assert expected.maps.shape == (4, 8, 8)
    evidence = np.load(tmp_path / "out" / "a.cam.npy")
    np.testing.assert_allclose(evidence, expected.evidence("glioma"), rtol=1e-3, atol=1e-6)
    error = one_sentence(*run("explain", scans / "a.png", *arguments, "--layer", "logits"))
    assert "logits" in error and "stage2_block2" in error


def test_explain_refuses_an_unknown_class(run: Run, scans: Path, tmp_path: Path) -> None:
    arguments = ("--model", "cnn", "--class", "metastasis", "--output", tmp_path / "out")
    error = one_sentence(*run("explain", scans / "a.png", *arguments))
    assert "metastasis" in error and all(name in error for name in CLASSES)
    assert not (tmp_path / "out").exists()


def test_explain_keeps_folders_below_the_common_one(run: Run, tmp_path: Path, png_bytes) -> None:
    root = tmp_path / "patients"
    for name in ("one/t1/scan.png", "two/t1/scan.png"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(png_bytes(len(name)))
    assert explain(run, tmp_path / "both", root / "one", root / "two") == ["one/t1/scan", "two/t1/scan"]
    assert explain(run, tmp_path / "single", root / "one") == ["scan"]


def test_explain_does_not_overwrite_files_that_differ_in_their_suffix(run: Run, scans, tmp_path) -> None:
    Image.open(scans / "c.png").save(scans / "a.jpg")
    assert explain(run, tmp_path / "out", scans / "a.jpg", scans / "a.png") == ["a.jpg", "a.png"]
    maps = [np.load(tmp_path / "out" / f"{name}.cam.npy") for name in ("a.jpg", "a.png")]
    assert (maps[0] != maps[1]).any()


def test_explain_uses_a_repeated_path_once(run: Run, scans: Path, tmp_path: Path) -> None:
    assert explain(run, tmp_path / "out", scans / "a.png", scans / "a.png") == ["a"]


def test_explain_names_results_after_links_not_their_targets(run: Run, scans: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "patient-7.png").symlink_to(scans / "a.png")
    assert explain(run, tmp_path / "out", tmp_path / "links") == ["patient-7"]


def test_explain_reports_unreadable_files_and_continues(run: Run, scans: Path, tmp_path: Path) -> None:
    code, _, errors = run("explain", scans, "--model", "cnn", "--output", tmp_path / "out")
    assert code == 0 and written(tmp_path / "out") == ["a", "c", "more/d"]
    assert "b.png" in errors and "not an image" in errors
    assert run("explain", scans / "b.png", "--model", "cnn", "--output", tmp_path / "none")[0] == 1


def test_overlay_shows_the_scan_under_the_evidence(run: Run, scans: Path, tmp_path: Path) -> None:
    run("explain", scans / "a.png", "--model", "cnn", "--output", tmp_path / "out")
    image = np.asarray(Image.open(io.BytesIO((tmp_path / "out" / "a.overlay.png").read_bytes())), np.float32)
    evidence = np.load(tmp_path / "out" / "a.cam.npy")
    plain = read_scan_file(scans / "a.png").pixels * 255
    without = evidence == 0
    assert without.any()
    np.testing.assert_allclose(image[without], np.repeat(plain[without][:, None], 3, axis=1), atol=1)
