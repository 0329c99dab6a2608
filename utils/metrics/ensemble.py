"""The referral threshold of an ensemble: networks that are asked together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from utils.metrics.calibration import lowest_confidence


def fit(probabilities: Sequence[np.ndarray], targets: np.ndarray) -> dict[str, Any]:
    """The mean probability from which on the networks' common answers are right 98 times in 100, and what that gives.

    probabilities: (N, C) calibrated, one array a network, of validation scans; targets: (N,) int.
    """
    confidence, right = _common(probabilities, targets)
    agreed = confidence > 0
    threshold = lowest_confidence(confidence[agreed], right[agreed]) if agreed.any() else 1.0
    answered = agreed & (confidence >= threshold)
    return {
        "referral_threshold": round(threshold, 4),
        "validation": {
            "n": len(right),
            "agreed": round(float(agreed.mean()), 4),
            "answered": round(float(answered.mean()), 4),
            "accuracy": round(float(right[answered].mean()), 4) if answered.any() else None,
        },
    }


def _common(probabilities: Sequence[np.ndarray], targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the mean probability of the answer, 0 where the networks disagree, and (N,) bool whether it is right."""
    labels = np.stack([one.argmax(axis=1) for one in probabilities])
    agreed = (labels == labels[0]).all(axis=0)
    mean = np.mean(probabilities, axis=0)
    return np.where(agreed, mean.max(axis=1), 0.0), mean.argmax(axis=1) == np.asarray(targets)
