"""The command line, run in this process: what it writes, in which words it refuses, and its exit codes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import model
from tests.support.corpus import dicom, dicom_bytes
from utils.classes import CLASSES
from utils.commands import arguments
from utils.commands.arguments import CommandError
from utils.commands.runs import check_forerunner
from utils.datasets.duplicates import hash_files
from utils.datasets.protocols import PROTOCOLS
from utils.metrics.classification import CLASS_FIGURES, OVERALL_FIGURES
from utils.networks.cards import TOGETHER, Card, common_threshold, load_card
from utils.reading.reader import Reader
from utils.results.records import load_subtypes, read_evaluations
from utils.scans.upload import read_scan_file
from utils.training import batches, loop, recipes
from utils.training.recipes import Phase, Recipe

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scans(tmp_path: Path, png_bytes: Callable[[int], bytes]) -> Path:
    """A folder with two scans, a broken file between them, a hidden file, and a third scan in a folder below."""
    folder = tmp_path / "scans"
    (folder / "more").mkdir(parents=True)
    for name, seed in (("a.png", 1), ("c.png", 2), ("more/d.png", 3), (".hidden.png", 4)):
        (folder / name).write_bytes(png_bytes(seed))
    (folder / "b.png").write_bytes(b"This is no picture")
    return folder


def one_sentence(code: int, output: str, errors: str) -> str:
    """What a refused command says."""
    assert code == 2 and output == ""
    lines = errors.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


# predict


def test_predict_writes_one_line_an_image_in_order(run: Run, scans: Path) -> None:
    code, output, _ = run("predict", scans)
    lines = [json.loads(line) for line in output.splitlines()]
    assert code == 0
    below = [Path(line["file"]).relative_to(scans).as_posix() for line in lines]
    assert below == ["a.png", "b.png", "c.png", "more/d.png"]
    for line in lines:
        assert list(line) == ["file", "slice", "accepted", "reason", "flags", "predictions"]
    good, broken = lines[0], lines[1]
    assert (good["slice"], good["accepted"], good["reason"]) == (None, True, None)
    assert [said["model"] for said in good["predictions"]] == ["cnn", "vgg16"]
    for said in good["predictions"]:
        assert list(said) == ["model", "label", "probabilities"]
        assert set(said["probabilities"]) == set(CLASSES)
        assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert said["label"] == max(said["probabilities"], key=said["probabilities"].get)
    assert broken["accepted"] is False and broken["predictions"] == [] and broken["flags"] == []
    assert "not an image" in broken["reason"] and broken["slice"] is None


def test_predict_says_what_the_reader_says(run: Run, scans: Path, models_copy: Path) -> None:
    line = json.loads(run("predict", scans / "a.png", "--model", "cnn")[1])
    reading = Reader.load(models_copy / "cnn.keras").read(read_scan_file(scans / "a.png"))
    assert [said["model"] for said in line["predictions"]] == ["cnn"]
    assert line["predictions"][0]["label"] == reading.label
    for name, probability in line["predictions"][0]["probabilities"].items():
        assert probability == pytest.approx(reading.probability(name), abs=1e-5)


def test_predict_flags_disagreement_and_doubt(run: Run, scans: Path, models_copy: Path) -> None:
    for name in ("cnn", "vgg16"):
        card = load_card(models_copy / f"{name}.keras")
        card.facts["referral_threshold"] = 1.0
        card.save()
    for text in run("predict", scans)[1].splitlines():
        line = json.loads(text)
        labels = {said["label"] for said in line["predictions"]}
        assert ("unsure" in line["flags"]) == line["accepted"]
        assert ("disagree" in line["flags"]) == (len(labels) > 1)


def test_predict_keeps_the_order_of_its_arguments(run: Run, scans: Path) -> None:
    given = [scans / "c.png", scans / "missing.png", scans / "a.png"]
    code, output, _ = run("predict", *given)
    lines = [json.loads(line) for line in output.splitlines()]
    assert code == 0 and [line["file"] for line in lines] == [str(path) for path in given]
    assert [line["accepted"] for line in lines] == [True, False, True]
    assert "cannot be opened" in lines[1]["reason"]


def test_predict_goes_on_over_many_batches(run: Run, tmp_path: Path, png_bytes) -> None:
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


def test_predict_with_an_unknown_network_names_those_there_are(run: Run, scans: Path) -> None:
    said = one_sentence(*run("predict", scans, "--model", "resnet"))
    assert "resnet" in said and "cnn, vgg16" in said


@pytest.mark.parametrize("missing", ["cnn.keras", "vgg16.json"])
def test_predict_without_a_network_file_names_it_and_the_command(
    run: Run, scans, models_copy, missing
) -> None:
    (models_copy / missing).unlink()
    said = one_sentence(*run("predict", scans))
    assert missing in said and "python model.py train --model" in said


def test_predict_makes_the_folder_of_its_output(run: Run, scans: Path, tmp_path: Path) -> None:
    assert run("predict", scans / "a.png", "--output", tmp_path / "new" / "answers.jsonl")[0] == 0
    assert (tmp_path / "new" / "answers.jsonl").is_file()


def test_output_that_cannot_be_written_is_told(run: Run, scans: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "file" in one_sentence(*run("predict", scans, "--output", tmp_path / "file" / "answers.jsonl"))
    arguments = ("--model", "cnn", "--output", tmp_path / "file")
    assert "file" in one_sentence(*run("explain", scans / "a.png", *arguments))


# explain


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
    picture = Image.open(output / "a.overlay.png")
    assert (picture.height, picture.width) == scan.shape and picture.mode == "RGB"


@pytest.mark.parametrize("spelling", ["Pituitary Tumour", "pituitary", "pituitary_tumor"])
def test_explain_takes_any_spelling_of_a_class(run: Run, scans, models_copy, tmp_path, spelling) -> None:
    arguments = ("--model", "vgg16", "--class", spelling, "--output", tmp_path / "out")
    assert run("explain", scans / "a.png", *arguments)[0] == 0
    reading = Reader.load(models_copy / "vgg16.keras").read(read_scan_file(scans / "a.png"))
    evidence = np.load(tmp_path / "out" / "a.cam.npy")
    np.testing.assert_allclose(evidence, reading.evidence("pituitary"), rtol=1e-3, atol=1e-6)


def test_explain_by_another_method_and_layer(run: Run, scans, models_copy, tmp_path) -> None:
    arguments = ("--model", "cnn", "--class", "glioma", "--output", tmp_path / "out", "--method", "layercam")
    said = one_sentence(*run("explain", scans / "a.png", *arguments))
    assert "no scale" in said and "model.py calibrate" in said and "cnn and vgg16" in said
    assert not (tmp_path / "out").exists()
    for name in ("cnn", "vgg16"):
        card = load_card(models_copy / f"{name}.keras")
        card.facts["evidence_scale"]["layercam"] = 0.1
        card.save()
    assert run("explain", scans / "a.png", *arguments, "--layer", "stage2_block2")[0] == 0
    reader, scan = Reader.load(models_copy / "cnn.keras"), read_scan_file(scans / "a.png")
    expected = reader.explain(scan, reader.read(scan), "layercam", "stage2_block2")
    assert expected.maps.shape == (4, 8, 8)
    evidence = np.load(tmp_path / "out" / "a.cam.npy")
    np.testing.assert_allclose(evidence, expected.evidence("glioma"), rtol=1e-3, atol=1e-6)
    said = one_sentence(*run("explain", scans / "a.png", *arguments, "--layer", "logits"))
    assert "logits" in said and "stage2_block2" in said


def test_explain_refuses_an_unknown_class(run: Run, scans: Path, tmp_path: Path) -> None:
    arguments = ("--model", "cnn", "--class", "metastasis", "--output", tmp_path / "out")
    said = one_sentence(*run("explain", scans / "a.png", *arguments))
    assert "metastasis" in said and all(name in said for name in CLASSES)
    assert not (tmp_path / "out").exists()


def written(output: Path) -> list[str]:
    """The evidence maps below a folder, as STEM."""
    files = (file.relative_to(output).as_posix() for file in output.rglob("*.cam.npy"))
    return sorted(file.removesuffix(".cam.npy") for file in files)


def explain(run: Run, output: Path, *paths: Path) -> list[str]:
    assert run("explain", *paths, "--model", "cnn", "--output", output)[0] == 0
    return written(output)


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


def test_explain_takes_a_file_that_is_given_twice_once(run: Run, scans: Path, tmp_path: Path) -> None:
    assert explain(run, tmp_path / "out", scans / "a.png", scans / "a.png") == ["a"]


def test_explain_names_links_as_they_were_given(run: Run, scans: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "patient-7.png").symlink_to(scans / "a.png")
    assert explain(run, tmp_path / "out", tmp_path / "links") == ["patient-7"]


def test_explain_tells_what_it_could_not_read_and_goes_on(run: Run, scans: Path, tmp_path: Path) -> None:
    code, _, errors = run("explain", scans, "--model", "cnn", "--output", tmp_path / "out")
    assert code == 0 and written(tmp_path / "out") == ["a", "c", "more/d"]
    assert "b.png" in errors and "not an image" in errors
    assert run("explain", scans / "b.png", "--model", "cnn", "--output", tmp_path / "none")[0] == 1


def test_slices_of_stacks_have_a_line_and_a_name_each(run: Run, tmp_path: Path) -> None:
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


# data


def test_data_prints_the_audit(run: Run, class_folders: Path) -> None:
    (class_folders / "Glioma" / "broken.png").write_bytes(b"no picture")
    code, output, _ = run("data", "--data", class_folders)
    assert code == 0
    for needed in (*CLASSES, "total", "1-NN accuracy", "mirrored", "broken.png", "32"):
        assert needed in output


@pytest.mark.parametrize("command", ["data", "train", "evaluate"])
@pytest.mark.parametrize("name", ["nowhere", "file.txt", "empty", "other"])
def test_folder_that_holds_no_set_is_told_in_a_sentence(
    run: Run, models_copy, tmp_path, command, name
) -> None:
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other" / "knees").mkdir(parents=True)
    options: list = [] if command == "data" else ["--model", "cnn", "--protocol", "folder"]
    options += ["--weights", models_copy / "cnn.keras"] if command == "evaluate" else []
    assert name in one_sentence(*run(command, *options, "--data", tmp_path / name))


def test_data_asks_which(run: Run) -> None:
    assert "--data DIR" in one_sentence(*run("data"))


def test_protocol_that_the_data_do_not_fit_is_told(run: Run, class_folders: Path) -> None:
    for protocol in ("patient-disjoint", "published"):
        code, _, errors = run(
            "train", "--model", "cnn", "--protocol", protocol, "--data", class_folders, "--sets", "own"
        )
        assert code == 2 and len(errors.strip().splitlines()) == 1


# train and evaluate


def test_networks_are_calibrated_together(run: Run, class_folders, models_copy) -> None:
    code, said, _ = run("calibrate", "--protocol", "folder", "--data", class_folders)
    record = json.loads((models_copy / TOGETHER).read_text())
    assert code == 0 and said.startswith("cnn and vgg16 together: an answer from ")
    versions = {name: load_card(models_copy / f"{name}.keras").version for name in ("cnn", "vgg16")}
    assert record["weights_sha256"] == versions and record["validation"]["n"] > 0
    assert common_threshold(models_copy) == record["referral_threshold"]


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("cnn", phases=(Phase("only", 32, 2, 1e-3),), batch_size=8)
    monkeypatch.setitem(recipes.RECIPES, "cnn", recipe)


FOLDER = ("--model", "cnn", "--protocol", "folder", "--data")


def test_train_and_evaluate_a_folder(run: Run, small_recipe, class_folders, models_copy, tmp_path) -> None:
    assert run("train", *FOLDER, class_folders, "--seed", 3)[0] == 0
    weights = models_copy / "folder" / "cnn.keras"
    facts = load_card(weights).facts
    assert not Path("runs/folder/cnn").exists()
    promised = (
        "licence",
        "training_data",
        "command",
        "versions",
        "date",
        "temperature",
        "evidence_scale",
        "history",
    )
    assert all(facts[name] for name in promised)
    assert facts["classes"] == list(CLASSES) and facts["input_size"] == 32
    assert (facts["task"], facts["protocol"], facts["seed"]) == ("four-class", "folder", 3)
    assert facts["evidence_layer"] and 0 <= facts["referral_threshold"] <= 1
    assert facts["command"] == "python model.py train --model cnn --protocol folder --data DIR --seed 3"
    assert str(tmp_path) not in json.dumps(facts)
    counted = pd.DataFrame(facts["training_data"])
    assert set(counted["part"]) == {"train", "validation"} and counted["source"].unique().tolist() == ["own"]
    assert [epoch["epoch"] for epoch in facts["history"]] == [1, 2]
    assert facts["openings"] == [] and facts["figures"] == {}

    copy = tmp_path / "figures.json"
    code, output, _ = run("evaluate", *FOLDER, class_folders, "--json", copy)
    assert code == 0 and "accuracy" in output and "1-nn" in output
    folder = models_copy / "evaluation"
    result = json.loads((folder / "cnn--folder.json").read_text())
    assert json.loads(copy.read_text()) == result
    for name in OVERALL_FIGURES:
        assert name in result and f"{name}_interval" in result
    low, high = result["accuracy_interval"]
    assert low <= result["accuracy"] <= high
    for name in CLASSES:
        assert set(result["classes"][name]) >= {"n", *CLASS_FIGURES}
    assert (result["model"], result["protocol"]) == ("cnn", "folder")
    assert result["weights_sha256"] == load_card(weights).version
    assert np.sum(result["confusion"]) == result["n"]
    assert int(counted["images"].sum()) + result["n"] == 32
    predictions = pd.read_csv(folder / "cnn--folder.csv")
    columns = [
        "file",
        "source",
        "sequence",
        "group",
        "target",
        "label",
        *CLASSES,
        *(f"logit_{name}" for name in CLASSES),
    ]
    assert predictions.columns.tolist() == columns and len(predictions) == result["n"]
    assert (predictions["label"] == predictions[list(CLASSES)].idxmax(axis=1)).all()
    assert predictions[list(CLASSES)].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    neighbour = json.loads((folder / "1-nn--folder.json").read_text())
    assert neighbour["n"] == result["n"] and neighbour["auc"] is None

    after = load_card(weights).facts
    assert [(opening["protocol"], opening["n"]) for opening in after["openings"]] == [("folder", result["n"])]
    assert after["figures"]["folder"]["accuracy"] == result["accuracy"]
    run("evaluate", *FOLDER, class_folders)
    assert len(load_card(weights).facts["openings"]) == 2

    card = load_card(weights)
    fitted = card.facts["temperature"]
    card.facts["temperature"] = 9.0
    card.save()
    code, output, _ = run("calibrate", *FOLDER, class_folders)
    assert code == 0 and str(fitted) in output
    assert load_card(weights).facts["temperature"] == fitted
    assert "gate: unusual above" in output
    assert load_card(weights).facts["novelty"] == after["novelty"]
    with np.load(weights.with_suffix(".npz"), allow_pickle=False) as archive:
        assert "picture_hashes" in archive and "novelty_factor" in archive

    assert run("train", *FOLDER, class_folders, "--seed", 4)[0] == 0  # retrained: the log of openings stays
    facts = load_card(weights).facts
    assert [opening["weights_sha256"] for opening in facts["openings"]] == 2 * [result["weights_sha256"]]
    assert facts["weights_sha256"] != result["weights_sha256"] and facts["figures"] == {}


def test_explanations_are_measured_against_masks(run: Run, masked_set, models_copy, tmp_path) -> None:
    arguments = ("evaluate", "--model", "cnn", "--data", masked_set)
    weights, folder = models_copy / "cnn.keras", models_copy / "evaluation"
    code, output, _ = run(*arguments, "--explanations", "--part", "validation")
    assert code == 0 and "Score-CAM" in output and "6 tumour scans, and on 2 without tumour" in output
    assert load_card(weights).facts["openings"] == []
    assert (folder / "cnn--patient-disjoint--explanations--validation.json").is_file()
    assert run(*arguments, "--explanations", "--json", tmp_path / "new" / "copy.json")[0] == 0
    result = json.loads((folder / "cnn--patient-disjoint--explanations.json").read_text())
    assert json.loads((tmp_path / "new" / "copy.json").read_text()) == result
    assert result["part"] == "test" and result["weights_sha256"] == load_card(weights).version
    (opening,) = load_card(weights).facts["openings"]
    assert (opening["protocol"], opening["n"]) == ("patient-disjoint, explanations", 8)

    copy = tmp_path / "robustness.json"
    code, output, _ = run(*arguments, "--robustness", "--part", "validation", "--json", copy)
    assert code == 0 and "inverted" in output
    assert (folder / "cnn.robustness.validation.json").read_text() == copy.read_text()
    assert not (folder / "cnn.robustness.json").exists()
    assert "networks" in one_sentence(
        *run("evaluate", "--model", "1-nn", "--data", masked_set, "--explanations")
    )
    assert "no layer logits" in one_sentence(*run(*arguments, "--explanations", "--layer", "logits"))
    table = pd.read_csv(masked_set / "manifest.csv")
    table.assign(mask="").to_csv(masked_set / "manifest.csv", index=False)
    assert "mask" in one_sentence(*run(*arguments, "--explanations"))
    assert len(load_card(weights).facts["openings"]) == 1


def test_unfinished_run_with_other_arguments_is_not_gone_on_with(
    run: Run, class_folders, monkeypatch
) -> None:
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "train", stop)
    (Path("runs") / "folder" / "cnn").mkdir(parents=True)
    other = {"model": "cnn", "protocol": "folder", "seed": "1"}
    (Path("runs") / "folder" / "cnn" / "arguments.json").write_text(json.dumps(other))
    said = one_sentence(*run("train", *FOLDER, class_folders))
    assert "--restart" in said and "unfinished" in said
    for restart in (["--restart"], []):  # from then on it is the run of these arguments
        with pytest.raises(KeyboardInterrupt):
            run("train", *FOLDER, class_folders, *restart)


def test_stopped_run_is_gone_on_with(
    run: Run, small_recipe, quick_cnn, class_folders, models_copy, monkeypatch
) -> None:
    from utils.training import release

    stopped = release.release

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(release, "release", stop)
    with pytest.raises(KeyboardInterrupt):
        run("train", *FOLDER, class_folders)
    assert Path("runs/folder/cnn/state.json").is_file()
    monkeypatch.setattr(release, "release", stopped)
    monkeypatch.setattr(
        batches.TrainingSet, "epoch_rows", None
    )  # both epochs are done: none is trained again
    assert run("train", *FOLDER, class_folders)[0] == 0
    assert (models_copy / "folder" / "cnn.keras").is_file()


def test_pictures_that_were_trained_on_are_refused_also_mirrored(
    run: Run, class_folders, models_copy
) -> None:
    seen = class_folders / "Glioma" / "0.png"
    archive = models_copy / "cnn.npz"
    np.savez_compressed(archive, picture_hashes=hash_files([str(seen)])[0])
    arguments = (*FOLDER, class_folders, "--weights", models_copy / "cnn.keras")
    said = one_sentence(*run("evaluate", *arguments))
    assert "1 of the 32" in said and "Glioma/0.png" in said and "cnn.keras" in said
    Image.open(seen).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        class_folders / "Glioma" / "mirrored.png"
    )
    seen.unlink()
    assert "Glioma/mirrored.png" in one_sentence(*run("evaluate", *arguments))
    assert load_card(models_copy / "cnn.keras").facts["openings"] == []
    (class_folders / "Glioma" / "mirrored.png").unlink()
    assert run("evaluate", *arguments)[0] == 0
    result = json.loads((models_copy / "evaluation" / "cnn--folder.json").read_text())
    assert result["n"] == 31  # every picture of a folder that the weights have never seen
    assert not (models_copy / "evaluation" / "1-nn--folder.json").exists()


def test_without_the_hashes_of_its_training_pictures_a_network_is_not_measured(
    run: Run, class_folders, models_copy
):
    said = one_sentence(*run("evaluate", *FOLDER, class_folders, "--weights", models_copy / "cnn.keras"))
    assert "cnn.npz" in said


def published_set(root: Path, draw_brain) -> Path:
    """A set like Nickparvar's as it is published: no manifest, Training and Testing."""
    for part, count in (("Training", 21), ("Testing", 2)):
        for number, name in enumerate(("glioma", "meningioma", "notumor", "pituitary")):
            folder = root / "kaggle" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = draw_brain(64, 60, seed=1000 * number + 100 * len(part) + index)
                Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(folder / f"{index}.jpg")
    return root


