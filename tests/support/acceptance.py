"""Scores of made-up scans for acceptance, an ensemble for the small networks, and scans in class folders."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.support.networks import facts_of
from utils.acceptance.scores import ScoredScan
from utils.classes import CLASSES
from utils.metrics.softmax import softmax
from utils.networks.shipped import ENSEMBLE, Ensemble
from utils.records.acceptance import AnswerRule
from utils.records.base import write_record

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
        scans.append(ScoredScan(target, "", joint, {"cnn": label, "vgg16": label}, "ok", novelty))
    return scans


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP of files by their path."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


@pytest.fixture
def ensemble_models(models_copy: Path) -> Path:
    """`models_copy` with an ensemble that answers nearly every scan on which both networks agree."""
    versions = {name: facts_of(models_copy / f"{name}.keras")["weights_sha256"] for name in ("cnn", "vgg16")}
    write_record(
        models_copy / ENSEMBLE,
        Ensemble(weights_sha256=versions, referral_thresholds=dict.fromkeys(CLASSES, 0.2)),
    )
    return models_copy


@pytest.fixture
def site_files(png_bytes: Callable[[int], bytes]) -> dict[str, bytes]:
    """Four scans in class folders."""
    names = ("glioma/a.png", "notumor/b.png", "Meningiomas/c.png", "pituitary/d.png")
    return {name: png_bytes(seed) for seed, name in enumerate(names)}
