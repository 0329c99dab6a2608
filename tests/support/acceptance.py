"""Scores of made-up scans for acceptance, an ensemble for the small networks, and scans in class folders."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.brains import draw
from tests.support.networks import change_card, facts_of
from utils.acceptance.drift import Appearance
from utils.acceptance.scores import ScoredScan
from utils.classes import CLASSES
from utils.metrics.softmax import softmax
from utils.networks.shipped import ENSEMBLE, Ensemble
from utils.paths import REPOSITORY, file_sha256
from utils.records.acceptance import AcceptanceRecord, AnswerRule
from utils.records.base import read_record, write_record

RULE = AnswerRule(temperature=1.0, referral_thresholds=dict.fromkeys(CLASSES, 0.6))
TARGETS = ("glioma", "meningioma", "no_tumor", "no_tumor", "pituitary", "no_tumor")


def made_scans(
    count: int = 120, evidence: float = 6.0, tumor_shift: float = 0.0, temperature: float = 1.0, seed: int = 0
) -> list[ScoredScan]:
    """Scans half with a tumour; `evidence`: the mean logit of the truth, against noise of 1.5; `tumor_shift` is added
    to the logit of no tumour. Their probabilities are calibrated where both others are at their defaults."""
    random = np.random.default_rng(seed)
    scans = []
    for number in range(count):
        target = TARGETS[number % len(TARGETS)]
        logits = random.normal(0, 1.5, len(CLASSES))
        logits[CLASSES.index(target)] += evidence
        logits[CLASSES.index("no_tumor")] += tumor_shift
        joint = softmax(logits[None] / temperature)[0]
        label = CLASSES[int(joint.argmax())]
        novelty = {"cnn": float(random.normal()), "vgg16": float(random.normal())}
        seen = Appearance(float(1 - joint[CLASSES.index("no_tumor")]), novelty)
        scans.append(ScoredScan(target, "", joint, {"cnn": label, "vgg16": label}, "ok", (seen,)))
    return scans


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of files by their path."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def add_ensemble(models: Path) -> dict[str, str]:
    """One that answers nearly every scan on which both networks agree. Returns the versions of the networks."""
    versions = {name: facts_of(models / f"{name}.keras")["weights_sha256"] for name in ("cnn", "vgg16")}
    write_record(
        models / ENSEMBLE,
        Ensemble(weights_sha256=versions, referral_thresholds=dict.fromkeys(CLASSES, 0.2)),
    )
    return versions


@pytest.fixture
def ensemble_models(models_copy: Path) -> Path:
    """`models_copy` with the ensemble of `add_ensemble`."""
    add_ensemble(models_copy)
    return models_copy


def site_scan(seed: int, has_tumor: bool) -> bytes:
    """A PNG file of a brain-like image, with a large bright spot for a tumour."""
    pixels = 0.8 * draw(seed=seed)
    if has_tumor:
        pixels[80:145, 30:80] = 1
    return cv2.imencode(".png", np.rint(255 * pixels).astype(np.uint8))[1].tobytes()


@pytest.fixture(scope="session")
def site_zip() -> bytes:
    """60 scans of `site_scan` in class folders: 30 gliomas, 30 without a tumour."""
    folders = ("glioma", "no_tumor")
    return zipped({f"{folders[n % 2]}/{n}.png": site_scan(n, folders[n % 2] == "glioma") for n in range(60)})


@pytest.fixture(scope="session")
def site_models(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder whose networks call the spots of `site_scan` glioma, with an ensemble and the stored figures of
    held-out patients."""
    import keras

    from utils.networks.weights import save_small

    folder = tmp_path_factory.mktemp("site") / "models"
    shutil.copytree(tiny_models, folder)
    scan = keras.Input((64, 64, 1), name="scan")
    x = keras.layers.Rescaling(1 / 255, offset=-0.95)(scan)
    x = keras.layers.Activation("relu", name="spots")(x)
    logits = keras.layers.Dense(4, name="logits")(keras.layers.GlobalAveragePooling2D(name="pooled")(x))
    network = keras.Model(scan, keras.layers.Activation("softmax", name="probabilities")(logits), name="cnn")
    kernel = np.asarray([[8000.0, 0, 0, 0]], np.float32)  # the mean of "spots" is near 0.004, or below 0.001
    network.get_layer("logits").set_weights([kernel, np.asarray([-20, -20, 0, -20], np.float32)])
    for name in ("cnn", "vgg16"):
        weights = folder / f"{name}.keras"
        save_small(network, weights)
        change_card(weights, evidence_layer="spots", temperature=1.0, weights_sha256=file_sha256(weights))
    versions = add_ensemble(folder)
    shipped = read_record(REPOSITORY / "models" / "evaluation" / "acceptance.json", AcceptanceRecord)
    (folder / "evaluation").mkdir()
    write_record(
        folder / "evaluation" / "acceptance.json", shipped.model_copy(update={"weights_sha256": versions})
    )
    return folder


@pytest.fixture
def site_files(png_bytes: Callable[[int], bytes]) -> dict[str, bytes]:
    """Four scans in class folders."""
    names = ("glioma/a.png", "notumor/b.png", "Meningiomas/c.png", "pituitary/d.png")
    return {name: png_bytes(seed) for seed, name in enumerate(names)}
