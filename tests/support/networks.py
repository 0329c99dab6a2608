"""Small networks in place of the trained ones, with their cards, readers and readings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.support.brains import draw
from utils.classes import CLASSES

if TYPE_CHECKING:
    from utils.reading.reader import Reader
    from utils.reading.worklist import Entry


def facts_of(weights: Path) -> dict:
    """The JSON of a network's card."""
    return json.loads(weights.with_suffix(".json").read_text(encoding="utf-8"))


CARD: dict[str, Any] = {
    "name": "cnn",
    "task": "four-class",
    "classes": list(CLASSES),
    "input_size": 224,
    "evidence_layer": "evidence",
    "temperature": 1.5,
    "weights_sha256": "0",
}


def write_card(weights: Path, facts: Mapping[str, object]) -> None:
    """Write these facts as the card of a weights file, valid or not."""
    weights.with_suffix(".json").write_text(json.dumps(dict(facts)), encoding="utf-8")


def change_card(weights: Path, **facts: object) -> None:
    """Change facts of the card of a weights file."""
    write_card(weights, facts_of(weights) | facts)


def loosen_detector(weights: Path) -> None:
    """Make the out-of-distribution detector of a network call every scan unusual and refuse none."""
    change_card(weights, novelty=facts_of(weights)["novelty"] | {"unusual": 0.0, "refused": 1e6})


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with two small untrained networks under the names of the shipped ones, and their cards."""
    import keras

    from utils.networks.architectures import cnn
    from utils.networks.registry import NETWORKS
    from utils.networks.weights import save_small
    from utils.paths import file_sha256

    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("cnn", "vgg16")):
        keras.utils.set_random_seed(seed)
        weights = folder / f"{name}.keras"
        save_small(cnn(64), weights)
        facts = {
            "name": name,
            "task": "four-class",
            "classes": list(CLASSES),
            "input_size": 64,
            "evidence_layer": NETWORKS["cnn"].evidence_layer,
            "protocol": "patient-disjoint",
            "command": f"python model.py train --model {name} --protocol patient-disjoint --data DIR",
            "seed": seed,
            "sources": ["nickparvar"],
            "temperature": 2.0,
            "referral_threshold": 0.2,
            "evidence_scale": {"gradcam": 0.01},
            "test_evaluations": [],
            "figures": {},
            "weights_sha256": file_sha256(weights),
        }
        write_card(weights, facts)
    return folder


@pytest.fixture
def models_copy(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `tiny_models` for this test alone, which the app and the command line use."""
    folder = tmp_path / "models"
    shutil.copytree(tiny_models, folder)
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(folder))
    return folder


