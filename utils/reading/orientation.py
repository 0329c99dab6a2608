"""Orientation: a linear classifier over a thumbnail and its edges that detects turned slices.

The networks see no slices turned by a quarter or half turn in training, so that their results on one are unreliable,
but the novelty score hardly differs. The classifier detects most of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

TURNS = 4  # quarter turns, counter-clockwise; 0 is upright
MARKED = 0.005  # share of upright validation scans that may be flagged as turned
THUMBNAIL = 16  # pixels
STRENGTH = 0.003  # inverse of the penalty on the weights, chosen on turned validation scans


def fit_orientation(images: Sequence[np.ndarray]) -> np.ndarray:
    """(D + 1, 4) float32 weights from upright network inputs, each (S, S) uint8; the last row is the offset.

    Logistic regression over the four turns.
    """
    from sklearn.linear_model import LogisticRegression  # a second to import, and only fitting needs it

    descriptions = [_edges(np.rot90(image, turn)) for turn in range(TURNS) for image in images]
    turns = np.repeat(np.arange(TURNS), len(images))
    values = np.asarray(descriptions, np.float64)
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-2
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000).fit((values - mean) / scale, turns)
    weights = fitted.coef_.T / scale[:, None]
    return np.vstack([weights, fitted.intercept_ - mean @ weights]).astype(np.float32)


def turned_score(image: np.ndarray, weights: np.ndarray) -> float:
    """Score of turned over upright for a network input (S, S) uint8; above 0: turned is likelier."""
    scores = _edges(image) @ weights[:-1] + weights[-1]
    return float(scores[1:].max() - scores[0])


def fit_turned_threshold(scores: np.ndarray) -> float:
    """The threshold that at most the share MARKED of upright validation scans exceeds; never below 0."""
    ordered = np.sort(scores)
    return max(0.0, float(ordered[len(ordered) - 1 - int(MARKED * len(ordered))]))


def _edges(image: np.ndarray) -> np.ndarray:
    """(452,) float32: a 16 x 16 thumbnail and, on a 7 x 7 grid, the strength of the edges in four directions."""
    image = np.ascontiguousarray(image)
    thumbnail = (
        cv2.resize(image, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    )
    coarse = cv2.resize(image, (28, 28), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    across, down = cv2.Sobel(coarse, cv2.CV_32F, 1, 0), cv2.Sobel(coarse, cv2.CV_32F, 0, 1)
    maps = [np.sqrt(np.maximum(edge, 0)) for edge in (across, -across, down, -down)]
    places = [cv2.resize(edge, (7, 7), interpolation=cv2.INTER_AREA).ravel() for edge in maps]
    return np.concatenate([thumbnail.ravel(), *places])
