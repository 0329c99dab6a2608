"""`model.py predict`: JSON Lines, flags, rejected images and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands.steps import Run, explain, one_sentence
from tests.support.corpus import dicom, dicom_bytes
from tests.support.networks import change_card, facts_of, loosen_detector
from utils.classes import CLASSES
from utils.networks.shipped import ENSEMBLE
from utils.reading.reader import Reader
from utils.scans.decoder_process import DecoderProcess
from utils.scans.upload import read_scan_file


def test_predict_writes_one_line_an_image_in_order(run: Run, scans: Path) -> None:
    code, output, _ = run("predict", scans)
    lines = [json.loads(line) for line in output.splitlines()]
    assert code == 0
    below = [Path(line["file"]).relative_to(scans).as_posix() for line in lines]
    assert below == ["a.png", "b.png", "c.png", "more/d.png"]
    for line in lines:
        assert list(line) == [
            "file",
            "slice",
            "sequence",
            "sequence_origin",
            "plane",
            "plane_origin",
            "accepted",
            "reason",
            "flags",
            "predictions",
            "ensemble",
        ]
        assert line["ensemble"] is None  # nothing was fitted for these networks
    good, broken = lines[0], lines[1]
    assert (good["slice"], good["accepted"], good["reason"]) == (None, True, None)
    assert [prediction["model"] for prediction in good["predictions"]] == ["cnn", "vgg16"]
    for prediction in good["predictions"]:
        assert list(prediction) == ["model", "label", "probabilities"]
        assert set(prediction["probabilities"]) == set(CLASSES)
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert prediction["label"] == max(prediction["probabilities"], key=prediction["probabilities"].get)
    assert broken["accepted"] is False and broken["predictions"] == [] and broken["flags"] == []
    assert "not an image" in broken["reason"] and broken["slice"] is None


def test_predict_returns_the_readings_of_the_reader(run: Run, scans: Path, models_copy: Path) -> None:
    line = json.loads(run("predict", scans / "a.png", "--model", "cnn")[1])
    reading = Reader.load(models_copy / "cnn.keras").read(read_scan_file(scans / "a.png"))
    assert [prediction["model"] for prediction in line["predictions"]] == ["cnn"]
    assert line["predictions"][0]["label"] == reading.label
    for name, probability in line["predictions"][0]["probabilities"].items():
        assert probability == pytest.approx(reading.probability(name), abs=1e-5)


def test_predict_flags_discordant_and_low_confidence_readings(
    run: Run, scans: Path, models_copy: Path
) -> None:
    for name in ("cnn", "vgg16"):
        change_card(models_copy / f"{name}.keras", referral_threshold=1.0)
    for text in run("predict", scans)[1].splitlines():
        line = json.loads(text)
        labels = {prediction["label"] for prediction in line["predictions"]}
        assert ("unsure" in line["flags"]) == line["accepted"]
        assert ("disagree" in line["flags"]) == (len(labels) > 1)


def test_predict_keeps_the_order_of_its_arguments(run: Run, scans: Path) -> None:
    paths = [scans / "c.png", scans / "missing.png", scans / "a.png"]
    code, output, _ = run("predict", *paths)
    lines = [json.loads(line) for line in output.splitlines()]
    assert code == 0 and [line["file"] for line in lines] == [str(path) for path in paths]
    assert [line["accepted"] for line in lines] == [True, False, True]
    assert "cannot be opened" in lines[1]["reason"]


def test_predict_reads_many_batches(run: Run, tmp_path: Path, png_bytes) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(35):
        data = png_bytes(number) if number % 6 else b"broken"
        (folder / f"{number:02}.png").write_bytes(data)
    lines = [json.loads(line) for line in run("predict", folder, "--model", "cnn")[1].splitlines()]
    assert [Path(line["file"]).stem for line in lines] == [f"{number:02}" for number in range(35)]
    assert [line["accepted"] for line in lines] == [bool(number % 6) for number in range(35)]


def test_predict_writes_to_a_file(run: Run, scans: Path, tmp_path: Path) -> None:
    code, output, _ = run("predict", scans, "--output", tmp_path / "answers.jsonl")
    assert code == 0 and output == ""
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("name", ["b.png", "missing.png", "empty"])
def test_predict_fails_where_nothing_could_be_read(run: Run, scans: Path, name: str) -> None:
    (scans / "empty").mkdir()
    code, output, _ = run("predict", scans / name)
    assert code == 1
    assert all(not json.loads(line)["accepted"] for line in output.splitlines())


def test_predict_with_an_unknown_network_lists_the_known_ones(run: Run, scans: Path) -> None:
    error = one_sentence(*run("predict", scans, "--model", "resnet"))
    assert "resnet" in error and "cnn, vgg16" in error


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("cnn.keras", "python model.py train --model cnn"),
        ("vgg16.json", "python model.py train --model vgg16"),
    ],
)
def test_predict_without_a_network_file_names_it_and_the_remedy(
    run: Run, scans, models_copy, missing, remedy
) -> None:
    (models_copy / missing).unlink()
    error = one_sentence(*run("predict", scans))
    assert missing in error and "git checkout" in error and remedy in error


def test_predict_makes_the_folder_of_its_output(run: Run, scans: Path, tmp_path: Path) -> None:
    assert run("predict", scans / "a.png", "--output", tmp_path / "new" / "answers.jsonl")[0] == 0
    assert (tmp_path / "new" / "answers.jsonl").is_file()


def test_output_that_cannot_be_written_is_an_error(run: Run, scans: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in one_sentence(*run("predict", scans, "--output", tmp_path / "file" / "answers.jsonl"))
    arguments = ("--model", "cnn", "--output", tmp_path / "file")
    assert "file" in one_sentence(*run("explain", scans / "a.png", *arguments))


def test_every_slice_of_a_stack_has_its_own_line_and_files(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "series"
    folder.mkdir()
    for number in range(3):
        (folder / f"im{number}").write_bytes(dicom_bytes(dicom(number, 3 - number)))
    (folder / "report").write_bytes(dicom_bytes(dicom(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11")))
    lines = [json.loads(line) for line in run("predict", folder, "--model", "cnn")[1].splitlines()]
    assert [Path(line["file"]).name for line in lines] == ["im2", "im1", "im0", "report"]
    assert [line["slice"] for line in lines] == [0, 1, 2, None]
    assert [line["accepted"] for line in lines] == [True, True, True, False]
    assert "structured report" in lines[3]["reason"] and lines[3]["predictions"] == []
    stems = explain(run, tmp_path / "out", folder)
    assert stems == ["im0-slice002", "im1-slice001", "im2-slice000"]


def test_predict_has_no_prediction_for_a_rejected_image(
    run: Run, detector_models: Path, tmp_path: Path, png_bytes
) -> None:
    (tmp_path / "scan.png").write_bytes(png_bytes(900))
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    code, output, _ = run("predict", tmp_path / "noise.png", tmp_path / "scan.png")
    refused, read = map(json.loads, output.splitlines())
    assert code == 0 and read["accepted"] and len(read["predictions"]) == 2
    assert refused["accepted"] is False and refused["predictions"] == [] and refused["flags"] == ["refused"]
    assert "does not look like a brain MRI slice" in refused["reason"]
    assert run("predict", tmp_path / "noise.png")[0] == 1  # nothing was accepted


def test_predict_flags_what_is_unusual(run: Run, detector_models: Path, scans: Path) -> None:
    loosen_detector(detector_models / "cnn.keras")
    line = json.loads(run("predict", scans / "a.png", "--model", "cnn")[1])
    assert line["accepted"] and "unusual" in line["flags"] and len(line["predictions"]) == 1


def bright_image(file: Path) -> Path:
    """An image that the outlier classifier of `fitted_models` refuses."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), np.uint8)
    Image.fromarray(noise).save(file)
    return file


