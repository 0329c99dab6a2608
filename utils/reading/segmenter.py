"""Segmenter: the network that segments tumours, with its operating point. Scan -> Segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from utils.evidence.outlines import OperatingPoint, Outline, outline
from utils.networks.card_facts import SEGMENTATION
from utils.networks.cards import Card
from utils.networks.runtime.backend import Backend
from utils.reading.outliers import describe, load_outlier_classifier
from utils.reading.reader import load_network
from utils.reading.sequences import Recognition, describe_quarters, load_recogniser
from utils.scans.preprocessing import Geometry, NetworkInputs, as_input
from utils.scans.scan import Scan

SCORE_SHARE = (
    200 / 224**2
)  # of the pixels of the network input, the likeliest ones, that make the tumour score


@dataclass(frozen=True)
class Segmentation:
    """The result of the segmentation network for one scan.

    `tumor_score` (0..1): how likely the likeliest pixels are tumour (`tumor_score`); not calibrated. `grade`: that of
    the outlier classifier, "ok" without one. `recognition`: sequence and plane, None without a recogniser.
    """

    outline: Outline
    tumor_score: float
    grade: str = "ok"
    recognition: Recognition | None = None


@dataclass(frozen=True)
class Output:
    """The network's output for one scan.

    `probabilities`: of a tumour in every pixel of the network input, (S, S) float32, the mean over the input and its
    mirror image (test-time augmentation): on validation scans that removes most false outlines on healthy ones
    (docs/segmentation.md). `geometry` maps them to the scan. `outlier_score`: log-odds, 0 without classifier.
    """

    probabilities: np.ndarray
    geometry: Geometry
    outlier_score: float
    recognition: Recognition | None = None


def tumor_score(probabilities: np.ndarray) -> float:
    """The mean of the highest pixel probabilities, SCORE_SHARE of (S, S) float: the evidence for any tumour, 0..1."""
    count = max(1, round(SCORE_SHARE * probabilities.size))
    return float(np.partition(probabilities, -count, axis=None)[-count:].mean())


def segmentation_layers(card: Card) -> tuple[str, ...]:
    """The layers that are read: the output, and those of the outlier classifier and of the recogniser."""
    fitted = [facts.layers for facts in (card.outliers, card.sequences) if facts is not None]
    return ("probabilities", *dict.fromkeys(layer for layers in fitted for layer in layers))


class Segmenter:
    """A network that is ready to segment. Safe to share between threads."""

    def __init__(self, backend: Backend, card: Card) -> None:
        """backend: opened for `segmentation_layers` of the card."""
        self.card = card
        self.runtime = backend.runtime
        self._backend = backend
        self.size = card.input_size
        self.point = OperatingPoint(card.threshold, card.peak, card.area_weight)
        self._outliers = load_outlier_classifier(card)
        self._recogniser = load_recogniser(card)

    @classmethod
    def load(cls, weights: Path, runtime: str | None = None) -> Segmenter:
        """runtime: as in `Reader.load`.

        Raises NetworkUnavailable where file or card is missing, they do not fit, or it is a classifier.
        """
        return cls(*load_network(weights, (SEGMENTATION,), segmentation_layers, runtime))

    def outline(self, scan: Scan) -> Outline:
        return self.read_many([scan])[0].outline

    def release(self) -> None:
        """`Backend.release`."""
        self._backend.release()

    def read_many(self, scans: Sequence[Scan], inputs: NetworkInputs | None = None) -> list[Segmentation]:
        """One Segmentation a scan, in order. `inputs`: those of the scans, if shared."""
        return [
            Segmentation(
                outline(output.probabilities, output.geometry, self.point, scan.spacing),
                tumor_score(output.probabilities),
                "ok" if self._outliers is None else self._outliers.grade(output.outlier_score),
                output.recognition,
            )
            for scan, output in zip(scans, self.outputs(scans, inputs), strict=True)
        ]

    def outputs(self, scans: Sequence[Scan], inputs: NetworkInputs | None = None) -> list[Output]:
        """One Output a scan, in order."""
        prepared = (inputs or NetworkInputs(scans)).of_size(self.size)
        return [self._output(image, geometry) for image, geometry in prepared]

    def _output(self, image: np.ndarray, geometry: Geometry) -> Output:
        """One pass for an image and its mirror image; more images at once are no faster, and need more memory."""
        (direct, mirrored), *layers = self._backend.run(as_input(np.stack([image, image[:, ::-1]])))
        of_image = dict(zip(segmentation_layers(self.card)[1:], (layer[:1] for layer in layers), strict=True))
        score, recognition = 0.0, None
        if self._outliers is not None and self.card.outliers is not None:
            score = float(
                self._outliers.scores(describe([of_image[name] for name in self.card.outliers.layers]))[0]
            )
        if self._recogniser is not None and self.card.sequences is not None:
            quarters = describe_quarters([of_image[name] for name in self.card.sequences.layers])
            recognition = self._recogniser.recognise(quarters)[0]
        return Output((direct[..., 0] + mirrored[:, ::-1, 0]) / 2, geometry, score, recognition)
