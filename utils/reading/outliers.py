"""The outlier classifier: does an image show something other than a brain, such as a head CT or a spine MRI?

A logistic regression on means and standard deviations of channels of the segmentation network's encoder, fitted on
brain MRI against images that are none (outlier exposure: Hendrycks et al., "Deep anomaly detection with outlier
exposure", ICLR 2019). It sees what the distance to the training scans (`novelty`) lets through: gray images of a head
on black that are no MRI. The card of the segmentation network holds layers and thresholds (`card_facts.OutlierFacts`),
its NAME.npz the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from utils.networks.cards import Card

LARGEST = 6.0  # of a standardised value; beyond it there is no further information
REGULARISATION = 0.03  # C of scikit-learn
UNUSUAL, REFUSED = 0.003, 0.001  # shares of validation scans of brains that may get that grade
MISLABELLED = 1.0  # log-odds, from a fit without its group, above which a "brain scan" shows something else
FOLDS = 5
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
    """(N, D) float32: mean and standard deviation of each channel of layers (N, h, w, k) of the encoder."""
    parts = []
    for layer in layers:
        mean = np.mean(layer, axis=(1, 2), dtype=np.float32)
        square = np.einsum("nhwk,nhwk->nk", layer, layer) / (layer.shape[1] * layer.shape[2])
        parts += [mean, np.sqrt(np.maximum(square - mean**2, 0))]
    return np.concatenate(parts, axis=1).astype(np.float32, copy=False)


def standardised(descriptions: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(N, D) float32 with mean 0 and standard deviation 1 on the scans of the fit, within LARGEST."""
    return np.clip((descriptions - mean) / scale, -LARGEST, LARGEST)


def fit_outlier_classifier(
    brains: np.ndarray, outliers: np.ndarray, validation: np.ndarray, validation_weights: np.ndarray
) -> OutlierClassifier:
    """A classifier from descriptions of brain MRI (N, D) and of outliers (M, D).

    The thresholds are quantiles of its scores on the validation scans (K, D), weighted with (K,).
    """
    fitted = _fit(brains, outliers)
    unusual, refused = np.quantile(
        fitted.scores(validation),
        [1 - UNUSUAL, 1 - REFUSED],
        weights=validation_weights,
        method="inverted_cdf",
    )
    return replace(fitted, unusual=float(unusual), refused=float(refused))


def mislabelled(brains: np.ndarray, groups: np.ndarray, outliers: np.ndarray) -> np.ndarray:
    """(N,) bool: the "brain scans" (N, D) that a classifier fitted without their group calls an outlier.

    Public collections contain some: Nickparvar's classes hold head CT. `groups` (N,): scans of one patient share one.
    """
    from sklearn.model_selection import GroupKFold

    scores = np.empty(len(brains))
    for others, held_out in GroupKFold(FOLDS).split(brains, groups=groups):
        scores[held_out] = _fit(brains[others], outliers).scores(brains[held_out])
    return scores > MISLABELLED


def _fit(brains: np.ndarray, outliers: np.ndarray) -> OutlierClassifier:
    """The classifier without thresholds; both kinds count the same."""
    from sklearn.linear_model import LogisticRegression  # a second to import, and only fitting needs it

    descriptions = np.concatenate([brains, outliers])
    mean, scale = descriptions.mean(axis=0), descriptions.std(axis=0) + 1e-6
    is_outlier = np.repeat([False, True], [len(brains), len(outliers)])
    weights = np.where(is_outlier, 1 / len(outliers), 1 / len(brains)) * len(descriptions) / 2
    regression = LogisticRegression(C=REGULARISATION, max_iter=5000)
    regression.fit(standardised(descriptions, mean, scale), is_outlier, sample_weight=weights)
    return OutlierClassifier(
        mean.astype(np.float32),
        scale.astype(np.float32),
        regression.coef_[0].astype(np.float32),
        regression.intercept_[0].astype(np.float32),
        np.inf,
        np.inf,
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
