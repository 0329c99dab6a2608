"""The ensemble: how the outputs of several networks become one answer, and from which confidence on it counts.

Whether there is a tumour is decided by all networks, in a logistic regression (stacking: Wolpert, "Stacked
generalization", Neural Networks 5, 1992); the type of the tumour by the classifiers, whose probabilities are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from utils.classes import CLASSES
from utils.metrics.softmax import softmax

NO_TUMOR = CLASSES.index("no_tumor")
MOST_MISSED = 0.1  # share of the tumours of collections never seen that may be answered as "no tumour"
LEAST_PROBABILITY = 1e-12  # that of a class, so that its logarithm is finite
SCORE_MARGIN = 1e-5  # a tumour score is kept this far from 0 and 1, so that its log-odds are finite


def tumor_log_odds(logits: np.ndarray) -> np.ndarray:
    """(..., C) logits of CLASSES -> (...,) log-odds of any tumour against none."""
    logits = np.asarray(logits, np.float64)
    tumors = np.delete(logits, NO_TUMOR, axis=-1)
    return np.logaddexp.reduce(tumors, axis=-1) - logits[..., NO_TUMOR]


def score_log_odds(scores: np.ndarray, margin: float = SCORE_MARGIN) -> np.ndarray:
    """(...,) tumour scores (0..1) -> their log-odds, finite by the margin from 0 and 1; NaN stays."""
    clipped = np.clip(np.asarray(scores, np.float64), margin, 1 - margin)
    return np.log(clipped) - np.log1p(-clipped)


def mean_probabilities(logits: Sequence[np.ndarray], temperatures: Sequence[float]) -> np.ndarray:
    """(N, C): the mean of the classifiers' calibrated probabilities; logits: (N, C) for each of them."""
    pairs = zip(logits, temperatures, strict=True)
    return np.mean([softmax(np.asarray(values) / temperature) for values, temperature in pairs], axis=0)


def joint_probabilities(type_probabilities: np.ndarray, tumor_probability: np.ndarray) -> np.ndarray:
    """(N, C): the probability of any tumour (N,), divided among the types as in `type_probabilities` (N, C)."""
    tumors = np.asarray(type_probabilities, np.float64).copy()
    tumors[:, NO_TUMOR] = 0
    joint = tumors * (tumor_probability / np.maximum(tumors.sum(axis=1), 1e-12))[:, None]
    joint[:, NO_TUMOR] = 1 - tumor_probability
    return joint


def with_temperature(joint: np.ndarray, temperature: float) -> np.ndarray:
    """(N, C): the probabilities of a softmax whose logits are divided by the temperature; 1 leaves them as they are."""
    return softmax(np.log(np.maximum(joint, LEAST_PROBABILITY)) / temperature)


def labels_of(joint: np.ndarray, tumor_threshold: float | None = None) -> np.ndarray:
    """(N,) int: the most probable class of (N, C); with a threshold the most probable tumour from that tumour
    probability on, else no tumour."""
    joint = np.asarray(joint)
    if tumor_threshold is None:
        return joint.argmax(axis=1)
    types = np.delete(np.arange(joint.shape[1]), NO_TUMOR)
    is_tumor = 1 - joint[:, NO_TUMOR] >= tumor_threshold
    return np.where(is_tumor, types[joint[:, types].argmax(axis=1)], NO_TUMOR)


def ensemble_probabilities(
    type_probabilities: np.ndarray,
    log_odds: Mapping[str, np.ndarray],
    intercept: float,
    weights: Mapping[str, float],
) -> np.ndarray:
    """(N, C): `joint_probabilities` of the tumour probability that networks give together.

    log_odds: network -> (N,) its log-odds of a tumour, for every network that has a weight; type_probabilities: (N, C).
    """
    stacked = np.stack([log_odds[name] for name in weights], axis=1)
    return joint_probabilities(
        type_probabilities, tumor_probability(stacked, intercept, list(weights.values()))
    )


