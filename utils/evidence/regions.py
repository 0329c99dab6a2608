"""Where on a scan the evidence lies: the region of a map above a threshold, its size and its place in the picture."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from utils.scans.preprocessing import foreground

if TYPE_CHECKING:
    from utils.scans.scan import Scan

THRESHOLDS = np.r_[0.01, 0.02, 0.03, np.linspace(0.05, 1, 20)]  # fractions of a scale that are tried


@dataclass(frozen=True)
class Region:
    """One connected part of a scan, in its own pixels.

    `mask` is (H, W) bool, `box` (top, left, height, width), `centre` the centre of gravity (row, column), `share` the
    part of the head that it covers (0..1; `preprocessing.foreground`, so skull and scalp count), `size_mm` height and
    width of the box where the scan knows its spacing. `place` tells it in words in the picture's own frame: which side
    of the patient is on the left of a picture differs from file to file.
    """

    mask: np.ndarray
    box: tuple[int, int, int, int]
    centre: tuple[float, float]
    share: float
    size_mm: tuple[float, float] | None
    place: str

    @property
    def in_words(self) -> str:
        """ "upper left of the image, 24 x 18 mm, 3 % of the head"."""
        size = "" if self.size_mm is None else f", {self.size_mm[0]:.0f} x {self.size_mm[1]:.0f} mm"
        return f"{self.place}{size}, {100 * self.share:.{0 if self.share >= 0.095 else 1}f} % of the head"


def find_region(strength: np.ndarray, threshold: float, scan: Scan) -> Region | None:
    """The region of a map (H, W) float on a scan's pixels that is stronger than a threshold; None where nothing is."""
    mask = strongest_part(strength, threshold)
    return describe(mask, scan) if mask.any() else None


def describe(mask: np.ndarray, scan: Scan) -> Region:
    """The Region of an outline (H, W) bool, not empty, on a scan's pixels."""
    rows, columns = np.nonzero(mask)
    top, left = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) - top + 1, int(columns.max()) - left + 1
    centre = float(rows.mean()), float(columns.mean())
    head = foreground(scan.pixels)
    spacing = scan.spacing
    return Region(
        mask=mask,
        box=(top, left, height, width),
        centre=centre,
        share=float((mask & head).sum() / head.sum()),
        size_mm=(height * spacing[0], width * spacing[1]) if spacing else None,
        place=place_of(centre, scan.shape),
    )


def strongest_part(strength: np.ndarray, threshold: float) -> np.ndarray:
    """(H, W) bool: the connected part of a map above a threshold with the most evidence; all False if there is none.

    One part, because box, centre and place of several would tell of none; all of them together overlapped no better
    with the tumours of 60 validation scans.
    """
    above = (strength > threshold).astype(np.uint8)
    count, labels = cv2.connectedComponents(above)
    if count <= 2:
        return above > 0
    evidence = np.bincount(labels.ravel(), weights=strength.ravel())
    return labels == 1 + int(evidence[1:].argmax())


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two regions (H, W) bool, 0..1; 0 where both are empty."""
    union = np.logical_or(first, second).sum()
    return float(np.logical_and(first, second).sum() / union) if union else 0.0


def place_of(centre: tuple[float, float], shape: tuple[int, int]) -> str:
    """A point (row, column) of a picture (H, W) in words: which ninth of it, "upper left of the image"."""
    row, column = (min(int(3 * place / side), 2) for place, side in zip(centre, shape, strict=True))
    words = f"{('upper', 'middle', 'lower')[row]} {('left', 'middle', 'right')[column]}"
    return f"{'centre' if words == 'middle middle' else words} of the image"


def fit_threshold(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> tuple[float, float]:
    """The one of THRESHOLDS whose regions overlap best with the tumours, and the mean overlap (IoU) that it gives.

    maps: (H, W) float each, as fractions of the scale; masks: (H, W) bool each. Raises ValueError where there are none.
    """
    overlaps = [
        [overlap(strongest_part(one, threshold), mask) for threshold in THRESHOLDS]
        for one, mask in zip(maps, masks, strict=True)
    ]
    if not overlaps:
        raise ValueError("There is no mask to fit a threshold on.")
    means = np.mean(overlaps, axis=0)
    return float(THRESHOLDS[means.argmax()]), float(means.max())
