"""What a result says, in one sentence: the titles of charts and the words that screen readers get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from utils.classes import CLASSES
from utils.wording import CLASS_TITLES, probability_in_percent

if TYPE_CHECKING:
    import pandas as pd


def most_confused(table: np.ndarray) -> str:
    """The most frequent mistake in a 4 x 4 matrix of counts (rows truth, columns prediction)."""
    wrong = table - np.diag(np.diag(table))
    if not wrong.any():
        return f"All {table.sum()} scans were read correctly"
    truth, read = np.unravel_index(wrong.argmax(), wrong.shape)
    return (
        f"Most confused: {CLASS_TITLES[CLASSES[truth]]} read as {CLASS_TITLES[CLASSES[read]]} "
        f"({wrong[truth, read]} of {table[truth].sum()})"
    )


def weakest_class(words: str, unit: str, areas: Mapping[str, float]) -> str:
    """The class with the smallest area; areas: class -> area under a curve, 0..1."""
    if not areas:
        return "Only one class in this test set: nothing to tell apart"
    name = min(areas, key=lambda name: areas[name])
    return f"{words}: {CLASS_TITLES[name]} ({unit} {areas[name]:.3f})"


def how_sure(table: pd.DataFrame) -> str:
    """Whether confidence lies above or below accuracy, from the table of utils.metrics.calibration.reliability."""
    gap = table["confidence"] - table["accuracy"]
    share = table["count"] / table["count"].sum()
    mean, distance = float((gap * share).sum()), float((gap.abs() * share).sum())
    if distance < 0.01:
        return "Confidence and accuracy agree to within one percentage point"
    if abs(mean) < 0.005:
        return f"Confidence is off by {100 * distance:.1f} percentage points, to both sides"
    side = "Too sure" if mean > 0 else "Not sure enough"
    return f"{side}: confidence is {100 * abs(mean):.1f} percentage points {'above' if mean > 0 else 'below'} accuracy"


def reading(probabilities: Mapping[str, Sequence[float]]) -> str:
    """What each network reads in one scan: network title -> 4 probabilities (0..1) in CLASSES order."""
    answers = {title: int(np.argmax(values)) for title, values in probabilities.items()}
    sure = {title: probability_in_percent(max(values)) for title, values in probabilities.items()}
    read = {title: CLASS_TITLES[CLASSES[index]] for title, index in answers.items()}
    if len(answers) > 1 and len(set(answers.values())) == 1:
        together = "Both" if len(answers) == 2 else "All"
        certainties = ", ".join(f"{title} {sure[title]}" for title in answers)
        return f"{together} read {next(iter(read.values()))}: {certainties}"
    words = ", ".join(f"{title}: {read[title]} {sure[title]}" for title in answers)
    return f"They disagree. {words}" if len(answers) > 1 else words


def along_the_volume(title: str, slices: Sequence[int], probabilities: Sequence[Sequence[float]]) -> str:
    """Which class, if any, one network names on most of its tumour slices. As scan_charts.class_curves."""
    table = np.asarray(probabilities, dtype=float).reshape(-1, len(CLASSES))
    answered = ~np.isnan(table).any(axis=1)
    labels, slices = table[answered].argmax(axis=1), np.asarray(slices)[answered]
    tumours = labels[labels != CLASSES.index("no_tumor")]
    if not len(tumours):
        return f"{title} names no tumour on any of {len(labels)} slices"
    name = CLASSES[int(np.bincount(tumours).argmax())]
    where = slices[labels == CLASSES.index(name)]
    return f"{title} names {CLASS_TITLES[name]} on {len(where)} of {len(labels)} slices, " + (
        f"from {where.min()} to {where.max()}" if len(where) > 1 else f"slice {where[0]}"
    )
