"""The outlier classifier: does an image show something other than a brain, such as a head CT or a spine MRI?

A logistic regression on the channel means of the segmentation network's encoder, fitted on brain MRI against images
that are none (outlier exposure: Hendrycks et al., "Deep anomaly detection with outlier exposure", ICLR 2019). It sees
what the distance to the training scans (`novelty`) lets through: gray images of a head on black that are no MRI. The
card of the segmentation network holds layers and thresholds (`card_facts.OutlierFacts`), its NAME.npz the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.networks.cards import Card

LARGEST = 6.0  # of a standardised channel mean; beyond it says no more
REGULARISATION = 1.0  # C of scikit-learn
UNUSUAL, REFUSED = 0.005, 0.001  # shares of validation scans of brains that may get that grade
KEYS = ("mean", "scale", "weights", "intercept")


@dataclass(frozen=True)
class OutlierClassifier:
    """`mean`, `scale` and `weights` (D,) and `intercept` () float32; log-odds above `unusual` and `refused` get that
    grade."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: np.ndarray
    unusual: float
    refused: float

    def scores(self, descriptions: np.ndarray) -> np.ndarray:
        """(N, D) `describe` -> (N,) log-odds of showing something other than a brain MRI slice."""
        return standardised(descriptions, self.mean, self.scale) @ self.weights + self.intercept

    def grade(self, score: float) -> str:
        """One of `ood_detector.GRADES`."""
        return "refused" if score > self.refused else "unusual" if score > self.unusual else "ok"


def describe(layers: Sequence[np.ndarray]) -> np.ndarray:
    """(N, D) float32: the channel means of layers (N, h, w, k) of the encoder, one after the other."""
    return np.concatenate([np.mean(layer, axis=(1, 2), dtype=np.float32) for layer in layers], axis=1)


def standardised(descriptions: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(N, D) float32 with mean 0 and standard deviation 1 on the scans of the fit, within LARGEST."""
    return np.clip((descriptions - mean) / scale, -LARGEST, LARGEST)


def fit_outlier_classifier(
    brains: np.ndarray, outliers: np.ndarray, validation: np.ndarray, validation_weights: np.ndarray
) -> OutlierClassifier:
    """A classifier from descriptions of brain MRI (N, D) and of outliers (M, D).

    The thresholds are quantiles of its scores on the validation scans (K, D), weighted with (K,).
    """
    from sklearn.linear_model import LogisticRegression  # a second to import, and only fitting needs it

    descriptions = np.concatenate([brains, outliers])
    mean, scale = descriptions.mean(axis=0), descriptions.std(axis=0) + 1e-6
    is_outlier = np.repeat([False, True], [len(brains), len(outliers)])
    weights = np.where(is_outlier, 1 / len(outliers), 1 / len(brains)) * len(descriptions) / 2
    regression = LogisticRegression(C=REGULARISATION, max_iter=5000)
    regression.fit(standardised(descriptions, mean, scale), is_outlier, sample_weight=weights)
    fitted = OutlierClassifier(
        mean.astype(np.float32),
        scale.astype(np.float32),
        regression.coef_[0].astype(np.float32),
        regression.intercept_[0].astype(np.float32),
        np.inf,
        np.inf,
    )
    scores = fitted.scores(validation)
    unusual, refused = np.quantile(
        scores, [1 - UNUSUAL, 1 - REFUSED], weights=validation_weights, method="inverted_cdf"
    )
    return OutlierClassifier(
        fitted.mean, fitted.scale, fitted.weights, fitted.intercept, float(unusual), float(refused)
    )


def load_outlier_classifier(card: Card) -> OutlierClassifier | None:
    """The classifier of a segmentation network; None where none was fitted.

    The arrays are those of the card where `cards.check_weights` was called before.
    """
    if card.outliers is None:
        return None
    with np.load(card.statistics, allow_pickle=False) as archive:
        mean, scale, weights, intercept = (archive[f"outlier_{key}"] for key in KEYS)
    return OutlierClassifier(mean, scale, weights, intercept, card.outliers.unusual, card.outliers.refused)
