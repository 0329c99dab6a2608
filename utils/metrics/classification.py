"""Figures from labels, logits and probabilities, each with its interval. Pure functions on arrays.

The intervals come from `utils.metrics.bootstrap`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.metrics.bootstrap import RESAMPLES, group_sums, group_weights, ratio, weighted_auc, with_interval
from utils.metrics.softmax import softmax

CLASS_FIGURES = ("precision", "recall", "f1", "iou", "auc")
OVERALL_FIGURES = (
    "accuracy", "loss", "macro_precision", "macro_recall", "macro_f1", "macro_iou", "auc", "kappa", "ece",
)  # fmt: skip
ECE_BINS = 15
LEAST_PROBABILITY = 1e-12  # the loss of one scan stays below 27.7 nats
_ROWS_AT_ONCE = 200  # resamples weighted at a time: (200, N) floats, a few MB


def cross_entropy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Mean negative log-likelihood (nats) of integer targets (N,) under logits (N, C)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_likelihood = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-np.mean(log_likelihood[np.arange(len(targets)), targets]))


def top_k_accuracy(probabilities: np.ndarray, targets: np.ndarray, k: int) -> float:
    """The share of scans (probabilities (N, C), targets (N,) int) whose class is among the k likeliest."""
    likeliest = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return float((likeliest == np.asarray(targets)[:, None]).any(axis=1).mean())


def set_cross_entropy(logits: np.ndarray, right: np.ndarray) -> float:
    """Mean of minus the logarithm of the summed probability of all correct classes (N, C), under logits (N, C)."""
    common = (softmax(logits.astype(np.float64)) * right).sum(axis=1)
    return float(-np.mean(np.log(np.maximum(common, LEAST_PROBABILITY))))


def confidence_bins(confidence: np.ndarray, bins: int) -> np.ndarray:
    """(N,) int: which of `bins` equal bins (low, high] of 0..1 each confidence (N,) falls in."""
    return np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)


def figures(
    targets: np.ndarray,
    labels: np.ndarray,
    groups: Sequence | np.ndarray,
    probabilities: np.ndarray | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    classes: Sequence[str] = CLASSES,
) -> dict:
    """Every figure of one network on one test set, ready for JSON.

    targets, labels: (N,) int, true and predicted indices in `classes`. groups: (N,) the units of the bootstrap.
    probabilities: (N, C), or None (nearest neighbour): then loss, auc and ece are None.

    Keys: n, groups, each of OVERALL_FIGURES and its `<name>_interval` [low, high], `classes` {class: n and
    CLASS_FIGURES with intervals} and `confusion` (C x C counts, rows truth, columns prediction).
    A division by zero gives 0.0 as sklearn's zero_division=0 does; macro means go over the classes that occur
    in truth or prediction; a class that occurs in neither has None. An interval is None where there is only
    one group. The bootstrap's ece leans upward (resampling adds scatter), so its interval does too.
    Raises ValueError where the arrays are empty or do not fit together.
    """
    targets, labels = np.asarray(targets, dtype=int), np.asarray(labels, dtype=int)
    _check(targets, labels, groups, probabilities, len(classes))
    group_of = pd.factorize(np.asarray(groups))[0]
    weights = group_weights(group_of, resamples, seed)
    confusions = _confusions(targets, labels, group_of, weights, len(classes))
    by_class = _class_values(confusions)
    overall = _confusion_values(confusions)
    by_class["auc"] = np.full(by_class["f1"].shape, np.nan)
    if probabilities is not None:
        probabilities = np.asarray(probabilities, dtype=float)
        by_class["auc"] = _class_aucs(targets, probabilities, group_of, weights)
        overall |= _probability_values(targets, probabilities, group_of, weights)
    overall |= {f"macro_{name}": _mean(by_class[name]) for name in ("precision", "recall", "f1", "iou")}
    overall["auc"] = _mean(by_class["auc"])
    result: dict = {"n": len(targets), "groups": int(group_of.max()) + 1}
    for name in OVERALL_FIGURES:
        result |= with_interval(name, overall.get(name), result["groups"] if name == "accuracy" else None)
    result["classes"] = {}
    for index, title in enumerate(classes):
        result["classes"][title] = {"n": int((targets == index).sum())}
        groups_with = len(set(group_of[targets == index]))
        for name in CLASS_FIGURES:
            groups_of = groups_with if name == "recall" else None
            result["classes"][title] |= with_interval(name, by_class[name][:, index], groups_of)
    result["confusion"] = confusions[0].astype(int).tolist()
    return result


def _check(
    targets: np.ndarray,
    labels: np.ndarray,
    groups: Sequence | np.ndarray,
    probabilities: np.ndarray | None,
    classes: int,
) -> None:
    if len(targets) == 0:
        raise ValueError("There is no scan to measure figures on.")
    if not len(targets) == len(labels) == len(groups):
        raise ValueError(f"{len(targets)} targets, {len(labels)} labels and {len(groups)} groups do not fit.")
    if pd.isna(np.asarray(groups)).any():
        raise ValueError("Some scans have no group.")
    both = np.concatenate([targets, labels])
    if both.min() < 0 or both.max() >= classes:
        raise ValueError(f"Targets and labels are indices of the {classes} classes.")
    if probabilities is not None:
        if np.shape(probabilities) != (len(targets), classes):
            raise ValueError(
                f"Probabilities of shape {np.shape(probabilities)} do not fit {len(targets)} scans."
            )
        if not np.isfinite(probabilities).all():
            raise ValueError("Some probabilities are not finite numbers.")


def _confusions(
    targets: np.ndarray, labels: np.ndarray, group_of: np.ndarray, weights: np.ndarray, classes: int
) -> np.ndarray:
    """(1 + R, C, C) weighted counts, rows truth, columns prediction."""
    cells = np.eye(classes**2)[targets * classes + labels]
    return (weights @ group_sums(cells, group_of)).reshape(-1, classes, classes)


def _class_values(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """(1 + R, C) of each figure per class; NaN where a class occurs neither in truth nor in prediction."""
    right = np.diagonal(confusions, axis1=1, axis2=2)
    truth, called = confusions.sum(axis=2), confusions.sum(axis=1)
    absent = truth + called == 0
    values = {
        "precision": ratio(right, called),
        "recall": ratio(right, truth),
        "f1": ratio(2 * right, truth + called),
        "iou": ratio(right, truth + called - right),
    }
    return {name: np.where(absent, np.nan, value) for name, value in values.items()}


def _confusion_values(confusions: np.ndarray) -> dict[str, np.ndarray]:
    """(1 + R,) accuracy and kappa (Cohen 1960; NaN where truth and prediction are one and the same class)."""
    total = confusions.sum(axis=(1, 2))
    agreement = np.trace(confusions, axis1=1, axis2=2) / total
    chance = (confusions.sum(axis=1) * confusions.sum(axis=2)).sum(axis=1) / total**2
    kappa = np.full(len(total), np.nan)
    np.divide(agreement - chance, 1 - chance, out=kappa, where=chance < 1)
    return {"accuracy": agreement, "kappa": kappa}


def _probability_values(
    targets: np.ndarray, probabilities: np.ndarray, group_of: np.ndarray, weights: np.ndarray
) -> dict[str, np.ndarray]:
    """(1 + R,) loss in nats and expected calibration error."""
    likelihood = probabilities[np.arange(len(targets)), targets]
    losses = -np.log(np.maximum(likelihood, LEAST_PROBABILITY))
    gap = probabilities.max(axis=1) - (probabilities.argmax(axis=1) == targets)
    gaps = np.eye(ECE_BINS)[confidence_bins(probabilities.max(axis=1), ECE_BINS)] * gap[:, None]
    columns = np.column_stack([np.ones(len(targets)), losses, gaps])
    sums = weights @ group_sums(columns, group_of)
    return {"loss": sums[:, 1] / sums[:, 0], "ece": np.abs(sums[:, 2:]).sum(axis=1) / sums[:, 0]}


def _class_aucs(
    targets: np.ndarray, probabilities: np.ndarray, group_of: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """(1 + R, C) area under the one-vs-rest ROC curve; NaN where a class or its rest is missing."""
    aucs = np.empty((len(weights), probabilities.shape[1]))
    for start in range(0, len(weights), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        scan_weights = weights[rows][:, group_of]
        for index in range(probabilities.shape[1]):
            aucs[rows, index] = weighted_auc(probabilities[:, index], targets == index, scan_weights)
    return aucs


def _mean(values: np.ndarray) -> np.ndarray:
    """(1 + R,) mean over the classes that have a value."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN gives NaN, and that is meant
        return np.nanmean(values, axis=1)