@pytest.fixture
def tiny_app(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The app and the command line use the small networks. All tests share them: do not change the files."""
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(tiny_models))
    return tiny_models


@pytest.fixture(scope="session")
def tiny_readers(tiny_models: Path) -> list[Reader]:
    """The small networks, loaded."""
    from utils.reading.reader import Reader

    return [Reader.load(tiny_models / f"{name}.keras") for name in ("cnn", "vgg16")]


@pytest.fixture
def quick_cnn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the architecture "cnn" a single convolution, so that tests of training need not wait for graphs."""
    import keras

    from utils.networks import architectures
    from utils.networks.registry import NETWORKS

    layer = NETWORKS["cnn"].evidence_layer

    def build(size: int, classes: int = 4) -> keras.Model:
        scan = keras.Input((size, size, 1), name="scan")
        x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(scan)
        x = keras.layers.Conv2D(8, 5, 4, padding="same", activation="relu", name=layer)(x)
        x = keras.layers.GlobalAveragePooling2D(name="pooled")(x)
        logits = keras.layers.Dense(classes, dtype="float32", name="logits")(x)
        answers = keras.layers.Activation("softmax", dtype="float32", name="probabilities")(logits)
        return keras.Model(scan, answers, name="cnn")

    monkeypatch.setattr(architectures, "cnn", build)


@pytest.fixture
def bright_reader(tmp_path: Path) -> Reader:
    """A network that calls bright spots glioma, so that the place of its evidence is known at every layer."""
    import keras

    from utils.networks.cards import Card
    from utils.reading.reader import Reader

    scan = keras.Input((96, 96, 1), name="scan")
    x = keras.layers.Rescaling(1 / 255)(scan)
    x = keras.layers.Conv2D(2, 1, activation="relu", name="spots")(x)
    x = keras.layers.AveragePooling2D(4, name="coarse")(x)
    x = keras.layers.Activation("linear", name="cells")(x)
    logits = keras.layers.Dense(4, name="logits")(keras.layers.GlobalAveragePooling2D(name="pooled")(x))
    network = keras.Model(scan, keras.layers.Activation("softmax", name="probabilities")(logits), name="cnn")
    network.get_layer("spots").set_weights(
        [np.asarray([[[[1.0, -1.0]]]], np.float32), np.asarray([-0.9, 0.05], np.float32)]
    )
    kernel = np.asarray([[2000.0, 0, 0, 0], [0, 0, 4.0, 0]], np.float32)  # bright: glioma, dark: no_tumor
    network.get_layer("logits").set_weights([kernel, np.asarray([-3, -5, 1, -5], np.float32)])
    card = Card(
        file=tmp_path / "bright.json",
        name="cnn",
        task="four-class",
        classes=CLASSES,
        input_size=96,
        evidence_layer="cells",
        temperature=2.0,
        weights_sha256="",
    )
    return Reader.of_network(network, card)


@pytest.fixture
def detector_models(models_copy: Path, tiny_readers: list[Reader]) -> Path:
    """`models_copy` with out-of-distribution detectors fitted on the images of `draw_brain`."""
    from utils.networks.cards import load_card
    from utils.reading.novelty import describe
    from utils.reading.ood_detector import DescribedScans, fit_detector, save_detector
    from utils.scans.preprocessing import preprocess
    from utils.scans.scan import Scan

    for reader in tiny_readers:
        parts = []
        for seeds in (range(500, 560), range(600, 640)):
            scans = [Scan("brain", draw(seed=seed), "PNG") for seed in seeds]
            inputs = [preprocess(scan.pixels, reader.size)[0] for scan in scans]
            readings = reader.read_many(scans, with_maps=False)
            described = [
                describe(reading.features, pixels) for reading, pixels in zip(readings, inputs, strict=True)
            ]
            parts.append(DescribedScans(np.stack(described), inputs))
        card = load_card(models_copy / f"{reader.card.name}.keras")
        np.savez_compressed(card.statistics, picture_hashes=np.zeros((1, 32), np.uint8))
        train, validation = parts
        save_detector(fit_detector(train, validation), train, validation, card)
    return models_copy


@pytest.fixture
def make_entry(tiny_readers: list[Reader], png_bytes: Callable[[int], bytes]) -> Callable[..., Entry]:
    """A function (name, labels, probability, unsure, grade) -> a read entry in which two networks give these labels.

    `grade` is the first network's; the second grades the scan "ok". Labels, probabilities and maps are made up, with
    evidence for every class; the rest comes from the small networks.
    """
    from utils.reading.worklist import open_files, read_entries

    def make(
        name: str, labels: tuple[str, str], probability: float = 0.9, unsure: bool = False, grade: str = "ok"
    ) -> Entry:
        entry = read_entries(open_files([(name, png_bytes(sum(name.encode())))]), tiny_readers)[0]
        readings = []
        rng = np.random.default_rng(0)
        for reading, label, judged in zip(entry.readings, labels, (grade, "ok"), strict=True):
            probabilities = np.full(len(reading.classes), (1 - probability) / 3, np.float32)
            probabilities[reading.classes.index(label)] = probability
            flags = (("unsure",) if unsure else ()) + (() if judged == "ok" else (judged,))
            maps = 0.02 * rng.random(reading.maps.shape, np.float32)  # up to full colour on the cards' scale
            readings.append(
                replace(
                    reading, label=label, probabilities=probabilities, flags=flags, maps=maps, grade=judged
                )
            )
        return replace(entry, readings=tuple(readings))

    return make


@pytest.fixture(scope="session")
def dicom_models(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny_models` with a network in place of the segmentation network that outlines bright spots."""
    import keras

    from utils.networks.weights import save_small
    from utils.paths import file_sha256

    folder = tmp_path_factory.mktemp("dicom") / "models"
    shutil.copytree(tiny_models, folder)
    scan = keras.Input((64, 64, 1), name="scan")
    logits = keras.layers.Rescaling(1 / 8, offset=-230 / 8, name="logits")(scan)
    probabilities = keras.layers.Activation("sigmoid", dtype="float32", name="probabilities")(logits)
    weights = folder / "unet.keras"
    save_small(keras.Model(scan, probabilities, name="unet"), weights)
    facts = {"name": "unet", "task": "segmentation", "classes": ["tumor"], "input_size": 64, "threshold": 0.5}
    write_card(weights, facts | {"peak": 0.9, "weights_sha256": file_sha256(weights)})
    return folder


@pytest.fixture
def fitted_models(models_copy: Path, dicom_models: Path) -> Path:
    """`models_copy` with the segmentation network of `dicom_models`, an ensemble and an outlier classifier.

    The classifier sees brightness: it refuses an image that is bright all over.
    """
    from utils.networks.registry import segmenters
    from utils.networks.shipped import ENSEMBLE
    from utils.paths import file_sha256

    for file in dicom_models.glob("unet.*"):
        shutil.copy(file, models_copy)
    weights = models_copy / "unet.keras"
    arrays = {"mean": [-20.0, 0.0], "scale": [1.0, 1.0], "weights": [1.0, 0.0], "intercept": 0.0}
    np.savez(
        weights.with_suffix(".npz"),
        **{f"outlier_{key}": np.asarray(value, np.float32) for key, value in arrays.items()},  # type: ignore[arg-type]
    )
    outliers = {"layers": ["logits"], "unusual": 5.0, "refused": 5.5, "fitted_on": {}, "validation": {}}
    change_card(weights, outliers=outliers | {"statistics_sha256": file_sha256(weights.with_suffix(".npz"))})
    names = ("cnn", "vgg16", *segmenters())
    ensemble = {
        "weights_sha256": {name: facts_of(models_copy / f"{name}.keras")["weights_sha256"] for name in names},
        "referral_thresholds": dict.fromkeys(CLASSES, 0.3),
        "detection": {
            "intercept": 0.5,
            "weights": dict.fromkeys(names, 0.5),
            "fitted_on": {"unseen-brats": 9},
        },
        "validation": {"n": 9, "agreed": 1.0, "answered": 0.5, "accuracy": 0.98},
    }
    (models_copy / ENSEMBLE).write_text(json.dumps(ensemble), encoding="utf-8")
    return models_copy
