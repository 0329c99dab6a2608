"""From a file's own unit to brightness 0..1: one window for all slices of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

PERCENTILES = (0.5, 99.5)
SAMPLE = 2_000_000  # pixels of a stack that the percentiles are taken of, at most
BLANK = 2 / 255  # a smaller range of brightness than this shows nothing


def window_of(frames: Sequence[np.ndarray]) -> tuple[float, float]:
    """The numbers that become 0 and 1: percentiles of the finite values, or their range if these are equal."""
    step = max(int(np.ceil(np.sqrt(sum(frame.size for frame in frames) / SAMPLE))), 1)
    sample = np.concatenate([frame[::step, ::step].ravel() for frame in frames])
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 0.0
    low, high = (float(value) for value in np.percentile(sample, PERCENTILES))
    return (low, high) if high > low else (float(sample.min()), float(sample.max()))


def apply_window(frame: np.ndarray, window: tuple[float, float]) -> None:
    """Turn a (H, W) float32 frame into brightness in place; what is not finite, and all of an empty window, is 0.

    Images that are brightness already keep every bit.
    """
    low, high = window
    if (low, high) == (0, 1) and 0 <= frame.min() <= frame.max() <= 1:
        return
    frame[~np.isfinite(frame)] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        frame -= np.float32(low)
        frame *= np.float32(1 / (high - low) if high - low > 1e-30 else 0)
    frame[np.isnan(frame)] = 0
    np.clip(frame, 0, 1, out=frame)


def is_blank(frames: Sequence[np.ndarray]) -> bool:
    """Whether nothing can be seen on any of them."""
    lowest = min(float(frame.min()) for frame in frames)
    return max(float(frame.max()) for frame in frames) - lowest < BLANK
