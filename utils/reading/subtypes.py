"""Subtypes (experimental): the 44 classes of Feltrin's collection, 15 types in up to three sequences, in English."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

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
