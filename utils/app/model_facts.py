"""Content of the About page: training data, figures and versions of the models."""

from __future__ import annotations

import importlib.metadata
from collections import defaultdict
from collections.abc import Mapping

from utils.datasets.protocols import protocol_title, shipped_protocol
from utils.datasets.sources import SOURCES, source_title
from utils.networks.card_facts import SEGMENTATION
from utils.networks.cards import Card
from utils.paths import models_folder
from utils.records.evaluation import EvaluationRecord
from utils.records.out_of_distribution import HEAD_CT
from utils.results.records import load_out_of_distribution, load_outlines
from utils.results.track_record import outline_sentence
from utils.wording import TARGET_TITLES, percent, value_with_interval

PACKAGES = ("streamlit", "openvino", "tensorflow", "keras", "tf-keras-vis", "opencv-python-headless", "numpy")


def training_rows(card: Card) -> list[dict[str, str]]:
    """One row a collection that the network learned from, the largest first."""
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    for row in card.training_data:
        if row.part == "train":
            counts[row.source][row.target] = row.images
    rows = []
    for name, by_target in sorted(counts.items(), key=lambda item: -sum(item[1].values())):
        source = SOURCES.get(name)
        rows.append(
            {
                "Collection": source_title(name),
                "Shows": source.content if source else "not known",
                "People": source.people if source else "not known",
                "Sequences": (source.sequences or source.sequence) if source else "not known",
                "Slices": ", ".join(
                    f"{TARGET_TITLES[label]} {count:,}" for label, count in by_target.items()
                ),
            }
        )
    return rows


def rows(card: Card, records: Mapping[str, EvaluationRecord]) -> dict[str, str]:
    """Name -> fact about a network; records: by network, on held-out patients."""
    facts = (
        _of_segmentation(card) if card.task == SEGMENTATION else _of_classifier(card, records.get(card.name))
    )
    protocol = protocol_title(card.protocol) if card.protocol else "?"
    return {
        **facts,
        "Trained": f"{card.date or '?'}; {protocol}",
        "Parameters": f"{card.parameters:,}",
        "Weights (SHA-256)": f"`{card.version}`",
    }


def detection_rate() -> str:
    """The share of images that are not brain MRI that the out-of-distribution detector flags, in words."""
    record = load_out_of_distribution(models_folder())
    if record is None:
        return "the detection rate was not measured for these models"
    every, head = record.not_brain_mri, record.groups[HEAD_CT]
    return (
        f"{percent(every.marked)} of {every.n:,} such images were, but only {percent(head.marked)} of head CT"
    )


def software() -> str:
    """The packages that run and their versions, in words."""
    return ", ".join(f"{name} {version}" for name in PACKAGES if (version := _version(name)))


def _of_classifier(card: Card, record: EvaluationRecord | None) -> dict[str, str]:
    accuracy = "not measured yet"
    if record:
        words = value_with_interval(record.accuracy, record.accuracy_interval)
        accuracy = f"{words} on {record.n} scans"
    return {
        "Accuracy on held-out patients": accuracy,
        "Evidence layer": card.evidence_layer,
        "Temperature": f"{card.temperature:.2f}",
    }


def _of_segmentation(card: Card) -> dict[str, str]:
    record = load_outlines(models_folder() / "evaluation", card.name, shipped_protocol().name)
    fits = record is not None and record.weights_sha256 == card.version
    return {"Outlines": outline_sentence(record if fits else None)}


def _version(package: str) -> str:
    for name in (package, f"{package}-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return ""
