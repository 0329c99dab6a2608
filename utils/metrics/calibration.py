"""Calibration of probabilities: temperature, reliability, and from which confidence on a scan is not referred."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from utils.metrics.bootstrap import group_weights
from utils.metrics.classification import confidence_bins, cross_entropy

REFERRAL_ACCURACY = 0.98  # on validation scans that are not referred
TEMPERATURES = (0.05, 20.0)  # the range of the search; scans without an error would drive it to 0


def fit_temperature(logits: np.ndarray, targets: np.ndarray) -> float:
    """The temperature T that minimises the loss of logits / T on validation scans.

    logits: (N, C) float; targets: (N,) int. Above 1 the network was overconfident. Within TEMPERATURES.
    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    from scipy.optimize import minimize_scalar  # the app needs the other functions alone, on its first page

    logits = np.asarray(logits, dtype=np.float64)
    bounds = (math.log(TEMPERATURES[0]), math.log(TEMPERATURES[1]))
    best = minimize_scalar(
        lambda log_temperature: cross_entropy(logits / math.exp(log_temperature), targets),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(best.x)


def reliability(probabilities: np.ndarray, targets: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """One row for each bin of confidence that holds a scan, lowest first.

    Columns: low, high (the bin), confidence and accuracy (means, 0..1), count, accuracy_low and accuracy_high
    (Wilson 95 %, which takes the scans as independent). probabilities: (N, C); targets: (N,) int.
    """
    confidence, right = _confidence(probabilities, targets)
    table = pd.DataFrame({"bin": confidence_bins(confidence, bins), "confidence": confidence, "right": right})
    by_bin = table.groupby("bin").agg(
        confidence=("confidence", "mean"), right=("right", "sum"), count=("right", "size")
    )
    low, high = wilson_interval(by_bin["right"].to_numpy(), by_bin["count"].to_numpy())
    return pd.DataFrame(
        {
            "low": by_bin.index.to_numpy() / bins,
            "high": (by_bin.index.to_numpy() + 1) / bins,
            "confidence": by_bin["confidence"].to_numpy(),
            "accuracy": (by_bin["right"] / by_bin["count"]).to_numpy(),
            "count": by_bin["count"].to_numpy(),
            "accuracy_low": low,
            "accuracy_high": high,
        }
    )


def referral_threshold(
    probabilities: np.ndarray, targets: np.ndarray, accuracy: float = REFERRAL_ACCURACY
) -> float:
    """The lowest confidence such that the scans at or above it are classified with this accuracy.

    probabilities: (N, C) of validation scans, calibrated; targets: (N,) int. A scan below the threshold is referred to
    a person. 1.0 means that no threshold reaches the accuracy: every scan below certainty is referred. Where all scans
    together reach it, the lowest confidence in the data is the threshold.
    """
    return lowest_confidence(*_confidence(probabilities, targets), accuracy)


def lowest_confidence(
    confidence: np.ndarray, right: np.ndarray, accuracy: float = REFERRAL_ACCURACY
) -> float:
    """The same for predictions with their confidence (N,) and whether they are correct (N,); 1.0 without any."""
    if not len(confidence):
        return 1.0
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    reached = np.cumsum(right) / np.arange(1, len(right) + 1) >= accuracy
    last_of_its_value = np.append(confidence[1:] < confidence[:-1], True)  # equal confidences go together
    possible = confidence[reached & last_of_its_value]
    return float(possible[-1]) if len(possible) else 1.0


def accuracy_at_coverage(probabilities: np.ndarray, targets: np.ndarray, share: float) -> float:
    """The accuracy on the given share of the scans, the most certain ones (at least one).

    probabilities: (N, C); targets: (N,) int. Source: El-Yaniv and Wiener, JMLR 11 (2010), the risk-coverage curve.
    """
    confidence, right = _confidence(probabilities, targets)
    order = np.argsort(-confidence, kind="stable")[: max(round(share * len(right)), 1)]
    return float(right[order].mean())


def risk_coverage(
    confidence: np.ndarray, right: np.ndarray, groups: np.ndarray, resamples: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Accuracy on the most certain scans, for shares of 10 % and more: share, accuracy, low, high (0..1; 95 %).

    confidence: (N,) float; right: (N,) bool; groups: (N,) what is drawn together for the interval (`bootstrap`).
    Source: El-Yaniv and Wiener, JMLR 11 (2010).
    """
    order = np.argsort(-np.asarray(confidence), kind="stable")
    group_of = pd.factorize(np.asarray(groups))[0][order]
    weights = group_weights(group_of, resamples, seed)[:, group_of]
    answered = np.cumsum(weights, axis=1)
    correct = np.cumsum(weights * np.asarray(right, dtype=float)[order], axis=1)
    shares = np.linspace(0.1, 1, 46)
    accuracy = np.array(
        [
            np.interp(shares, counted / counted[-1], good / np.maximum(counted, 1))
            for counted, good in zip(answered, correct, strict=True)
        ]
    )
    low, high = np.percentile(accuracy[1:] if len(accuracy) > 1 else accuracy, [2.5, 97.5], axis=0)
    return pd.DataFrame({"share": shares, "accuracy": accuracy[0], "low": low, "high": high})


def conformal_threshold(probabilities: np.ndarray, targets: np.ndarray, coverage: float = 0.95) -> float:
    """The probability from which on a class belongs to a scan's label set, so that the set holds the truth in at
    least `coverage` of new scans that are drawn as the validation scans were.

    probabilities: (N, C) of validation scans; targets: (N,) int. Source: Sadinle et al., JASA 114 (2019), least
    ambiguous set-valued classifiers.
    """
    of_truth = np.sort(np.asarray(probabilities)[np.arange(len(targets)), targets])
    rank = math.floor((1 - coverage) * (len(of_truth) + 1))
    return float(of_truth[rank - 1]) if rank else 0.0


def label_set_figures(probabilities: np.ndarray, targets: np.ndarray, threshold: float) -> dict[str, float]:
    """How often the label sets (classes at or above the threshold) hold the truth, their mean size, and the shares
    that name one class and none."""
    inside = np.asarray(probabilities) >= threshold
    sizes = inside.sum(axis=1)
    return {
        "threshold": threshold,
        "coverage": float(inside[np.arange(len(targets)), targets].mean()),
        "mean_size": float(sizes.mean()),
        "single": float((sizes == 1).mean()),
        "empty": float((sizes == 0).mean()),
    }


def wilson_interval(
    right: np.ndarray, count: np.ndarray, z: float = 1.959964
) -> tuple[np.ndarray, np.ndarray]:
    """(low, high), 95 % bounds of the proportions right / count, each (N,). Source: Wilson, JASA 22 (1927)."""
    share = right / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _confidence(probabilities: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) the top probability and (N,) 1.0 where it stands on the target."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if len(probabilities) == 0 or len(probabilities) != len(targets):
        raise ValueError(f"{len(probabilities)} probabilities and {len(targets)} targets do not fit.")
    return probabilities.max(axis=1), (probabilities.argmax(axis=1) == np.asarray(targets)).astype(float)
