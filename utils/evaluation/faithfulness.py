"""Does a map tell what the network used? Insertion and deletion, and the randomisation of weights.

A map can lie on the tumour and still not be what moved the network: these ask the network itself.
"""

from __future__ import annotations

import cv2
import keras
import numpy as np

STEPS = 14  # of insertion and deletion: each is a forward pass
BLUR = 5.0  # standard deviation (pixels) of the picture that insertion starts from, as in the authors' code
DEPTHS = {
    "head": 0.0,
    "upper quarter": 0.25,
    "upper half": 0.5,
    "all": 1.0,
}  # weights that are randomised, top down


def deletion(picture: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """(STEPS + 1, S, S) float32: the picture losing its pixels to black, those with the strongest evidence first.

    picture: (S, S) 0..255; evidence: (h, w) of the same frame. Source: Petsiuk et al., "RISE", BMVC 2018.
    """
    return _exchanged(picture, np.zeros_like(picture), evidence)


def insertion(picture: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """The same, from a blurred picture to the whole one: pixels come into focus, the strongest evidence first."""
    return _exchanged(cv2.GaussianBlur(picture, (0, 0), BLUR), picture, evidence)


def area_under(probabilities: np.ndarray) -> float:
    """The area under a class's probability (STEPS + 1,) while pixels come or go, 0..1 (trapezoids).

    A faithful map has a large one for insertion and a small one for deletion.
    """
    return float(np.trapezoid(probabilities, dx=1 / (len(probabilities) - 1)))


def randomised(network: keras.Model, share: float, seed: int = 0) -> keras.Model:
    """A copy of a network whose head, and the upper `share` of the other layers, have their weights shuffled.

    Shuffled weights keep their distribution and lose what was learned. Source: the cascading randomisation of Adebayo
    et al., "Sanity checks for saliency maps", NeurIPS 2018.
    """
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    below = [layer for layer in copy.layers if layer.weights and layer.name != "logits"]
    chosen = below[len(below) - round(share * len(below)) :]
    rng = np.random.default_rng(seed)
    for layer in [*chosen, copy.get_layer("logits")]:
        layer.set_weights(
            [rng.permutation(weights.ravel()).reshape(weights.shape) for weights in layer.get_weights()]
        )
    return copy


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation of two maps (h, w), -1..1; 0 where one of them is the same everywhere."""
    from scipy.stats import spearmanr

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(spearmanr(first.ravel(), second.ravel()).statistic)


def _exchanged(start: np.ndarray, end: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """From `start` to `end` in STEPS equal parts of the pixels, the strongest evidence first."""
    strength = cv2.resize(np.asarray(evidence, np.float32), start.shape[::-1], interpolation=cv2.INTER_LINEAR)
    rank = np.empty(start.size, int)
    rank[np.argsort(-strength.ravel(), kind="stable")] = np.arange(start.size)
    exchanged = rank.reshape(start.shape) < start.size * np.arange(STEPS + 1)[:, None, None] / STEPS
    return np.where(exchanged, end, start).astype(np.float32)
