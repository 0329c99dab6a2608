"""The sequence and plane of a scan recognised from its image, where the file does not say them.

Two linear discriminants on the segmentation network's encoder, which reads every scan anyway: on the channel means of
the four quarters of its layers for the plane, and on the mean of the quarters for the sequence. The card of the
network holds layers and thresholds (`card_facts.SequenceFacts`), its NAME.npz the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.classes import PLANES, SEQUENCES
from utils.metrics.softmax import softmax
from utils.networks.cards import Card

QUARTERS = 4
LARGEST = 6.0  # of a standardised channel mean; beyond it says no more
KEYS = ("mean", "scale", "weights", "intercept")


@dataclass(frozen=True)
class Recognition:
    """Calibrated probabilities of SEQUENCES (4,) and PLANES (3,), and how likely the likeliest must be to count."""

    sequences: np.ndarray
    planes: np.ndarray
    sequence_threshold: float
    plane_threshold: float

    @property
    def sequence(self) -> str:
        """One of SEQUENCES, "" where it is not recognised."""
        return _likeliest(SEQUENCES, self.sequences, self.sequence_threshold)

    @property
    def plane(self) -> str:
        """One of PLANES, "" where it is not recognised."""
        return _likeliest(PLANES, self.planes, self.plane_threshold)


@dataclass(frozen=True)
class Discriminant:
    """Linear classifier of standardised descriptions: `mean` and `scale` (D,), `weights` (D, K), `intercept` (K,)."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: np.ndarray

    def logits(self, descriptions: np.ndarray) -> np.ndarray:
        """(N, D) -> (N, K)."""
        return standardised(descriptions, self.mean, self.scale) @ self.weights + self.intercept


@dataclass(frozen=True)
class SequenceRecogniser:
    """Both classifiers with their thresholds; their logits are calibrated."""

    sequences: Discriminant
    planes: Discriminant
    sequence_threshold: float
    plane_threshold: float

    def recognise(self, quarters: np.ndarray) -> list[Recognition]:
        """(N, QUARTERS, D) `describe_quarters` -> one Recognition an image."""
        rows = zip(
            softmax(self.sequences.logits(sequence_description(quarters))),
            softmax(self.planes.logits(plane_description(quarters))),
            strict=True,
        )
        return [Recognition(*row, self.sequence_threshold, self.plane_threshold) for row in rows]


def combine(recognitions: Sequence[Recognition]) -> Recognition:
    """What several slices of one stack show together: the mean of their log-probabilities. At least one is needed."""
    first = recognitions[0]
    sequences, planes = (
        softmax(np.log(np.maximum([getattr(each, kind) for each in recognitions], 1e-6)).mean(axis=0)[None])[
            0
        ]
        for kind in ("sequences", "planes")
    )
    return Recognition(sequences, planes, first.sequence_threshold, first.plane_threshold)


def describe_quarters(layers: Sequence[np.ndarray]) -> np.ndarray:
    """(N, QUARTERS, D) float32: the channel means of each quarter of layers (N, h, w, k), one after the other.

    Quarters: upper left, upper right, lower left, lower right; those of an odd side share its middle.
    """
    described = []
    for layer in layers:
        height, width = layer.shape[1:3]
        parts = [
            [slice(0, (side + 1) // 2), slice(side // 2, side)]
            for side in (height, width)
        ]  # fmt: skip
        quarters = [
            layer[:, rows, columns].mean(axis=(1, 2), dtype=np.float32)
            for rows in parts[0]
            for columns in parts[1]
        ]
        described.append(np.stack(quarters, axis=1))
    return np.concatenate(described, axis=2)


def sequence_description(quarters: np.ndarray) -> np.ndarray:
    """(N, QUARTERS, D) -> (N, D): where something lies says nothing about the sequence."""
    return quarters.mean(axis=1)


def plane_description(quarters: np.ndarray) -> np.ndarray:
    """(N, QUARTERS, D) -> (N, QUARTERS * D)."""
    return quarters.reshape(len(quarters), -1)


def standardised(descriptions: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """(N, D) with mean 0 and standard deviation 1 on the scans of the fit, within LARGEST."""
    return np.clip((descriptions - mean) / scale, -LARGEST, LARGEST)


def load_recogniser(card: Card) -> SequenceRecogniser | None:
    """The recogniser of a segmentation network; None where none was fitted.

    The arrays are those of the card where `cards.check_weights` was called before.
    """
    facts = card.sequences
    if facts is None:
        return None
    with np.load(card.statistics, allow_pickle=False) as archive:
        sequences, planes = (
            Discriminant(*(archive[f"{kind}_{key}"] for key in KEYS)) for kind in ("sequence", "plane")
        )
    return SequenceRecogniser(sequences, planes, facts.sequence.threshold, facts.plane.threshold)


def _likeliest(names: Sequence[str], probabilities: np.ndarray, threshold: float) -> str:
    best = int(probabilities.argmax())
    return names[best] if probabilities[best] >= threshold else ""
