"""The region of a saliency map above a threshold: its size, and its location in the image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from utils.scans.preprocessing import foreground

if TYPE_CHECKING:
    from utils.scans.scan import Scan

THRESHOLDS = np.r_[0.01, 0.02, 0.03, np.linspace(0.05, 1, 20)]  # candidate fractions of the colour scale


@dataclass(frozen=True)
class Region:
    """One connected part of a scan.

    mask: (H, W) bool on the scan's pixels. box: (top, left, height, width) in pixels. centre: centroid (row, column).
    share: covered part of the head (0..1; `preprocessing.foreground`, including skull and scalp). size_mm: height and
    width of the box; None where the pixel spacing is unknown. place: location in the image in words, not the anatomical
    side, because the orientation of images differs between files.
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
        return f"{self.place}, {self.size_in_words}"

    @property
    def size_in_words(self) -> str:
        """ "24 x 18 mm, 3 % of the head"."""
        size = "" if self.size_mm is None else f"{self.size_mm[0]:.0f} x {self.size_mm[1]:.0f} mm, "
        return f"{size}{100 * self.share:.{0 if self.share >= 0.095 else 1}f} % of the head"


def find_region(strength: np.ndarray, threshold: float, scan: Scan) -> Region | None:
    """The Region of a map (H, W) float on a scan's pixels above a threshold; None where no value is above it."""
    mask = strongest_part(strength, threshold)
    return describe(mask, scan) if mask.any() else None


def describe(mask: np.ndarray, scan: Scan) -> Region:
    """The Region of a mask (H, W) bool, not empty, on a scan's pixels."""
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

    Only one part, because the box and centre of several parts describe none of them. The union of all parts did not
    overlap better with the tumours of 60 validation scans.
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
    """A point (row, column) of an image (H, W) in words, as the ninth that it lies in: "upper left of the image"."""
    row, column = (min(int(3 * position / side), 2) for position, side in zip(centre, shape, strict=True))
    words = f"{('upper', 'middle', 'lower')[row]} {('left', 'middle', 'right')[column]}"
    return f"{'centre' if words == 'middle middle' else words} of the image"


def fit_threshold(maps: Iterable[np.ndarray], masks: Iterable[np.ndarray]) -> tuple[float, float]:
    """The one of THRESHOLDS whose regions overlap best with the tumours, and their mean overlap (IoU).

    maps: (H, W) float each, as fractions of the colour scale; masks: (H, W) bool each. Raises ValueError if there are
    none.
    """
    overlaps = [
        [overlap(strongest_part(strength, threshold), mask) for threshold in THRESHOLDS]
        for strength, mask in zip(maps, masks, strict=True)
    ]
    if not overlaps:
        raise ValueError("There is no mask to fit a threshold on.")
    means = np.mean(overlaps, axis=0)
    return float(THRESHOLDS[means.argmax()]), float(means.max())
