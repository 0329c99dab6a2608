"""Titles of charts, each stating the finding; screen readers get them too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from utils.classes import CLASSES
from utils.wording import CLASS_TITLES, probability_in_percent

if TYPE_CHECKING:
    import pandas as pd


def most_confused(table: np.ndarray) -> str:
    """The most frequent error in a 4 x 4 matrix of counts (rows reference, columns prediction)."""
    errors = table - np.diag(np.diag(table))
    if not errors.any():
        return f"All {table.sum()} scans classified correctly"
    reference, predicted = np.unravel_index(errors.argmax(), errors.shape)
    return (
        f"Most frequent error: {CLASS_TITLES[CLASSES[reference]]} predicted as {CLASS_TITLES[CLASSES[predicted]]} "
        f"({errors[reference, predicted]} of {table[reference].sum()})"
    )


def weakest_class(words: str, unit: str, areas: Mapping[str, float]) -> str:
    """The class with the smallest area; areas: class -> area under a curve, 0..1."""
    if not areas:
        return "Only one class in this test set"
    name = min(areas, key=lambda name: areas[name])
    return f"{words}: {CLASS_TITLES[name]} ({unit} {areas[name]:.3f})"


def calibration(table: pd.DataFrame) -> str:
    """Whether confidence lies above or below accuracy, from the table of utils.metrics.calibration.reliability."""
    gap = table["confidence"] - table["accuracy"]
    share = table["count"] / table["count"].sum()
    mean, distance = float((gap * share).sum()), float((gap.abs() * share).sum())
    if distance < 0.01:
        return "Well calibrated: confidence within one percentage point of accuracy"
    if abs(mean) < 0.005:
        return (
            f"Confidence deviates from accuracy by {100 * distance:.1f} percentage points, in both directions"
        )
    side = "Overconfident" if mean > 0 else "Underconfident"
    return f"{side}: confidence {100 * abs(mean):.1f} percentage points {'above' if mean > 0 else 'below'} accuracy"


def reading(probabilities: Mapping[str, Sequence[float]]) -> str:
    """The label of each model on one scan: model title -> 4 probabilities (0..1) in CLASSES order."""
    labels = {title: CLASSES[int(np.argmax(values))] for title, values in probabilities.items()}
    percent = {title: probability_in_percent(max(values)) for title, values in probabilities.items()}
    if len(labels) > 1 and len(set(labels.values())) == 1:
        shares = ", ".join(f"{title} {percent[title]}" for title in labels)
        return f"Concordant, {CLASS_TITLES[next(iter(labels.values()))]}: {shares}"
    text = ", ".join(f"{title}: {CLASS_TITLES[label]} {percent[title]}" for title, label in labels.items())
    return f"Discordant. {text}" if len(labels) > 1 else text


def along_the_volume(title: str, slices: Sequence[int], probabilities: Sequence[Sequence[float]]) -> str:
    """The most frequent tumour class along a volume. Arguments as for `readings.class_curves`."""
    table = np.asarray(probabilities, dtype=float).reshape(-1, len(CLASSES))
    is_read = ~np.isnan(table).any(axis=1)
    labels, slices = table[is_read].argmax(axis=1), np.asarray(slices)[is_read]
    tumors = labels[labels != CLASSES.index("no_tumor")]
    if not len(labels):
        return f"{title}: no slice analysed"
    if not len(tumors):
        return f"{title}: no tumour on any of {len(labels)} slices"
    name = CLASSES[int(np.bincount(tumors).argmax())]
    where = slices[labels == CLASSES.index(name)]
    return f"{title}: {CLASS_TITLES[name]} on {len(where)} of {len(labels)} slices, " + (
        f"from {where.min()} to {where.max()}" if len(where) > 1 else f"slice {where[0]}"
    )
