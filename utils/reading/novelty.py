"""Novelty: the distance of an image from the scans that a network was trained on, and the thresholds on it.

An image is described by the channel means of the network's evidence layer and by statistics of the preprocessed
image. The first alone miss cropped and shuffled slices, the second alone miss gray drawings on black. The score is the
distance to the third nearest training scan in the Mahalanobis metric of the training scans. docs/experiments.md
compares the methods.

Sources: Lee et al., "A simple unified framework for detecting out-of-distribution samples and adversarial attacks",
NeurIPS 2018 (Mahalanobis distance in feature space); Sun et al., "Out-of-distribution detection with deep nearest
neighbors", ICML 2022; Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
J. Multivariate Analysis 88 (2004).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

METHOD = (
    "distance to the third nearest training scan, in the Mahalanobis metric of the training scans (Ledoit-Wolf "
    "covariance), of the evidence layer's channel means and of statistics of the preprocessed picture, over the root "
    "of their number"
)
SOURCE = (
    "Lee et al., NeurIPS 2018; Sun et al., ICML 2022; Ledoit and Wolf, J. Multivariate Analysis 88 (2004)"
)
NEIGHBOUR = 3
LARGEST = 6e4  # what float16 holds
MARKED = (
    0.005  # share of validation scans that one network may flag: half of the 1 % for the two shipped ones
)
REFUSED = 0.001  # share of brain scans that it may refuse, extrapolated from the validation scores
TAIL = 0.05  # share of the validation scores that counts as tail
FOREGROUND = 0.08  # of full brightness, as in utils.scans.preprocessing


@dataclass(frozen=True)
class TrainingScans:
    """The descriptions of the training scans and their metric: `mean` and `scale` (D,), `factor` (D, D), all float32.

    `factor` is the lower Cholesky factor of the inverse covariance of the scaled descriptions; `whitened_scans`
    are the (M, D) float16 descriptions, scaled and multiplied with it.
    """

    mean: np.ndarray
    scale: np.ndarray
    factor: np.ndarray
    whitened_scans: np.ndarray

    def whitened(self, descriptions: np.ndarray) -> np.ndarray:
        """(N, D) float32, in which distances are Mahalanobis distances."""
        return ((descriptions - self.mean) / self.scale) @ self.factor

    @cached_property
    def _known(self) -> np.ndarray:
        """The training scans as float32: a few MB, and converting them takes longer than a distance."""
        return self.whitened_scans.astype(np.float32)

    def distance(self, descriptions: np.ndarray) -> np.ndarray:
        """(N, D) float32 -> (N,) float32, not negative, to the third nearest training scan."""
        nearest = min(NEIGHBOUR, len(self._known)) - 1
        differences = (self._known - description for description in self.whitened(descriptions))
        squares = (np.einsum("md,md->m", each, each) / each.shape[1] for each in differences)
        return np.asarray([np.sqrt(np.partition(each, nearest)[nearest]) for each in squares])


def fit_training_scans(descriptions: np.ndarray) -> TrainingScans:
    """(N, D) float32 descriptions of training scans -> their statistics."""
    from sklearn.covariance import LedoitWolf  # a second to import, and only fitting needs it

    descriptions = np.asarray(descriptions, np.float64)
    mean, spread = descriptions.mean(axis=0), descriptions.std(axis=0)
    scale = np.maximum(spread, 1e-3 * np.median(spread) + 1e-9)  # channels that never fire
    precision = LedoitWolf(assume_centered=True).fit((descriptions - mean) / scale).precision_
    factor = np.linalg.cholesky(precision)
    empty = np.zeros((0, len(mean)), np.float16)
    metric = TrainingScans(
        mean.astype(np.float32), scale.astype(np.float32), factor.astype(np.float32), empty
    )
    scans = np.clip(metric.whitened(descriptions), -LARGEST, LARGEST)
    return replace(metric, whitened_scans=scans.astype(np.float16))


def fit_thresholds(scores: np.ndarray) -> tuple[float, float]:
    """(unusual, refused) from the scores (N,) of validation scans.

    At most the share MARKED of the scans lies above `unusual`. The share REFUSED of brain scans is expected above
    `refused`: too few to count, so that the tail of the scores is modelled as exponential.
    """
    ordered = np.sort(np.asarray(scores, np.float64))
    unusual = float(ordered[len(ordered) - 1 - int(MARKED * len(ordered))])
    start = np.quantile(ordered, 1 - TAIL)
    beyond = ordered[ordered > start] - start
    excess = float(beyond.mean()) if len(beyond) else 0.0
    return unusual, max(unusual, float(start + excess * np.log(TAIL / REFUSED)))


def describe(features: np.ndarray, image: np.ndarray) -> np.ndarray:
    """(k + 25,) float32: the channel means of an evidence layer (h, w, k) and the image statistics."""
    return np.concatenate([features.mean(axis=(0, 1), dtype=np.float32), image_statistics(image)])


def image_statistics(image: np.ndarray) -> np.ndarray:
    """(25,) float32 of a network input (S, S) uint8: border, symmetry, foreground, histogram, sharpness by scale."""
    small = cv2.resize(image, (112, 112), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    border = np.concatenate(
        [small[:3].ravel(), small[-3:].ravel(), small[:, :3].ravel(), small[:, -3:].ravel()]
    )
    corners = np.concatenate([small[rows, columns].ravel() for rows in _ENDS for columns in _ENDS])
    brightness = [border.mean(), corners.mean(), (border < 0.05).mean(), (corners < 0.05).mean()]
    symmetry = [np.abs(small - small[:, ::-1]).mean(), np.abs(small - small[::-1]).mean()]
    foreground = small > FOREGROUND
    shape = [small.mean(), small.std(), foreground.mean(), *_spread(foreground, 1), *_spread(foreground, 0)]
    histogram = np.bincount((image >> 5).ravel(), minlength=8)[:-1] / image.size
    return np.asarray([*brightness, *symmetry, *shape, *histogram, *_sharpness(image)], np.float32)


def looks_inverted(image: np.ndarray) -> bool:
    """Whether the surround of a network input (S, S) uint8 is brighter than its middle: MRI has a dark surround."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    if len(rows) == 0:
        return False
    content = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]  # without the black of the padding
    height, width = content.shape
    rim = np.ones(content.shape, dtype=bool)
    rim[max(height // 14, 1) : -max(height // 14, 1), max(width // 14, 1) : -max(width // 14, 1)] = False
    middle = content[height // 4 : height - height // 4, width // 4 : width - width // 4]
    surround = np.median(content[rim])
    return bool(surround > 127 and surround > np.median(middle))


_ENDS = (slice(0, 12), slice(-12, None))


def _spread(foreground: np.ndarray, axis: int) -> tuple[float, float]:
    """Centre and standard deviation (shares of the side) of a (S, S) bool mask along one axis."""
    weights = foreground.mean(axis=axis)
    total = max(float(weights.sum()), 1e-6)
    place = np.arange(len(weights)) / len(weights)
    centre = float((weights * place).sum()) / total
    return centre, float((weights * (place - centre) ** 2).sum() / total) ** 0.5


def _sharpness(image: np.ndarray) -> list[float]:
    """The log of the mean detail at five scales, each twice as coarse as the one before."""
    level: np.ndarray = image.astype(np.float32) / 255
    detail = []
    for _ in range(5):
        detail.append(float(np.log(1e-4 + np.abs(level - cv2.blur(level, (3, 3))).mean())))
        half = (max(level.shape[1] // 2, 1), max(level.shape[0] // 2, 1))
        level = cv2.resize(level, half, interpolation=cv2.INTER_AREA)
    return detail
