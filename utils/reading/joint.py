"""The ensemble's answer for one scan: tumour or not from all networks, the type from the classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from utils.classes import CLASSES
from utils.metrics.ensemble import (
    NO_TUMOR,
    ensemble_probabilities,
    labels_of,
    mean_probabilities,
    score_log_odds,
    tumor_log_odds,
    with_temperature,
)
from utils.networks.registry import is_segmenter

if TYPE_CHECKING:
    from utils.networks.shipped import DetectionWeights
    from utils.reading.reader import Reading
    from utils.reading.segmenter import Segmentation, Segmenter
    from utils.records.acceptance import AnswerRule
    from utils.scans.preprocessing import NetworkInputs
    from utils.scans.scan import Scan


@dataclass(frozen=True)
class JointReading:
    """The ensemble's probabilities of CLASSES for one scan, (C,) float, calibrated.

    `tumor_threshold`: of a site profile (`metrics.ensemble.labels_of`), None without one. `evaluated`: the (C,)
    probabilities before the site's rule, None without one.
    """

    probabilities: np.ndarray
    tumor_threshold: float | None = None
    evaluated: np.ndarray | None = None

    @property
    def as_evaluated(self) -> JointReading:
        """The answer without a site's rule."""
        return self if self.evaluated is None else JointReading(self.evaluated)

    @property
    def label(self) -> str:
        return CLASSES[int(labels_of(self.probabilities[None], self.tumor_threshold)[0])]

    @property
    def confidence(self) -> float:
        """The probability of the label."""
        return float(self.probabilities[CLASSES.index(self.label)])

    def probability(self, name: str) -> float:
        """That of one of CLASSES."""
        return float(self.probabilities[CLASSES.index(name)])

    @property
    def tumor_probability(self) -> float:
        """The probability of any tumour."""
        return float(1 - self.probabilities[NO_TUMOR])


def by_rule(probabilities: np.ndarray, rule: AnswerRule) -> JointReading:
    """The answer that a site's rule makes of the ensemble's probabilities (C,) as evaluated."""
    adjusted = with_temperature(probabilities[None], rule.temperature)[0]
    return JointReading(adjusted, rule.tumor_threshold, probabilities)


@dataclass(frozen=True)
class JointReader:
    """The segmentation network, and how its output and those of the classifiers become one answer."""

    segmenter: Segmenter
    detection: DetectionWeights | None

    def read_many(
        self,
        scans: Sequence[Scan],
        readings: Sequence[Sequence[Reading]],
        inputs: NetworkInputs | None = None,
    ) -> list[tuple[Segmentation, JointReading | None]]:
        """For each scan, with the classifiers' readings of it, its segmentation and the ensemble's answer.

        There is no answer without weights, or where the readings are not those that the weights were fitted for.
        """
        segmentations = self.segmenter.read_many(scans, inputs)
        if self.detection is None:
            return [(segmentation, None) for segmentation in segmentations]
        return [
            (segmentation, joint_reading(self.detection, own_readings, segmentation.tumor_score))
            for segmentation, own_readings in zip(segmentations, readings, strict=True)
        ]


def joint_reading(
    detection: DetectionWeights, readings: Sequence[Reading], tumor_score: float
) -> JointReading | None:
    """The ensemble's answer from the classifiers' readings and the tumour score of the segmentation network."""
    by_network = {reading.network: reading for reading in readings if reading.classes == CLASSES}
    if not by_network or any(name not in by_network and not is_segmenter(name) for name in detection.weights):
        return None
    log_odds = {
        name: score_log_odds(np.asarray([tumor_score]))
        if is_segmenter(name)
        else tumor_log_odds(by_network[name].logits[None])
        for name in detection.weights
    }
    types = mean_probabilities(
        [reading.logits[None] for reading in by_network.values()],
        [reading.temperature for reading in by_network.values()],
    )
    return JointReading(ensemble_probabilities(types, log_odds, detection.intercept, detection.weights)[0])
