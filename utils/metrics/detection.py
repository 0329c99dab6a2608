"""Tumour detection: any tumour against no tumour.

The score is the calibrated probability of any tumour, 1 - p(no_tumor); a scan is positive from a threshold that was set
on validation scans. Tumours of types that are no class (OTHER_TUMOR) are tumours here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.metrics.bootstrap import RESAMPLES, group_sums, group_weights, ratio, weighted_auc, with_interval

SPECIFICITY = 0.95  # at which sensitivities are compared
DETECTION_FIGURES = ("auc", "sensitivity", "specificity", "sensitivity_at_95_specificity")


def threshold_at(healthy: np.ndarray, specificity: float = SPECIFICITY) -> float:
    """The lowest threshold with this specificity on the healthy scores (N,); a score >= threshold is positive."""
    ordered = np.sort(np.asarray(healthy, dtype=float))
    last = int(np.ceil(specificity * len(ordered))) - 1
    return float(np.nextafter(ordered[last], np.inf))


def detection_figures(
    scores: np.ndarray,
    tumor: np.ndarray,
    groups: Sequence | np.ndarray,
    threshold: float,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict:
    """Every one of DETECTION_FIGURES with its interval, and the counts, ready for JSON.

    scores: (N,) float; tumor: (N,) bool; groups: (N,) the units of the bootstrap. A figure without a scan to
    measure it on (no tumour, or no healthy scan) is None. `sensitivity_at_95_specificity` takes its threshold from the
    healthy test scans themselves (of each resample), as a point on the ROC curve.
    """
    import pandas as pd

    scores, tumor = np.asarray(scores, dtype=float), np.asarray(tumor, dtype=bool)
    group_of = pd.factorize(np.asarray(groups))[0]
    weights = group_weights(group_of, resamples, seed)
    positive = scores >= threshold
    columns = np.column_stack([tumor & positive, tumor, ~tumor & ~positive, ~tumor]).astype(float)
    sums = weights @ group_sums(columns, group_of)
    of_scans = weights[:, group_of]
    values = {
        "auc": weighted_auc(scores, tumor, of_scans),
        "sensitivity": np.where(sums[:, 1] > 0, ratio(sums[:, 0], sums[:, 1]), np.nan),
        "specificity": np.where(sums[:, 3] > 0, ratio(sums[:, 2], sums[:, 3]), np.nan),
        "sensitivity_at_95_specificity": _sensitivity_at(scores, tumor, of_scans),
    }
    result: dict = {"tumors": int(tumor.sum()), "healthy": int((~tumor).sum()), "threshold": threshold}
    groups_with = {kind: len(set(group_of[tumor == kind])) for kind in (True, False)}
    for name in DETECTION_FIGURES:
        groups_of = None if name == "auc" else groups_with[name != "specificity"]
        result |= with_interval(name, values[name], groups_of)
    return result


def _sensitivity_at(scores: np.ndarray, tumor: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R,) sensitivity at the threshold with SPECIFICITY on the healthy scans; weights (R, N)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # equal scores have one threshold
    ordered = weights[:, order]
    tumors, healthy = (
        np.cumsum(ordered * kind[order], axis=1)[:, ends] for kind in (tumor, ~tumor)
    )  # positive so far, from the highest score down
    allowed = healthy <= (1 - SPECIFICITY) * healthy[:, -1:] + 1e-9
    best = np.max(np.where(allowed, tumors, 0), axis=1)
    known = (tumors[:, -1] > 0) & (healthy[:, -1] > 0)
    return np.where(known, best / np.maximum(tumors[:, -1], 1e-9), np.nan)
