"""The slices of a volume that are read, and runs of suspicious ones. Each slice is read alone, without 3-D context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SMALLEST_SHARE = 0.25  # of the largest foreground of a slice: less is the top of the head, air or noise
MAXIMUM_RUNS = 5
SUSPICIOUS = 0.5  # probability of any tumour from which on a slice counts as suspicious


@dataclass(frozen=True)
class Run:
    """Adjacent suspicious slices: positions of the first, the last and the most suspicious one."""

    first: int
    last: int
    peak: int


def slices_with_brain(slices: Sequence[np.ndarray]) -> list[int]:
    """The positions of the slices that show enough of the head to be read; at least one.

    slices: (H, W) float in 0..1 each, on one intensity scale. The foreground is above Otsu's threshold of the whole
    volume (Otsu, IEEE Trans. SMC 1979), which excludes noise in air.
    """
    sample = np.concatenate([pixels[::4, ::4].ravel() for pixels in slices])
    levels = np.rint(np.clip(sample, 0, 1) * 255).astype(np.uint8)
    level = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 255
    areas = np.asarray([float(np.mean(pixels > level)) for pixels in slices])
    return [int(position) for position in np.flatnonzero(areas >= SMALLEST_SHARE * areas.max())]


def suspicious_runs(suspicion: Sequence[float] | np.ndarray) -> list[Run]:
    """The runs of adjacent slices with a tumour probability of at least `SUSPICIOUS`, the highest peak first.

    suspicion: (N,) probability of any tumour on each slice, NaN where there is none (this ends a run). At most
    `MAXIMUM_RUNS` are returned.
    """
    values = np.asarray(suspicion, dtype=float)
    above = np.concatenate([[False], np.nan_to_num(values, nan=-1.0) >= SUSPICIOUS, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1])
    runs = [
        Run(int(first), int(end) - 1, int(first + np.argmax(values[first:end])))
        for first, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    return sorted(runs, key=lambda run: -values[run.peak])[:MAXIMUM_RUNS]
