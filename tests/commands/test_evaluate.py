"""`model.py evaluate`, mostly of networks that `model.py train` has just trained."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.commands.steps import FOLDER, Run, one_sentence, published_set
from tests.support.networks import change_card, facts_of
from utils.classes import CLASSES
from utils.datasets.duplicates import hash_files
from utils.datasets.protocols import PROTOCOLS
from utils.metrics.classification import CLASS_FIGURES, OVERALL_FIGURES
from utils.networks.cards import load_card
from utils.results.records import load_subtypes, read_evaluations


def test_train_and_evaluate_a_folder(run: Run, small_recipe, class_folders, models_copy, tmp_path) -> None:
    assert run("train", *FOLDER, class_folders, "--seed", 3)[0] == 0
    weights = models_copy / "experiments" / "folder" / "cnn.keras"
    facts = facts_of(weights)
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
    assert facts["test_evaluations"] == [] and facts["figures"] == {}

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

    after = facts_of(weights)
    assert [(opening["protocol"], opening["n"]) for opening in after["test_evaluations"]] == [
        ("folder", result["n"])
    ]
    assert after["figures"]["folder"]["accuracy"] == result["accuracy"]
    run("evaluate", *FOLDER, class_folders)
    assert len(facts_of(weights)["test_evaluations"]) == 2

    fitted = facts_of(weights)["temperature"]
    change_card(weights, temperature=9.0)
    code, output, _ = run("calibrate", *FOLDER, class_folders)
    assert code == 0 and str(fitted) in output
    assert facts_of(weights)["temperature"] == fitted
    assert "out-of-distribution detector: unusual above" in output
    assert facts_of(weights)["novelty"] == after["novelty"]
    with np.load(weights.with_suffix(".npz"), allow_pickle=False) as archive:
        assert "picture_hashes" in archive and "novelty_factor" in archive

    assert run("train", *FOLDER, class_folders, "--seed", 4)[0] == 0  # training again keeps the log
    facts = facts_of(weights)
    assert [opening["weights_sha256"] for opening in facts["test_evaluations"]] == 2 * [
        result["weights_sha256"]
    ]
    assert facts["weights_sha256"] != result["weights_sha256"] and facts["figures"] == {}


def test_explanations_are_measured_against_masks(run: Run, masked_set, models_copy, tmp_path) -> None:
    arguments = ("evaluate", "--model", "cnn", "--data", masked_set)
    weights, folder = models_copy / "cnn.keras", models_copy / "evaluation"
    code, output, _ = run(*arguments, "--explanations", "--part", "validation")
    assert code == 0 and "Score-CAM" in output and "6 tumour scans, and on 2 without tumour" in output
    assert facts_of(weights)["test_evaluations"] == []
    assert (folder / "cnn--patient-disjoint--explanations--validation.json").is_file()
    assert run(*arguments, "--explanations", "--json", tmp_path / "new" / "copy.json")[0] == 0
    result = json.loads((folder / "cnn--patient-disjoint--explanations.json").read_text())
    assert json.loads((tmp_path / "new" / "copy.json").read_text()) == result
    assert result["part"] == "test" and result["weights_sha256"] == load_card(weights).version
    (opening,) = facts_of(weights)["test_evaluations"]
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
    assert len(facts_of(weights)["test_evaluations"]) == 1


def test_training_images_are_refused_even_when_mirrored(run: Run, class_folders, models_copy) -> None:
    seen = class_folders / "Glioma" / "0.png"
    archive = models_copy / "cnn.npz"
    np.savez_compressed(archive, picture_hashes=hash_files([str(seen)])[0])
    arguments = (*FOLDER, class_folders, "--weights", models_copy / "cnn.keras")
    error = one_sentence(*run("evaluate", *arguments))
    assert "1 of the 32" in error and "Glioma/0.png" in error and "cnn.keras" in error
    Image.open(seen).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        class_folders / "Glioma" / "mirrored.png"
    )
    seen.unlink()
    assert "Glioma/mirrored.png" in one_sentence(*run("evaluate", *arguments))
    assert facts_of(models_copy / "cnn.keras")["test_evaluations"] == []
    (class_folders / "Glioma" / "mirrored.png").unlink()
    assert run("evaluate", *arguments)[0] == 0
    result = json.loads((models_copy / "evaluation" / "cnn--folder.json").read_text())
    assert result["n"] == 31  # all images of a folder that is new to the weights
    assert not (models_copy / "evaluation" / "1-nn--folder.json").exists()


def test_a_network_without_hashes_of_its_training_images_is_not_measured(
    run: Run, class_folders, models_copy
):
    error = one_sentence(*run("evaluate", *FOLDER, class_folders, "--weights", models_copy / "cnn.keras"))
    assert "cnn.npz" in error


def test_weights_of_another_protocol_are_refused(run: Run, models_copy, tmp_path, draw_brain) -> None:
    root = published_set(tmp_path / "data", draw_brain)
    arguments = ("--model", "cnn", "--protocol", "published", "--data", root)
    error = one_sentence(*run("evaluate", *arguments, "--weights", models_copy / "cnn.keras"))
    assert "trained under the patient-disjoint protocol" in error and "published" in error
    assert not (models_copy / "evaluation").exists()
    error = one_sentence(*run("evaluate", *arguments))  # the weights of that protocol are not there
    assert "published/cnn" in error and "docs/reproduce.md" in error


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


def test_subtypes_are_trained_and_measured_on_both_parts(
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
    error = one_sentence(*run("train", *arguments, "--teacher", models_copy / "cnn.keras"))
    assert error == "error: The teacher has 4 output classes, the network 4 others."
    assert run("train", *arguments)[0] == 0
    assert run("evaluate", *arguments, "--part", "validation")[0] == 0
    weights = models_copy / "experiments" / "feltrin44" / "cnn.keras"
    assert facts_of(weights)["test_evaluations"] == []
    assert "novelty" not in facts_of(weights), "subtypes use the detector of the four-class networks"
    assert run("evaluate", *arguments)[0] == 0
    assert facts_of(weights)["figures"]["feltrin44"]["top_3_accuracy"] is not None
    records = load_subtypes(models_copy / "evaluation", PROTOCOLS.values(), "cnn")
    assert {key: record.n for key, record in records.items()} == {
        ("feltrin44", "test"): 8, ("feltrin44", "validation"): 8,
    }  # fmt: skip
    assert list(records["feltrin44", "test"].classes) == sorted({str(row["label"]) for row in rows})
    assert read_evaluations(models_copy / "evaluation", PROTOCOLS.values()) == (
        [],
        [],
    )  # no four classes

    change_card(weights, sources=["feltrin44", "lgg"])
    assert run("train", *arguments, "--base-weights", weights, "--output", tmp_path / "next")[0] == 0
    licence = facts_of(tmp_path / "next" / "cnn.keras")["licence"]
    assert "CC BY-NC-SA" in licence, "the sources of the initial checkpoint count too"


def test_json_creates_its_folder(run: Run, class_folders, models_copy, tmp_path) -> None:
    np.savez_compressed(models_copy / "cnn.npz", picture_hashes=np.zeros((1, 32), np.uint8))
    arguments = (*FOLDER, class_folders, "--weights", models_copy / "cnn.keras")
    assert run("evaluate", *arguments, "--json", tmp_path / "new" / "figures.json")[0] == 0
    assert json.loads((tmp_path / "new" / "figures.json").read_text())["n"] == 32