def tumor_probability(log_odds: np.ndarray, intercept: float, weights: Sequence[float]) -> np.ndarray:
    """(N,) the joint probability of any tumour from the networks' log-odds (N, K)."""
    return 1 / (1 + np.exp(-(intercept + np.asarray(log_odds) @ np.asarray(weights, np.float64))))


def fit_detection(
    log_odds: np.ndarray, is_tumor: np.ndarray, sample_weights: np.ndarray
) -> tuple[float, list[float]]:
    """(intercept, K weights) of the logistic regression of (N,) bool on (N, K) log-odds.

    No weight is negative: a network whose higher log-odds would speak against a tumour gets 0, and the others are
    fitted without it.
    """
    from sklearn.linear_model import LogisticRegression  # a second to import, and only fitting needs it

    kept, weights = np.arange(log_odds.shape[1]), np.zeros(log_odds.shape[1])
    while True:
        regression = LogisticRegression().fit(log_odds[:, kept], is_tumor, sample_weight=sample_weights)
        lowest = int(regression.coef_[0].argmin())
        if len(kept) == 1 or regression.coef_[0][lowest] >= 0:
            break
        kept = np.delete(kept, lowest)
    weights[kept] = regression.coef_[0]
    return float(regression.intercept_[0]), weights.tolist()


def concordant(labels: Sequence[np.ndarray], joint: np.ndarray) -> np.ndarray:
    """(N,) bool: every classifier's label (N,) int is that of the joint probabilities (N, C)."""
    return np.all([network == joint.argmax(axis=1) for network in labels], axis=0)


def least_no_tumor(joint: np.ndarray, agreed: np.ndarray, weights: np.ndarray) -> float:
    """The probability of no tumour above which at most MOST_MISSED of these tumours are answered as "no tumour".

    joint: (N, C) probabilities of scans with a tumour, agreed: (N,) bool (`concordant`), weights: (N,) of the scans.
    """
    is_missed = agreed & (joint.argmax(axis=1) == NO_TUMOR)
    missed = np.where(is_missed, joint[:, NO_TUMOR], 0.0)
    return float(np.quantile(missed, 1 - MOST_MISSED, method="inverted_cdf", weights=weights))


def fit(probabilities: Sequence[np.ndarray], targets: np.ndarray) -> dict[str, Any]:
    """`fit_referral` of the mean probability, where there is no joint one.

    probabilities: (N, C) calibrated, one array a network, of validation scans; targets: (N,) int.
    """
    mean = np.mean(probabilities, axis=0)
    return fit_referral(
        mean, concordant([network.argmax(axis=1) for network in probabilities], mean), targets
    )


def fit_referral(
    joint: np.ndarray, agreed: np.ndarray, targets: np.ndarray, least_no_tumor: float = 0.0
) -> dict[str, Any]:
    """For each class the probability from which on concordant predictions of it reach REFERRAL_ACCURACY.

    joint: (N, C) probabilities, agreed: (N,) bool (`concordant`), targets: (N,) int; least_no_tumor: the least
    threshold of "no tumour". One threshold for all classes would let the confident answers of one class pay for wrong
    ones of another. A class that reaches the accuracy nowhere gets 1. With the figures of the scans at the thresholds.
    """
    from utils.metrics import calibration  # it brings pandas and SciPy, and only fitting needs it

    confidence, labels = joint.max(axis=1), joint.argmax(axis=1)
    correct = labels == np.asarray(targets)
    rows_of_class = [agreed & (labels == label) for label in range(joint.shape[1])]
    thresholds = np.array(
        [calibration.lowest_confidence(confidence[rows], correct[rows]) for rows in rows_of_class]
    )
    thresholds[NO_TUMOR] = max(thresholds[NO_TUMOR], least_no_tumor)
    thresholds = np.round(thresholds, 4)
    answered = agreed & (confidence >= thresholds[labels])
    return {
        "referral_thresholds": dict(zip(CLASSES, thresholds.tolist(), strict=True)),
        "validation": {
            "n": len(correct),
            "agreed": round(float(agreed.mean()), 4),
            "answered": round(float(answered.mean()), 4),
            "accuracy": round(float(correct[answered].mean()), 4) if answered.any() else None,
        },
    }
