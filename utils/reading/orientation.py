"""Whether a slice stands upright: a linear classifier over a thumbnail and its edges, fitted on turned training scans.

The networks see no turned scans in training, and what they make of one is not to be trusted, but the novelty score
hardly notices: a head that lies on its side looks much like a head. The classifier does notice, in most of the cases.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

TURNS = 4  # quarter turns, counter-clockwise; 0 is upright
MARKED = 0.005  # share of upright validation scans that may be called turned
THUMBNAIL = 16  # pixels
STRENGTH = 0.003  # inverse of the penalty on the weights; of the tried the best on turned validation scans


def fit_orientation(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(D + 1, 4) float32 weights from upright network inputs, each (S, S) uint8; the last row is the offset.

    Logistic regression over the four turns.
    """
    from sklearn.linear_model import LogisticRegression  # a second to import, and only fitting needs it

    rows = [_edges(np.rot90(picture, turn)) for turn in range(TURNS) for picture in pictures]
    turns = np.repeat(np.arange(TURNS), len(pictures))
    values = np.asarray(rows, np.float64)
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-2
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000).fit((values - mean) / scale, turns)
    weights = fitted.coef_.T / scale[:, None]
    return np.vstack([weights, fitted.intercept_ - mean @ weights]).astype(np.float32)


def turned(picture: np.ndarray, weights: np.ndarray) -> float:
    """How much more a network input (S, S) uint8 looks turned than upright; above 0: turned is the likelier."""
    scores = _edges(picture) @ weights[:-1] + weights[-1]
    return float(scores[1:].max() - scores[0])


def fit_turned_threshold(scores: np.ndarray) -> float:
    """What at most the share MARKED of upright validation scans exceeds; never below 0."""
    ordered = np.sort(scores)
    return max(0.0, float(ordered[len(ordered) - 1 - int(MARKED * len(ordered))]))


def _edges(picture: np.ndarray) -> np.ndarray:
    """(452,) float32: a 16 x 16 thumbnail and, on 7 x 7 places, how strong the edges in four directions are."""
    picture = np.ascontiguousarray(picture)
    thumbnail = (
        cv2.resize(picture, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    )
    coarse = cv2.resize(picture, (28, 28), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    across, down = cv2.Sobel(coarse, cv2.CV_32F, 1, 0), cv2.Sobel(coarse, cv2.CV_32F, 0, 1)
    maps = [np.sqrt(np.maximum(edge, 0)) for edge in (across, -across, down, -down)]
    places = [cv2.resize(one, (7, 7), interpolation=cv2.INTER_AREA).ravel() for one in maps]
    return np.concatenate([thumbnail.ravel(), *places])
