"""Fixtures of the tests of reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from tests.reports.examples import SECRET, VERSIONS, FakeReading
from tests.support.records import evaluation_record
from utils.classes import CLASSES
from utils.datasets.protocols import protocol_named
from utils.networks.cards import Card
from utils.reading.worklist import Entry
from utils.reports.reported import ReportedNetwork
from utils.results.records import Evaluation
from utils.scans.preprocessing import preprocess
from utils.scans.scan import Scan


@pytest.fixture
def entry_with(draw_brain) -> Callable[..., Entry]:
    """A function that makes an entry with two readings; the name of the file is SECRET."""

    def make(
        labels: tuple[str, ...] = ("glioma", "glioma"),
        probability: float = 0.85,
        grade: str = "ok",
        flags: tuple[str, ...] = (),
        shape: tuple[int, int] = (90, 70),
        seed: int = 0,
        **scan: Any,
    ) -> Entry:
        pixels = draw_brain(*shape, seed=seed)
        maps = 0.3 * np.random.default_rng(seed).random((4, 7, 7), np.float32)
        readings = []
        for network, label in zip(VERSIONS, labels, strict=True):
            probabilities = np.full(4, (1 - probability) / 3, np.float32)
            probabilities[CLASSES.index(label)] = probability
            geometry = preprocess(pixels, 64)[1]
            reading = FakeReading(
                network, network.upper(), label, probabilities, maps, geometry, grade, flags
            )
            readings.append(cast(Any, reading))
        return Entry(f"{seed}", SECRET, Scan(SECRET, pixels, "PNG", **scan), tuple(readings))

    return make


@pytest.fixture
def networks() -> list[ReportedNetwork]:
    """The CNN, right on 15 of 20 scans that it called glioma at 0.85; the VGG16, never measured."""
    alike = pd.DataFrame({"target": ["glioma"] * 15 + ["meningioma"] * 5, "label": "glioma", "glioma": 0.85})
    record = evaluation_record(n=778, accuracy=0.92545, accuracy_interval=(0.89378, 0.95248))
    cards = {
        name: Card(
            file=Path(f"{name}.json"),
            name=name,
            task="four-class",
            classes=CLASSES,
            input_size=224,
            evidence_layer="",
            temperature=0.7348,
            protocol="patient-disjoint",
            date="2026-11-20",
            weights_sha256=version,
            licence="Own.",
        )
        for name, version in VERSIONS.items()
    }
    return [
        ReportedNetwork(cards["cnn"], Evaluation("cnn", protocol_named("patient-disjoint"), alike, record)),
        ReportedNetwork(cards["vgg16"]),
    ]
