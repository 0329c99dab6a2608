"""`model.py calibrate`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from tests.commands.steps import Run
from tests.support.networks import change_card
from utils.classes import CLASSES
from utils.networks.cards import load_card
from utils.networks.runtime import choice
from utils.networks.shipped import ENSEMBLE, load_ensemble


def test_calibrate_without_a_model_fits_the_ensemble(run: Run, class_folders, models_copy) -> None:
    code, output, _ = run("calibrate", "--protocol", "folder", "--data", class_folders)
    record = json.loads((models_copy / ENSEMBLE).read_text())
    assert code == 0 and output.startswith("ensemble of cnn and vgg16: referral thresholds ")
    versions = {name: load_card(models_copy / f"{name}.keras").version for name in ("cnn", "vgg16")}
    assert record["weights_sha256"] == versions and record["validation"]["n"] > 0
    stored = load_ensemble(models_copy)
    assert stored is not None and stored.referral_thresholds == record["referral_thresholds"]


def write_predictions(folder: Path, protocol: str, count: int) -> None:
    """What `evaluate` stores: the CNN is often right, the tumour score always, VGG16 was not measured."""
    rng = np.random.default_rng(0)
    targets = np.asarray(CLASSES)[np.arange(count) % 4]
    logits = rng.normal(size=(count, 4)) + 2.0 * (targets[:, None] == np.asarray(CLASSES))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    facts = {"file": [f"{number}.png" for number in range(count)], "source": "brats18", "target": targets}
    classifier = pd.DataFrame(facts | {"label": np.asarray(CLASSES)[logits.argmax(axis=1)]})
    classifier[list(CLASSES)] = probabilities
    classifier[[f"logit_{name}" for name in CLASSES]] = logits
    scores = np.where(targets == "no_tumor", 0.1, 0.8) + rng.uniform(-0.05, 0.05, count)
    folder.mkdir(exist_ok=True)
    classifier.sample(frac=1, random_state=0).to_csv(folder / f"cnn--{protocol}.csv", index=False)
    pd.DataFrame(facts | {"tumor_score": scores}).to_csv(folder / f"unet--{protocol}.csv", index=False)


def test_the_ensemble_is_fitted_on_predictions_of_unseen_families(
    run: Run, class_folders: Path, fitted_models: Path
) -> None:
    (fitted_models / ENSEMBLE).unlink()
    write_predictions(fitted_models / "evaluation", "unseen-brats", 400)
    write_predictions(fitted_models / "evaluation", "unseen-lgg", 300)
    code, output, errors = run("calibrate", "--protocol", "folder", "--data", class_folders)
    assert code == 0 and output.startswith("ensemble of cnn, vgg16 and unet: referral thresholds "), errors
    record = load_ensemble(fitted_models)  # for the very networks of the folder
    assert record is not None and record.detection is not None and record.validation is not None
    assert [*record.detection.weights] == ["cnn", "unet"] and record.detection.fitted_on == {
        "unseen-brats": 400,
        "unseen-lgg": 300,
    }
    assert record.detection.weights["unet"] > record.detection.weights["cnn"] > 0
    assert record.validation.n > 0  # scans of the folder
    assert {name: figures.n for name, figures in record.unseen.items()} == {
        "unseen-brats": 400,
        "unseen-lgg": 300,
    }
    assert all(0.5 < figures.auc <= 1 for figures in record.unseen.values())


def test_calibrate_in_bfloat16_writes_what_was_measured_with_it_alone(
    run: Run, class_folders, models_copy, monkeypatch
) -> None:
    """The decisions alone: a processor without bfloat16 computes in float32 all the same."""
    options = ("--protocol", "folder", "--data", class_folders, "--runtime", "openvino-bf16")
    monkeypatch.setattr(choice, "has_bfloat16", lambda: False)
    code, _, errors = run("calibrate", "--model", "cnn", *options)
    assert code == 2 and "neither AVX512-BF16 nor AMX" in errors
    code, _, errors = run("calibrate", *options)
    assert code == 2 and "--model" in errors
    weights = models_copy / "experiments" / "folder" / "cnn.keras"  # where the protocol's networks are
    weights.parent.mkdir(parents=True)
    for suffix in (".keras", ".json"):
        shutil.copy(models_copy / f"cnn{suffix}", weights.with_suffix(suffix))
    change_card(weights, sources=[])  # those of the protocol
    before = load_card(weights)
    monkeypatch.setattr(choice, "has_bfloat16", lambda: True)
    code, output, errors = run("calibrate", "--model", "cnn", *options)
    card = load_card(weights)
    assert code == 0 and "in bfloat16" in output, errors
    assert card.bfloat16 is not None and card.bfloat16.n > 0 and 0.5 <= card.bfloat16.agreement <= 1
    assert card.bfloat16.temperature != before.temperature
    assert card.model_copy(update={"bfloat16": None}) == before
    assert choice.runtime_of(card) == choice.BFLOAT16 and choice.runtime_of(before) == choice.FLOAT32


def test_sequences_need_a_segmentation_network(run: Run, class_folders: Path, models_copy: Path) -> None:
    code, _, errors = run(
        "calibrate", "--sequences", "--model", "cnn", "--protocol", "folder", "--data", class_folders
    )
    assert code == 2 and "--sequences is for a segmentation network" in errors
