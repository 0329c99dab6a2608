"""Slices of a stack in the two other planes, where its slices lie close enough together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from utils.reading.volumetry import slice_distances
from utils.scans.places import plane_of
from utils.scans.scan import Stack

if TYPE_CHECKING:
    from utils.reading.worklist import Entry
    from utils.scans.scan import Scan

COARSEST = 3.0  # distance of the slices over the side of a pixel, up to which reformats are worth looking at
EVEN = 0.1  # largest difference of the distances, as a share of them
FEWEST_SLICES = 20
MOST = 64  # reformatted slices of a plane


def reformats(stack: Entry) -> dict[str, list[np.ndarray]]:
    """The planes of a stack other than its own -> slices (H, W) float in 0..1 with square pixels, upright.

    At most MOST slices of each, evenly spaced over the head. Empty where the distances of the slices are unknown,
    uneven or too coarse.
    """
    scans = [entry.scan for entry in stack.slices if entry.scan is not None]
    if why_not(stack):
        return {}
    volume = _volume(scans)
    distances = slice_distances(stack)
    assert distances is not None and scans[0].spacing is not None
    ratio = float(distances.mean()) / scans[0].spacing[0]
    planes = {"axial": _of_axial, "coronal": _of_coronal, "sagittal": _of_sagittal}
    return {
        plane: [_stretched(image, along_rows, ratio) for image in images]
        for plane, (images, along_rows) in planes[plane_of(scans[0].orientation)](volume).items()
    }


def orientation_of(stack: Entry, plane: str) -> tuple[float, ...]:
    """The direction cosines of the rows and columns of the reformats in a plane, as in `Scan.orientation`."""
    scan = stack.slices[0].scan
    assert scan is not None
    row, column = np.reshape(scan.orientation, (2, 3))
    along = np.cross(row, column)  # of an upright stack: to the head, to the back or to the right
    directions = {
        "axial": {"coronal": (row, -along), "sagittal": (column, -along)},
        "coronal": {"axial": (row, along), "sagittal": (along, column)},
        "sagittal": {"axial": (-along, row), "coronal": (-along, column)},
    }
    return tuple(float(cosine) for cosine in np.ravel(directions[plane_of(scan.orientation)][plane]))


def why_not(stack: Entry) -> str:
    """Why there are no reformats, as a sentence; "" where there are."""
    distances = slice_distances(stack)
    first = stack.slices[0].scan if stack.slices else None
    if first is None or distances is None or first.spacing is None or not first.orientation:
        return "No reformats: the file does not say where the slices lie in the body."
    if np.ptp(distances) > EVEN * distances.mean():
        return "No reformats: the slices are not evenly spaced."
    if distances.mean() > COARSEST * first.spacing[0]:
        return f"No reformats: the slices are {distances.mean():.1f} mm apart, too far for the other planes."
    if len(stack.slices) < FEWEST_SLICES:
        return f"No reformats: fewer than {FEWEST_SLICES} slices."
    return ""


def _volume(scans: Sequence[Scan]) -> np.ndarray:
    """(N, H, W) float on one scale; coronal slices from front to back, as DICOM orders them."""
    pixels = Stack("", tuple(scans)).on_one_scale()
    height, width = scans[0].shape
    volume = np.stack([cv2.resize(image, (width, height)) for image in pixels])
    from_back = plane_of(scans[0].orientation) == "coronal" and scans[0].format == "NIfTI"
    return volume[::-1] if from_back else volume


Slices = dict[
    str, tuple[list[np.ndarray], bool]
]  # plane -> its slices, and whether their rows go along the stack


def _of_axial(volume: np.ndarray) -> Slices:
    """From below, (rows, columns) to the back and to the left of the body."""
    return {
        "coronal": ([volume[::-1, row] for row in _spread(volume.max(axis=(0, 2)))], True),
        "sagittal": ([volume[::-1, :, column] for column in _spread(volume.max(axis=(0, 1)))], True),
    }


def _of_coronal(volume: np.ndarray) -> Slices:
    """From the front, (rows, columns) downwards and to the left of the body."""
    rows = _spread(volume.max(axis=(0, 2)))[::-1]
    return {
        "axial": ([volume[:, row] for row in rows], True),
        "sagittal": ([volume[:, :, column].T for column in _spread(volume.max(axis=(0, 1)))], False),
    }


def _of_sagittal(volume: np.ndarray) -> Slices:
    """From the left of the body, (rows, columns) downwards and to the back."""
    rows = _spread(volume.max(axis=(0, 2)))[::-1]
    return {
        "axial": ([volume[::-1, row].T for row in rows], False),
        "coronal": ([volume[::-1, :, column].T for column in _spread(volume.max(axis=(0, 1)))], False),
    }


def _spread(brightest: np.ndarray) -> list[int]:
    """At most MOST positions of the head, evenly spaced, from the brightest pixel at each position (P,)."""
    inside = np.flatnonzero(brightest > 0.15 * brightest.max())
    count = min(MOST, int(inside[-1] - inside[0]) + 1)
    return np.unique(np.linspace(inside[0], inside[-1], count).round().astype(int)).tolist()


def _stretched(image: np.ndarray, along_rows: bool, ratio: float) -> np.ndarray:
    """With square pixels: `ratio` is the distance of the slices over the side of a pixel."""
    height, width = image.shape
    size = (width, max(round(height * ratio), 1)) if along_rows else (max(round(width * ratio), 1), height)
    return cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_LINEAR)