def test_predict_writes_the_answer_of_a_fitted_ensemble(run: Run, fitted_models: Path, scans: Path) -> None:
    lines = [json.loads(line) for line in run("predict", scans)[1].splitlines()]
    assert [line["ensemble"] is None for line in lines] == [not line["accepted"] for line in lines]
    for line in lines:
        if (answer := line["ensemble"]) is None:
            continue
        assert [*answer] == ["tumor_probability", "label", "probabilities", "answered"]
        probabilities = answer["probabilities"]
        assert [*probabilities] == list(CLASSES) and sum(probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert answer["label"] == max(probabilities, key=probabilities.get)
        assert answer["tumor_probability"] == pytest.approx(1 - probabilities["no_tumor"], abs=1e-5)
        labels = {answer["label"], *(prediction["label"] for prediction in line["predictions"])}
        is_confident = probabilities[answer["label"]] >= 0.3  # the referral threshold of the ensemble
        assert answer["answered"] == (len(labels) == 1 and is_confident)
    for text in run("predict", scans, "--model", "cnn")[1].splitlines():
        assert json.loads(text)["ensemble"] is None


def test_predict_refuses_what_the_outlier_classifier_does(
    run: Run, fitted_models: Path, tmp_path: Path
) -> None:
    image = bright_image(tmp_path / "bright.png")
    code, output, _ = run("predict", image)
    refused = json.loads(output)
    assert code == 1 and refused["flags"] == ["refused"] and not refused["accepted"]
    assert refused["predictions"] == [] and refused["ensemble"] is None
    outliers = facts_of(fitted_models / "unet.keras")["outliers"]
    change_card(fitted_models / "unet.keras", outliers=outliers | {"refused": 9.0})
    unusual = json.loads(run("predict", image)[1])
    assert "unusual" in unusual["flags"] and not unusual["ensemble"]["answered"]
    change_card(fitted_models / "unet.keras", outliers=None)
    assert "unusual" not in json.loads(run("predict", image)[1])["flags"]
    (fitted_models / "unet.keras").write_bytes(b"damaged")
    assert "unet.keras" in one_sentence(*run("predict", image))
    assert run("predict", image, "--model", "cnn")[0] == 0  # it has no part in this


def test_predict_does_without_a_segmentation_network_that_has_no_part(
    run: Run, fitted_models: Path, scans: Path
) -> None:
    (fitted_models / ENSEMBLE).unlink()
    change_card(fitted_models / "unet.keras", outliers=None)
    (fitted_models / "unet.keras").write_bytes(b"damaged")
    code, output, _ = run("predict", scans / "a.png")
    assert code == 0 and json.loads(output)["ensemble"] is None


@pytest.mark.parametrize(("name", "is_needed"), [("a.png", False), ("slice.dcm", True), ("missing", False)])
def test_predict_starts_the_decoder_process_early_where_it_is_needed(
    name: str, is_needed: bool, run: Run, scans: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scans / "slice.dcm").write_bytes(dicom_bytes(dicom()))
    starts: list[bool] = []
    monkeypatch.setattr(DecoderProcess, "start", lambda self: starts.append(True))
    run("predict", scans / name)
    assert starts == [True] * is_needed