def test_weights_of_another_protocol_are_refused_with_the_reason(
    run: Run, models_copy, tmp_path, draw_brain
) -> None:
    root = published_set(tmp_path / "data", draw_brain)
    arguments = ("--model", "cnn", "--protocol", "published", "--data", root)
    said = one_sentence(*run("evaluate", *arguments, "--weights", models_copy / "cnn.keras"))
    assert "trained under the patient-disjoint protocol" in said and "published" in said
    assert not (models_copy / "evaluation").exists()
    said = one_sentence(*run("evaluate", *arguments))  # the weights of that protocol are not there
    assert "published/cnn" in said and "train --model cnn --protocol published" in said


def test_published_protocol_trains_and_is_measured_on_testing(
    run: Run, small_recipe, quick_cnn, models_copy, tmp_path, draw_brain
):
    root = published_set(tmp_path / "data", draw_brain)
    arguments = ("--model", "cnn", "--protocol", "published", "--data", root)
    assert run("train", *arguments)[0] == 0
    assert run("evaluate", *arguments)[0] == 0
    predictions = pd.read_csv(models_copy / "evaluation" / "cnn--published.csv")
    assert len(predictions) == 8 and predictions["file"].str.startswith("Testing/").all()
    assert predictions["source"].unique().tolist() == ["nickparvar"]


