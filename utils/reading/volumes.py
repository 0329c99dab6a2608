"""What the slices of a volume say together. Each slice was read alone: nothing here is a 3-D network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

SMALLEST_SHARE = 0.25  # of the largest slice's foreground: less is the top of the head, air, or noise
MAXIMUM_RUNS = 5
SUSPICIOUS = 0.5  # probability of a tumour from which on a slice counts as called


@dataclass(frozen=True)
class Run:
    """Neighbouring slices that are called tumour: `first` to `last`, the most suspicious at `peak`. Positions."""

    first: int
    last: int
    peak: int


def slices_with_brain(pictures: Sequence[np.ndarray]) -> list[int]:
    """The positions of the slices that show enough of the head to be read; at least one.

    pictures: (H, W) float in 0..1, all on one intensity scale. The foreground is what lies above Otsu's threshold
    over the whole volume (Otsu, IEEE Trans. SMC 1979), so that noise in air does not count.
    """
    sample = np.concatenate([picture[::4, ::4].ravel() for picture in pictures])
    levels = np.rint(np.clip(sample, 0, 1) * 255).astype(np.uint8)
    level = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 255
    areas = np.asarray([float(np.mean(picture > level)) for picture in pictures])
    return [int(position) for position in np.flatnonzero(areas >= SMALLEST_SHARE * areas.max())]


def suspicious_runs(suspicion: Sequence[float] | np.ndarray) -> list[Run]:
    """The runs of neighbouring slices whose probability of a tumour is `SUSPICIOUS` or more, the highest peak first.

    suspicion: (N,) probability of any tumour a slice, NaN where there is no answer (which ends a run). At most
    `MAXIMUM_RUNS`.
    """
    values = np.asarray(suspicion, dtype=float)
    above = np.concatenate([[False], np.nan_to_num(values, nan=-1.0) >= SUSPICIOUS, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1])
    runs = [
        Run(int(first), int(end) - 1, int(first + np.argmax(values[first:end])))
        for first, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    return sorted(runs, key=lambda run: -values[run.peak])[:MAXIMUM_RUNS]
