"""The referral threshold of an ensemble of networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from utils.metrics.calibration import lowest_confidence


def fit(probabilities: Sequence[np.ndarray], targets: np.ndarray) -> dict[str, Any]:
    """The mean probability from which concordant predictions reach REFERRAL_ACCURACY, and the figures at it.

    probabilities: (N, C) calibrated, one array a network, of validation scans; targets: (N,) int.
    """
    confidence, correct = _concordant(probabilities, targets)
    agreed = confidence > 0
    threshold = lowest_confidence(confidence[agreed], correct[agreed]) if agreed.any() else 1.0
    answered = agreed & (confidence >= threshold)
    return {
        "referral_threshold": round(threshold, 4),
        "validation": {
            "n": len(correct),
            "agreed": round(float(agreed.mean()), 4),
            "answered": round(float(answered.mean()), 4),
            "accuracy": round(float(correct[answered].mean()), 4) if answered.any() else None,
        },
    }


def _concordant(probabilities: Sequence[np.ndarray], targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the mean probability of the label, 0 where the networks disagree, and (N,) bool whether it is correct."""
    labels = np.stack([network.argmax(axis=1) for network in probabilities])
    agreed = (labels == labels[0]).all(axis=0)
    mean = np.mean(probabilities, axis=0)
    return np.where(agreed, mean.max(axis=1), 0.0), mean.argmax(axis=1) == np.asarray(targets)
