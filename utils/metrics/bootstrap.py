"""The cluster bootstrap: 95 % percentile intervals of figures, with groups drawn with replacement.

A patient's slices (or an image's copies, where no patient is known) are one unit.
Source: Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8.
"""

from __future__ import annotations

import numpy as np

from utils.records.measures import exact_interval

RESAMPLES = 1000


def group_weights(group_of: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """(1 + R, G) float: how often each group was drawn. The first row is the test set as it is.

    Only that row where there is one group: its resamples would all be the same.
    """
    count = int(group_of.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.concatenate([np.ones((1, count)), drawn if count > 1 else drawn[:0]])


def group_sums(values: np.ndarray, group_of: np.ndarray) -> np.ndarray:
    """(G, K) sums over the scans of each group of values (N, K)."""
    sums = np.zeros((int(group_of.max()) + 1, values.shape[1]))
    np.add.at(sums, group_of, values)
    return sums


def with_interval(name: str, values: np.ndarray | None, groups: int | None = None) -> dict:
    """{name: the figure, name_interval: [low, high]} from (1 + R,) values, the first as it is.

    groups: for a share, how many groups have a scan that it is measured on; where it is 0 or 1 in all resamples, the
    interval is the exact one for that many cases.
    """
    if values is None or np.isnan(values[0]):
        return {name: None, f"{name}_interval": None}
    resampled = values[1:][~np.isnan(values[1:])]
    interval = np.percentile(resampled, [2.5, 97.5]) if len(resampled) else None
    if interval is not None and groups and interval[0] == interval[1] and values[0] in (0, 1):
        interval = np.asarray(exact_interval(float(values[0]), groups))
    return {
        name: round(float(values[0]), 6),
        f"{name}_interval": None if interval is None else [round(float(bound), 6) for bound in interval],
    }


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part, dtype=float), where=whole > 0)


def weighted_average_precision(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R,) area under the steps of precision over recall, under weights (R, N); NaN without a positive.

    Source: as sklearn.metrics.average_precision_score.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # equal scores have one threshold
    ordered = weights[:, order]
    detected = np.cumsum(ordered * positive[order], axis=1)[:, ends]
    precision = ratio(detected, np.cumsum(ordered, axis=1)[:, ends])
    whole = detected[:, -1]
    area = (np.diff(detected, axis=1, prepend=0) * precision).sum(axis=1)
    return np.where(whole > 0, area / np.maximum(whole, 1e-9), np.nan)


def weighted_auc(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(R,) share of (positive, negative) pairs in the right order, ties half, under weights (R, N).

    Source: the Mann-Whitney form, Hanley and McNeil, Radiology 143 (1982).
    """
    order = np.argsort(scores, kind="stable")
    tie_starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    ordered = weights[:, order]
    positives = np.add.reduceat(ordered * positive[order], tie_starts, axis=1)
    negatives = np.add.reduceat(ordered * ~positive[order], tie_starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    auc = np.full(len(weights), np.nan)
    np.divide((positives * below).sum(axis=1), pairs, out=auc, where=pairs > 0)
    return auc
