"""Finer types (experimental): what a network of Feltrin's 44 classes, 15 types in up to three sequences, says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.networks.cards import SUBTYPE_NETWORK, NetworkUnavailable, load_card
from utils.paths import models_folder

# Feltrin's Portuguese folder names, without the sequence
TYPE_TITLES = {
    "Astrocitoma": "astrocytoma",
    "Carcinoma": "carcinoma",
    "Ependimoma": "ependymoma",
    "Ganglioglioma": "ganglioglioma",
    "Germinoma": "germinoma",
    "Glioblastoma": "glioblastoma",
    "Granuloma": "granuloma",
    "Meduloblastoma": "medulloblastoma",
    "Meningioma": "meningioma",
    "Neurocitoma": "neurocytoma",
    "Oligodendroglioma": "oligodendroglioma",
    "Papiloma": "papilloma",
    "Schwannoma": "schwannoma",
    "Tuberculoma": "tuberculoma",
    "_NORMAL": "no tumour",
}


def finer_network(models: Path | None = None) -> Path | None:
    """The weights of the network of finer types; None where none is there."""
    weights = (models or models_folder()) / SUBTYPE_NETWORK
    try:
        return weights if load_card(weights).facts["task"] == "finer" else None
    except NetworkUnavailable:
        return None


def class_title(name: str) -> str:
    """A class in English: "Astrocitoma T1C+" -> "astrocytoma T1C+"."""
    kind, _, sequence = name.rpartition(" ")
    return f"{TYPE_TITLES.get(kind, kind)} {sequence}".strip()


def type_probabilities(classes: Sequence[str], probabilities: np.ndarray) -> dict[str, float]:
    """English type -> probability, the likeliest first; the sequences of a type are summed.

    classes: Feltrin's folder names ("Astrocitoma T1C+"); probabilities: (C,) float.
    """
    sums: dict[str, float] = {}
    for name, probability in zip(classes, probabilities, strict=True):
        title = TYPE_TITLES.get(name.rsplit(" ", 1)[0], name)
        sums[title] = sums.get(title, 0.0) + float(probability)
    return dict(sorted(sums.items(), key=lambda pair: -pair[1]))
