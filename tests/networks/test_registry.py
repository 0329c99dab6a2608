"""The registry of networks: complete entries, and one entry is all that a new network needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from utils.networks.cards import load_card
from utils.networks.registry import NETWORKS, Network, app_networks, classifiers, is_segmenter, segmenters
from utils.networks.shipped import reading_networks
from utils.paths import REPOSITORY
from utils.reading.reader import Reader
from utils.scans.upload import read_scan_file
from utils.training import recipes
from utils.training.recipes import Phase, Recipe


def small_network(size: int, classes: int = 4):
    import keras

    scan = keras.Input((size, size, 1), name="scan")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(scan)
    x = keras.layers.Conv2D(8, 5, 4, padding="same", activation="relu", name="features")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pooled")(x)
    logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
    probabilities = keras.layers.Activation("softmax", dtype="float32", name="probabilities")(logits)
    return keras.Model(scan, probabilities, name="small")


@pytest.fixture
def small_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of a user's own in the registry, and a recipe for it."""
    entry = Network(
        "small", title="Small", builder=small_network, evidence_layer="features", is_read_by_app=True
    )
    monkeypatch.setitem(NETWORKS, "small", entry)
    monkeypatch.setitem(
        recipes.RECIPES, "small", Recipe("small", phases=(Phase("only", 32, 1, 1e-3),), batch_size=8)
    )


def test_entries_are_complete() -> None:
    for name, network in NETWORKS.items():
        assert network.name == name and network.title
        assert bool(network.evidence_layer) != network.is_segmenter
    assert app_networks() == ("cnn", "vgg16") and segmenters() == ("unet",)
    assert set(classifiers()) | set(segmenters()) == set(NETWORKS)
    assert not is_segmenter("1-nn") and not is_segmenter("cnn")


def test_registry_and_cards_need_no_keras() -> None:
    code = (
        "import sys, utils.networks.registry, utils.networks.cards, utils.networks.shipped\n"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0


def test_an_added_network_is_trained_listed_and_read(
    small_entry, run, class_folders: Path, models_copy: Path
) -> None:
    data = ("--protocol", "folder", "--data", class_folders, "--output", models_copy)
    code, _, errors = run("train", "--model", "small", *data)
    assert code == 0, errors
    card = load_card(models_copy / "small.keras")
    assert (card.title, card.evidence_layer, card.task) == ("Small", "features", "four-class")
    assert [file.stem for file in reading_networks()] == ["cnn", "vgg16", "small"]
    code, output, _ = run("predict", "--model", "small", class_folders / "Glioma" / "0.png")
    assert len(json.loads(output)["predictions"]) == (code == 0)
    reading = Reader.load(card.weights).read(read_scan_file(class_folders / "Glioma" / "0.png"))
    assert (reading.network, reading.title, reading.maps.shape) == ("small", "Small", (4, 8, 8))
