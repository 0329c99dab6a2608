"""Segmenter: the network that segments tumours, with its operating point. Scan -> Outline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from utils.evidence.outlines import OperatingPoint, Outline, outline
from utils.networks.card_facts import SEGMENTATION
from utils.networks.cards import Card
from utils.networks.runtime.backend import Backend
from utils.reading.reader import BATCH, load_network
from utils.scans.preprocessing import Geometry, as_input, preprocess
from utils.scans.scan import Scan


class Segmenter:
    """A network that is ready to segment. Safe to share between threads."""

    def __init__(self, backend: Backend, card: Card) -> None:
        """backend: opened for the layer `probabilities`."""
        self.card = card
        self.runtime = backend.runtime
        self._backend = backend
        self.size = card.input_size
        self.point = OperatingPoint(card.threshold, card.peak)

    @classmethod
    def load(cls, weights: Path, runtime: str | None = None) -> Segmenter:
        """runtime: as in `Reader.load`.

        Raises NetworkUnavailable where file or card is missing, they do not fit, or it is a classifier.
        """
        return cls(*load_network(weights, (SEGMENTATION,), lambda card: ("probabilities",), runtime))

    def outline(self, scan: Scan) -> Outline:
        return self.outline_many([scan])[0]

    def outline_many(self, scans: Sequence[Scan]) -> list[Outline]:
        """One Outline a scan, in order."""
        return [
            outline(probabilities, geometry, self.point, scan.spacing)
            for scan, (probabilities, geometry) in zip(scans, self.probabilities(scans), strict=True)
        ]

    def probabilities(self, scans: Sequence[Scan]) -> list[tuple[np.ndarray, Geometry]]:
        """For each scan the tumour probability of every pixel of the network input, (S, S) float32, and its geometry.

        It is the mean over the input and its mirror image (test-time augmentation): on validation scans that removes
        most false outlines on healthy ones (docs/segmentation.md).
        """
        results: list[tuple[np.ndarray, Geometry]] = []
        for start in range(0, len(scans), BATCH):
            images, geometries = zip(
                *(preprocess(scan.pixels, self.size) for scan in scans[start : start + BATCH]), strict=True
            )
            inputs = as_input(np.stack(images))
            maps, mirrored = (self._backend.run(batch)[0][..., 0] for batch in (inputs, inputs[:, :, ::-1]))
            results += zip((maps + mirrored[:, :, ::-1]) / 2, geometries, strict=True)
        return results
