"""The figures of stored predictions: over all scans, for tumour detection, and by source and sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from utils.classes import CLASSES, OTHER_TUMOR
from utils.datasets.tables import DatasetError
from utils.metrics.calibration import accuracy_at_coverage, label_set_figures
from utils.metrics.classification import figures, top_k_accuracy
from utils.metrics.detection import detection_figures

COVERAGES = (0.5, 0.8, 0.9)


def figures_of(
    predictions: pd.DataFrame,
    tumor_threshold: float | None = None,
    conformal_threshold: float | None = None,
    classes: Sequence[str] = CLASSES,
) -> dict[str, Any]:
    """The fields of an EvaluationRecord or SubtypeRecord that predictions (a table as `measure` returns it) determine.

    Classification and calibration are measured on scans of one known class, tumour detection on every scan; without
    a threshold (baselines) a tumour counts as detected where the label is one. Raises DatasetError where no scan has a
    known class.
    """
    predictions = predictions.assign(
        sequence=predictions["sequence"].astype(object).fillna("")
    )  # a CSV does not distinguish "" from NaN
    known = predictions[predictions["target"] != OTHER_TUMOR]
    if known.empty:
        raise DatasetError("None of the test images shows a class that the networks know.")
    targets, labels, probabilities = _arrays(known, classes)
    overall = figures(targets, labels, known["group"].to_numpy(), probabilities, classes=classes)
    if tuple(classes) != CLASSES:
        assert probabilities is not None
        return overall | {"top_3_accuracy": top_k_accuracy(probabilities, targets, 3)}
    return (
        overall
        | {"tumor": _detection(predictions, tumor_threshold)}
        | _coverage(probabilities, targets, conformal_threshold)
        | _parts(predictions, tumor_threshold)
    )


def _coverage(
    probabilities: np.ndarray | None, targets: np.ndarray, conformal_threshold: float | None
) -> dict[str, Any]:
    if probabilities is None:
        return {}
    accuracies = {str(share): accuracy_at_coverage(probabilities, targets, share) for share in COVERAGES}
    sets = {}
    if conformal_threshold is not None:
        sets = {"label_sets": label_set_figures(probabilities, targets, conformal_threshold)}
    return {"coverage": {"accuracy_on_most_certain": accuracies, **sets}}


def _parts(predictions: pd.DataFrame, tumor_threshold: float | None) -> dict[str, Any]:
    """`parts`: the figures of each source, and of each sequence of it; empty where there is only one of each."""
    sources, sequences = predictions["source"], predictions["sequence"]
    if sources.nunique() < 2 and sequences.nunique() < 2:
        return {}
    with_sequence = sources + " " + sequences
    names = sorted({*sources, *with_sequence.str.strip()})
    return {
        "parts": {
            name: _part(predictions[(sources == name) | (with_sequence == name)], tumor_threshold)
            for name in names
        }
    }


def _part(predictions: pd.DataFrame, tumor_threshold: float | None) -> dict[str, Any]:
    known = predictions[predictions["target"] != OTHER_TUMOR]
    targets, labels, probabilities = _arrays(known, CLASSES)
    overall = figures(targets, labels, known["group"].to_numpy(), probabilities)
    kept = {
        name: overall[name] for name in overall if name.removesuffix("_interval") in ("n", "accuracy", "ece")
    }
    recalls = {name: row["recall"] for name, row in overall["classes"].items() if row["n"]}
    return kept | {"recall": recalls, "tumor": _detection(predictions, tumor_threshold)}


def _arrays(rows: pd.DataFrame, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(N,) int targets and labels as indices in `classes`, and (N, C) probabilities where the table has them."""
    numbers = {name: index for index, name in enumerate(classes)}
    targets, labels = (rows[column].map(numbers).to_numpy(int) for column in ("target", "label"))
    return targets, labels, rows[list(classes)].to_numpy(float) if classes[0] in rows else None


def _detection(predictions: pd.DataFrame, threshold: float | None) -> dict[str, Any]:
    is_tumor = (predictions["target"] != "no_tumor").to_numpy()
    groups = predictions["group"].to_numpy()
    if threshold is None or "no_tumor" not in predictions:
        is_called = (predictions["label"] != "no_tumor").to_numpy(float)
        result = detection_figures(is_called, is_tumor, groups, 0.5)
        return {name: None if name.startswith(("auc", "sensitivity_at")) else result[name] for name in result}
    return detection_figures(1 - predictions["no_tumor"].to_numpy(float), is_tumor, groups, threshold)
