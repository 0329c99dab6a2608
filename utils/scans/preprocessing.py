"""Scan pixels -> network input, and the Geometry that maps back to the scan. Training and serving both use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from utils.scans.scan import Scan

FOREGROUND_LEVEL = 0.08  # of the range between the 0.5th and 99.5th percentile
LEAST_FOREGROUND = 0.05  # of the image; less is no head
MARGIN = 0.02  # of the foreground's longer side, added on every side


@dataclass(frozen=True)
class Geometry:
    """How a scan became a square network input, so that a map can be placed on the scan.

    The crop (`top`, `left`, `height`, `width`, in scan pixels) was centred in a square of `side` pixels
    and that square was resized to `size` x `size`.
    """

    scan_shape: tuple[int, int]
    top: int
    left: int
    height: int
    width: int
    size: int

    @property
    def side(self) -> int:
        return max(self.height, self.width)

    @property
    def padding(self) -> tuple[int, int]:
        """Rows above and columns left of the crop inside the square."""
        return (self.side - self.height) // 2, (self.side - self.width) // 2

    def to_scan(self, network_map: np.ndarray) -> np.ndarray:
        """Lay a square map of any resolution on the scan's own pixels.

        network_map: (h, w) float. Returns (H, W) float32, zero where the network saw nothing.
        """
        square = cv2.resize(
            np.asarray(network_map, np.float32), (self.side, self.side), interpolation=cv2.INTER_LINEAR
        )
        pad_top, pad_left = self.padding
        result = np.zeros(self.scan_shape, np.float32)
        result[self.top : self.top + self.height, self.left : self.left + self.width] = square[
            pad_top : pad_top + self.height, pad_left : pad_left + self.width
        ]
        return result

    def to_network(self, scan_map: np.ndarray) -> np.ndarray:
        """Crop, pad and resize an image or mask: (H, W) -> (size, size) float32."""
        crop = np.asarray(scan_map, np.float32)[
            self.top : self.top + self.height, self.left : self.left + self.width
        ]
        square = np.zeros((self.side, self.side), np.float32)
        pad_top, pad_left = self.padding
        square[pad_top : pad_top + self.height, pad_left : pad_left + self.width] = crop
        interpolation = cv2.INTER_AREA if self.side > self.size else cv2.INTER_LINEAR
        return cv2.resize(square, (self.size, self.size), interpolation=interpolation)


def foreground_box(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the part brighter than the dark surround; the whole image if unclear.

    pixels: (H, W) float. Specks and small lettering do not count: only connected areas of at least a
    twentieth of the largest one.
    """
    height, width = pixels.shape
    whole = (0, 0, height, width)
    _, large, _ = _large_areas(pixels)
    if len(large) == 0:
        return whole
    left, top = large[:, cv2.CC_STAT_LEFT].min(), large[:, cv2.CC_STAT_TOP].min()
    right = (large[:, cv2.CC_STAT_LEFT] + large[:, cv2.CC_STAT_WIDTH]).max()
    bottom = (large[:, cv2.CC_STAT_TOP] + large[:, cv2.CC_STAT_HEIGHT]).max()
    margin = int(round(MARGIN * max(right - left, bottom - top)))
    top, left = max(top - margin, 0), max(left - margin, 0)
    bottom, right = min(bottom + margin, height), min(right + margin, width)
    if (bottom - top) * (right - left) < LEAST_FOREGROUND * height * width:
        return whole
    return int(top), int(left), int(bottom - top), int(right - left)


def foreground(pixels: np.ndarray) -> np.ndarray:
    """(H, W) bool: the head: the part brighter than the dark surround, with all that it encloses.

    pixels: (H, W) float. The whole image if unclear, as in `foreground_box`.
    """
    labels, _, numbers = _large_areas(pixels)
    outlines, _ = cv2.findContours(
        np.isin(labels, numbers).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    filled = cv2.drawContours(np.zeros(pixels.shape, np.uint8), outlines, -1, 1, cv2.FILLED) > 0
    return filled if filled.mean() >= LEAST_FOREGROUND else np.ones(pixels.shape, bool)


def _large_areas(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(H, W) int labels of the connected bright areas; of those large enough, their statistics and their labels."""
    low, high = np.percentile(pixels, (0.5, 99.5))
    mask = (pixels > low + FOREGROUND_LEVEL * (high - low)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, areas, _ = cv2.connectedComponentsWithStats(mask)
    numbers = np.arange(1, len(areas))  # the first row is the background
    if len(numbers):
        sizes = areas[1:, cv2.CC_STAT_AREA]
        numbers = numbers[sizes >= sizes.max() / 20]
    return labels, areas[numbers], numbers


def preprocess(pixels: np.ndarray, size: int) -> tuple[np.ndarray, Geometry]:
    """Crop to the foreground, stretch the brightness, centre in a square, resize.

    pixels: (H, W) float32 in 0..1. Returns the network input, (size, size) uint8, and its Geometry.
    """
    top, left, height, width = foreground_box(pixels)
    geometry = Geometry(pixels.shape, top, left, height, width, size)
    crop = pixels[top : top + height, left : left + width]
    low, high = np.percentile(crop, (0.5, 99.5))
    stretched = np.clip((pixels - low) / max(float(high - low), 1e-6), 0, 1)
    return np.rint(geometry.to_network(stretched) * 255).astype(np.uint8), geometry


class NetworkInputs:
    """What networks see of some scans. It is computed once for each size, however many networks share it."""

    def __init__(self, scans: Sequence[Scan]) -> None:
        self._scans = scans
        self._of_size: dict[int, list[tuple[np.ndarray, Geometry]]] = {}

    def of_size(self, size: int) -> list[tuple[np.ndarray, Geometry]]:
        """`preprocess` of every scan, in order."""
        if size not in self._of_size:
            self._of_size[size] = [preprocess(scan.pixels, size) for scan in self._scans]
        return self._of_size[size]


def as_input(batch: np.ndarray) -> np.ndarray:
    """(N, S, S, 1) float32 from (N, S, S) images."""
    return batch[..., None].astype(np.float32)
