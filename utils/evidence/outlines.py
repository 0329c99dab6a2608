"""The outline of a segmented tumour on a scan: mask, contours, area and diameter. NumPy and OpenCV only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from utils.scans.preprocessing import Geometry

# RGB of Okabe and Ito (2008), distinct from gray and from the map palette also for colour-blind readers.
COLOUR = (0, 158, 115)  # green: segmentation of a network
KNOWN_COLOUR = (86, 180, 233)  # sky blue: reference segmentation
PEAK_AREA = 0.01  # of the image: the area of a part that has to reach `OperatingPoint.peak` itself


@dataclass(frozen=True)
class OperatingPoint:
    """Hysteresis thresholds (Canny, IEEE PAMI 8, 1986) of pixel probabilities (0..1).

    Pixels from `threshold` on belong to the outline if their connected part reaches `peak`: faint spots are dropped,
    tumours are drawn in full. With an `area_weight` that holds for a part of PEAK_AREA of the image; the log-odds that
    a part must reach fall by this weight times the logarithm of its area, so that a speck needs more than a large part.
    """

    threshold: float
    peak: float
    area_weight: float = 0.0

    def reached(self, peaks: np.ndarray, areas: np.ndarray) -> np.ndarray:
        """(K,) bool: which parts count, by their highest probabilities and areas (0..1, of the image), both (K,)."""
        if self.peak == 0:
            return np.ones(len(peaks), bool)
        rounded = np.append(peaks, self.peak).astype(np.float32)  # as the networks compute them
        clipped = np.clip(rounded.astype(np.float64), 1e-7, 1 - 1e-7)
        log_odds = np.log(clipped) - np.log1p(-clipped)
        return log_odds[:-1] + self.area_weight * np.log(areas / PEAK_AREA) >= log_odds[-1]


@dataclass(frozen=True)
class Outline:
    """The segmentation of a tumour on one scan; empty where none was segmented.

    mask: (H, W) bool on the scan's pixels. contours: the borders of its parts and of their holes, each (K, 2) int32
    (x, y) of border pixels, closed. area: pixels. diameter: the longest of the largest part, between the outer edges of
    its pixels, in pixels. area_mm2, diameter_mm: None where the pixel spacing is unknown. probabilities: (S, S) float16
    in the frame of the network; `geometry` maps them to the scan.
    """

    mask: np.ndarray
    contours: tuple[np.ndarray, ...]
    area: int
    diameter: float
    area_mm2: float | None
    diameter_mm: float | None
    probabilities: np.ndarray
    geometry: Geometry
    point: OperatingPoint

    @property
    def is_empty(self) -> bool:
        return self.area == 0

    @property
    def sizes(self) -> dict[str, float | None]:
        """Area and longest diameter in pixels and millimetres, as in the output of the command line."""
        in_mm = {"area_mm2": self.area_mm2, "diameter_mm": self.diameter_mm}
        in_pixels: dict[str, float | None] = {"area": self.area, "diameter": round(self.diameter, 1)}
        return in_pixels | {name: None if value is None else round(value, 1) for name, value in in_mm.items()}


def sizes_in_words(sizes: dict[str, float | None]) -> str:
    """`Outline.sizes` in words, in millimetres where the pixel spacing is known, else in pixels."""
    if not sizes["area"]:
        return "No lesion segmented"
    in_mm = sizes["area_mm2"] is not None
    area, diameter = (
        (sizes["area_mm2"], sizes["diameter_mm"]) if in_mm else (sizes["area"], sizes["diameter"])
    )
    assert area is not None and diameter is not None
    shown = f"{area / 100:.1f} cm²" if in_mm else f"{area:.0f} pixels"
    return f"{shown}, longest diameter {diameter:.0f} {'mm' if in_mm else 'pixels'}"


def outline(
    probabilities: np.ndarray,
    geometry: Geometry,
    point: OperatingPoint,
    spacing: tuple[float, float] | None = None,
) -> Outline:
    """The Outline from probabilities (S, S) float; spacing: (row, column) in mm."""
    mask = peaked_parts(geometry.to_scan(probabilities), point)
    area, largest = int(mask.sum()), largest_part(mask)
    return Outline(
        mask=mask,
        contours=contours(mask),
        area=area,
        diameter=longest_diameter(largest),
        area_mm2=area * spacing[0] * spacing[1] if spacing else None,
        diameter_mm=longest_diameter(largest, spacing) if spacing else None,
        probabilities=np.asarray(probabilities, np.float16),
        geometry=geometry,
        point=point,
    )


def contours(mask: np.ndarray) -> tuple[np.ndarray, ...]:
    """The borders of a mask (H, W) and of its holes, each (K, 2) int32 (x, y) of border pixels, closed."""
    borders, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return tuple(contour[:, 0].astype(np.int32) for contour in borders)


def parts(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The connected parts of a mask (H, W): their numbers (H, W) int, 0 outside, and (1 + parts,) areas in pixels.

    Pixels that touch at a corner are connected. The first area is that of the background.
    """
    _, numbers, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return numbers, facts[:, cv2.CC_STAT_AREA]


def peaked_parts(probabilities: np.ndarray, point: OperatingPoint) -> np.ndarray:
    """(H, W) bool: the parts of the probabilities (H, W) above the threshold that count."""
    numbers, areas = parts(probabilities >= point.threshold)
    peaks = highest_of_parts(probabilities, numbers, len(areas))
    return np.append(False, point.reached(peaks[1:], areas[1:] / probabilities.size))[numbers]


def highest_of_parts(probabilities: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    """(count,) float64: the highest probability in each part; numbers (H, W) and count as `parts` returns them."""
    peaks = np.zeros(count)
    np.maximum.at(peaks, numbers[numbers > 0], probabilities[numbers > 0])
    return peaks


def largest_part(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: the largest connected part; empty where the mask is empty."""
    numbers, areas = parts(mask)
    return numbers == 1 + areas[1:].argmax() if len(areas) > 1 else np.zeros_like(mask, bool)


def longest_diameter(mask: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> float:
    """The longest distance between two corners of pixels of a mask (H, W), 0 where it is empty.

    In the units of `spacing`, (row, column). Pixels are areas: the diameter of one pixel is its diagonal.
    """
    points = cv2.findNonZero(mask.astype(np.uint8))
    if points is None:
        return 0.0
    hull = cv2.convexHull(points)[:, 0].astype(float)
    corners = (hull[:, None] + [(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)]).reshape(-1, 2)
    corners *= spacing[::-1]
    return float(np.sqrt(((corners[:, None] - corners[None]) ** 2).sum(axis=2).max()))


def drawn(pixels: np.ndarray, contours: Sequence[np.ndarray]) -> np.ndarray:
    """(H, W, 3) uint8 RGB: the pixels of a scan, (H, W) float in 0..1, with contours drawn on it."""
    gray = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return with_contours(np.repeat(gray[..., None], 3, axis=2), contours)


def with_contours(
    image: np.ndarray, contours: Sequence[np.ndarray], colour: tuple[int, int, int] = COLOUR
) -> np.ndarray:
    """A copy of an image (H, W, 3) uint8 RGB with contours drawn on it."""
    width = max(1, round(max(image.shape[:2]) / 400))
    return cv2.polylines(
        image.copy(), [np.ascontiguousarray(contour) for contour in contours], True, colour, width
    )
