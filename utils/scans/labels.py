"""Label maps: volumes whose numbers name structures and are no brightness."""

from __future__ import annotations

import numpy as np

NIFTI_INTENT_LABEL = 1002
REFUSAL = "This file is a label map (a segmentation), not a scan; select the scan that it belongs to."
SIDE = 96  # voxels: of larger volumes the middle is looked at
BINARY = 2  # values that make a mask
FEW = 16  # values, if the largest is at most
SMALL = 32
MOST = 512  # values of a map of many structures, of which there are at least
MANY = 12
FLAT, VERY_FLAT = 0.6, 0.9  # share of neighbouring voxels in structures with equal values, in each direction


def is_label_map(volume: np.ndarray) -> bool:
    """Whether a volume (X, Y, Z) holds whole numbers, few of them, in flat regions.

    Scans have noise: few neighbours inside of them are equal, and their values are many.
    """
    middle = volume[tuple(slice(max((side - SIDE) // 2, 0), (side + SIDE) // 2 + 1) for side in volume.shape)]
    if middle.dtype.kind not in "iuf" or not np.isfinite(middle).all():
        return False
    if middle.dtype.kind == "f" and not np.array_equal(middle, np.rint(middle)):
        return False
    values = np.unique(middle)
    if len(values) < 2 or len(values) > MOST or values[0] < 0:
        return False
    flatness = _flatness(middle)
    if len(values) == BINARY:
        return flatness >= VERY_FLAT
    if len(values) <= FEW and values[-1] <= SMALL:
        return flatness >= VERY_FLAT
    return len(values) >= MANY and flatness >= FLAT


def _flatness(volume: np.ndarray) -> float:
    """The smallest share, over the directions, of equal neighbours among those that both are not 0."""
    shares = []
    for axis in range(3):
        if volume.shape[axis] < 2:
            continue
        moved = np.moveaxis(volume, axis, 0)
        first, second = moved[:-1], moved[1:]
        inside = (first != 0) & (second != 0)
        if inside.any():
            shares.append(float(np.mean(first[inside] == second[inside])))
    return min(shares, default=0.0)
