"""Release: the card of a new network states where it comes from, and keeps the log of test evaluations."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from tests.support.networks import change_card
from utils.networks.card_facts import TestEvaluation
from utils.networks.cards import check_weights, load_card, log_test_evaluation
from utils.training import release as module
from utils.training.loop import Trained, TrainingPlan
from utils.training.recipes import Phase, Recipe
from utils.training.release import Origin, licence, release

RECIPE = Recipe("cnn", phases=(Phase("only", 32, 2, 1e-3),))
HISTORY = [{"phase": "only", "epoch": 1, "loss": 1.0, "validation_loss": 0.9, "validation_accuracy": 0.5}]


@pytest.fixture
def samples(class_folders: Path) -> pd.DataFrame:
    """Two images of each class to train on and one to validate and to test on each, of a source called clinic."""
    rows = []
    for folder in sorted(class_folders.iterdir()):
        for number, file in enumerate(sorted(folder.iterdir())[:4]):
            part = ("train", "train", "validation", "test")[number]
            target = folder.name.split()[0].split("_")[0].lower()
            rows.append({"path": str(file), "part": part, "source": "clinic", "target": target})
    return pd.DataFrame(rows).assign(picture=lambda table: np.arange(len(table)))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    """A small network; calibration, which has tests of its own, is left out."""
    monkeypatch.setattr(module, "calibrate", lambda weights, samples: load_card(weights))
    scan = keras.Input((32, 32, 1), name="scan")
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(scan)
    logits = keras.layers.Dense(4, name="logits")(pooled)
    return Trained(keras.Model(scan, logits, name="cnn"), HISTORY, ["stem_conv"], ["logits"])


def test_card_states_data_recipe_and_origin(trained: Trained, samples: pd.DataFrame, tmp_path: Path) -> None:
    card = release(
        trained, samples, tmp_path / "new", Origin(TrainingPlan(RECIPE, 3), "folder", "python model.py train")
    )
    check_weights(card)
    assert (card.name, card.task, card.protocol, card.seed) == ("cnn", "four-class", "folder", 3)
    assert (card.input_size, card.parameters, card.sources) == (32, 8, ("clinic",))
    assert (
        card.recipe and card.recipe.phases[0].epochs == 2 and card.layers_from_base_weights == ("stem_conv",)
    )
    assert card.history[0].validation_accuracy == 0.5 and card.command == "python model.py train"
    assert {row.part: row.images for row in card.training_data} == {"train": 2, "validation": 1}
    with np.load(card.statistics, allow_pickle=False) as archive:
        assert len(archive["picture_hashes"]) == (samples["part"] != "test").sum()


def test_retraining_keeps_the_log_and_drops_the_figures(
    trained: Trained, samples: pd.DataFrame, tmp_path: Path
) -> None:
    origin = Origin(TrainingPlan(RECIPE), "folder", "")
    card = release(trained, samples, tmp_path, origin)
    log_test_evaluation(card, TestEvaluation(protocol="folder", date="2026-11-26", commit="abc", n=5))
    again = release(trained, samples, tmp_path, origin)
    assert [evaluation.n for evaluation in again.test_evaluations] == [5] and again.figures == {}


def test_licence_counts_what_the_initial_checkpoint_learned_from(
    trained: Trained, samples: pd.DataFrame, tmp_path: Path
) -> None:
    first = release(trained, samples, tmp_path / "first", Origin(TrainingPlan(RECIPE), "folder", ""))
    change_card(first.weights, sources=["lgg"], licence=licence(["lgg"], from_imagenet=True))
    plan = TrainingPlan(RECIPE, base_weights=str(first.weights))
    card = release(trained, samples, tmp_path / "next", Origin(plan, "folder", "", (first,)))
    assert "CC BY-NC-SA" in card.licence and "a set called clinic" in card.licence
    assert "ImageNet" in card.licence and card.sources == ("clinic",)
    assert [(teacher.name, teacher.weights_sha256) for teacher in card.teachers] == [("cnn", first.version)]


def test_licence_of_a_network_from_scratch_names_its_sources_only() -> None:
    assert "ImageNet" not in licence(["nickparvar"], from_imagenet=False)
    assert "Nickparvar" in licence(["nickparvar"], from_imagenet=False)