def test_finer_types_are_trained_and_measured_on_both_parts(
    run: Run, small_recipe, quick_cnn, models_copy, tmp_path, draw_brain
) -> None:
    rows = []
    for number in range(24):
        label = ("Astrocitoma T1", "Papiloma T2", "_NORMAL T1", "_NORMAL T2")[number % 4]
        file = tmp_path / "data" / "feltrin44" / label / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(255 * draw_brain(120 + number, 110, seed=number)).astype(np.uint8)).save(file)
        rows.append({"file": f"{label}/{file.name}", "label": label, "duplicate_group": number, "group": number,
                     "fold": number // 8})  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "data" / "feltrin44" / "manifest.csv", index=False)
    arguments = ("--model", "cnn", "--protocol", "feltrin44", "--data", tmp_path / "data")
    said = one_sentence(*run("train", *arguments, "--teacher", models_copy / "cnn.keras"))
    assert said == "error: The teacher answers with 4 classes, the network with 4 others."
    assert run("train", *arguments)[0] == 0
    assert run("evaluate", *arguments, "--part", "validation")[0] == 0
    weights = models_copy / "feltrin44" / "cnn.keras"
    assert load_card(weights).facts["openings"] == []
    assert "novelty" not in load_card(weights).facts, "scans come through the gate of the four-class networks"
    assert run("evaluate", *arguments)[0] == 0
    assert load_card(weights).facts["figures"]["feltrin44"]["top_3_accuracy"] is not None
    records = load_subtypes(models_copy / "evaluation", PROTOCOLS.values(), "cnn")
    assert {key: record["n"] for key, record in records.items()} == {
        ("feltrin44", "test"): 8, ("feltrin44", "validation"): 8,
    }  # fmt: skip
    assert list(records["feltrin44", "test"]["classes"]) == sorted({str(row["label"]) for row in rows})
    assert read_evaluations(models_copy / "evaluation", PROTOCOLS.values()) == (
        [],
        [],
    )  # no four classes

    card = load_card(weights)
    card.facts["sources"] = ["feltrin44", "lgg"]
    card.save()
    assert run("train", *arguments, "--base-weights", weights, "--output", tmp_path / "next")[0] == 0
    licence = load_card(tmp_path / "next" / "cnn.keras").facts["licence"]
    assert "CC BY-NC-SA" in licence, "what the network that it began with had learned from counts too"


def test_json_makes_its_folder(run: Run, class_folders, models_copy, tmp_path) -> None:
    np.savez_compressed(models_copy / "cnn.npz", picture_hashes=np.zeros((1, 32), np.uint8))
    arguments = (*FOLDER, class_folders, "--weights", models_copy / "cnn.keras")
    assert run("evaluate", *arguments, "--json", tmp_path / "new" / "figures.json")[0] == 0
    assert json.loads((tmp_path / "new" / "figures.json").read_text())["n"] == 32


@pytest.mark.parametrize(
    ("option", "what"), [("--teacher", "teacher"), ("--base-weights", "network to start from")]
)
def test_what_may_know_test_images_hands_nothing_on(
    run: Run, class_folders: Path, tiny_models: Path, option: str, what: str
) -> None:
    weights = tiny_models / "cnn.keras"  # of the patient-disjoint protocol
    arguments = ("--model", "cnn", "--protocol", "folder", "--data", class_folders, option, weights)
    said = one_sentence(*run("train", *arguments))
    assert f"The {what} was trained under the patient-disjoint protocol" in said


@pytest.mark.parametrize(
    ("protocol", "sources", "protocol_wanted", "knows_test_images"),
    [
        ("patient-disjoint", ["nickparvar"], "patient-disjoint", False),
        ("patient-disjoint", ["nickparvar"], "leave-one-source-out-lgg", False),
        ("patient-disjoint", ["lgg", "nickparvar"], "leave-one-source-out-lgg", True),
        ("published", ["nickparvar"], "leave-one-source-out-lgg", True),
        ("leave-one-source-out-lgg", ["nickparvar"], "patient-disjoint", False),
        ("leave-one-source-out-lgg", ["feltrin44"], "leave-one-source-out-feltrin44", True),
        ("published", ["nickparvar"], "patient-disjoint", True),
        ("patient-disjoint", ["feltrin44", "nickparvar"], "feltrin44", False),
        ("patient-disjoint", ["feltrin44", "nickparvar"], "feltrin44-random", True),
        ("leave-one-source-out-feltrin44", ["nickparvar"], "feltrin44-random", False),
        ("feltrin44-random", ["feltrin44"], "feltrin44", True),
        ("patient-disjoint", ["nickparvar"], "published-random", True),
        ("patient-disjoint", ["nickparvar"], "sartaj", True),
    ],
)
def test_a_forerunner_may_know_no_test_image(protocol, sources, protocol_wanted, knows_test_images) -> None:
    card = Card(Path("cnn.json"), {"protocol": protocol, "sources": sources})
    refused = (
        pytest.raises(CommandError, match="may know test images") if knows_test_images else nullcontext()
    )
    with refused:
        check_forerunner("teacher", card, protocol_wanted)


def test_base_weights_that_are_not_there_are_told(run: Run, class_folders: Path, tmp_path: Path) -> None:
    arguments = ("--model", "vgg16", "--protocol", "folder", "--data", class_folders)
    code, _, errors = run("train", *arguments, "--base-weights", tmp_path / "nowhere.npz")
    assert code == 2 and "nowhere.npz" in errors.strip().splitlines()[-1]


# the program itself


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        model.main(["--help"])
    output = capsys.readouterr().out
    assert stopped.value.code == 0
    assert all(name in output for name in ("data", "train", "calibrate", "evaluate", "predict", "explain"))


def test_paths_of_the_machine_stay_out_of_a_command_that_a_card_shows() -> None:
    typed = ["train", "--model", "vgg16", "--data", "/home/me/data", "--base-weights", "/home/me/vgg16.npz"]
    shown = arguments.without_paths(typed)
    assert shown == ["train", "--model", "vgg16", "--data", "DIR", "--base-weights", "vgg16.npz"]
    assert arguments.without_paths(["evaluate", "--data=/home/me/data"]) == ["evaluate", "--data", "DIR"]
    two = ["train", "--teacher", "/home/me/cnn.keras", "runs/mobilenetv2.keras", "--restart"]
    assert arguments.without_paths(two) == [
        "train",
        "--teacher",
        "cnn.keras",
        "mobilenetv2.keras",
        "--restart",
    ]


def test_overlay_shows_the_scan_under_the_evidence(run: Run, scans: Path, tmp_path: Path) -> None:
    run("explain", scans / "a.png", "--model", "cnn", "--output", tmp_path / "out")
    picture = np.asarray(
        Image.open(io.BytesIO((tmp_path / "out" / "a.overlay.png").read_bytes())), np.float32
    )
    evidence = np.load(tmp_path / "out" / "a.cam.npy")
    plain = read_scan_file(scans / "a.png").pixels * 255
    without = evidence == 0
    assert without.any()
    np.testing.assert_allclose(picture[without], np.repeat(plain[without][:, None], 3, axis=1), atol=1)


# the gate


def test_predict_gives_no_prediction_for_what_the_gate_refuses(
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
    card = load_card(detector_models / "cnn.keras")
    card.facts["novelty"] |= {"unusual": 0.0, "refused": 1e6}
    card.save()
    line = json.loads(run("predict", scans / "a.png", "--model", "cnn")[1])
    assert line["accepted"] and "unusual" in line["flags"] and len(line["predictions"]) == 1
