"""Shares of scans that may come several from one patient: their interval, and how many scans a width needs."""

from __future__ import annotations

import math

import numpy as np

from utils.metrics.calibration import wilson_interval
from utils.records.acceptance import Share

HALF_WIDTH = 0.05  # of the interval that `scans_needed` is about: ± 5 percentage points
CONFIDENCE = 0.95
NORMAL = 1.959964  # its quantile for CONFIDENCE


def share(hits: np.ndarray, groups: np.ndarray) -> Share | None:
    """The share of (N,) bool `hits` with its 95 % interval; None without a scan. groups: (N,) the patient of each.

    Wilson's interval; where patients have several scans, for as many independent scans as carry the same information
    (the design effect of clusters), with a t quantile for few patients.
    Source: Dean and Pagano, J. Surv. Stat. Methodol. 3 (2015).
    """
    hits = np.asarray(hits, dtype=float)
    if not len(hits):
        return None
    group_of = np.unique(np.asarray(groups), return_inverse=True)[1]
    sizes = np.bincount(group_of)
    effect = _design_effect(hits, group_of, sizes)
    low, high = wilson_interval(
        np.array([hits.sum() / effect]), np.array([len(hits) / effect]), _quantile(sizes)
    )
    value = float(hits.mean())
    return Share(
        value=round(value, 4),
        low=round(min(float(low[0]), value), 4),
        high=round(max(float(high[0]), value), 4),
        n=len(hits),
        patients=len(sizes),
        needed=_scans_needed(float(low[0] + high[0]) / 2, effect),
    )


def _design_effect(hits: np.ndarray, group_of: np.ndarray, sizes: np.ndarray) -> float:
    """The variance of the share (jackknife over patients) over that of independent scans, at least 1.

    Where it cannot be measured, as if all scans of a patient were alike.
    """
    count, patients, value = len(hits), len(sizes), hits.mean()
    if value in (0, 1) or patients in (1, count):
        return count / patients
    changes = np.bincount(group_of, hits - value) / (count - sizes)  # of the share without a patient
    variance = (patients - 1) / patients * (changes**2).sum()
    return float(np.clip(variance / (value * (1 - value) / count), 1, count))


def _quantile(sizes: np.ndarray) -> float:
    """Of the t distribution; patients with many scans count for few degrees of freedom (Kish). With a scan of each
    patient, whose variance is not estimated, of the normal distribution."""
    if sizes.max() == 1:
        return NORMAL
    from scipy.stats import t  # half a second to import, and the app's first page does without

    patients = sizes.sum() ** 2 / (sizes**2).sum()
    return float(t.ppf((1 + CONFIDENCE) / 2, max(patients - 1, 1)))


def _scans_needed(value: float, design_effect: float) -> int:
    """How many scans, with as many to a patient as here, give a share near `value` an interval of ± HALF_WIDTH."""
    return math.ceil(NORMAL**2 * value * (1 - value) / HALF_WIDTH**2 * design_effect)
