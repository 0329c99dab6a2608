"""From a file's own unit to brightness 0..1: the file's own window, or one of percentiles for all slices of a stack."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.scans.decoded import Window

PERCENTILES = (0.5, 99.5)
SAMPLE = 2_000_000  # pixels of a stack that the percentiles are taken of, at most
BLANK = 2 / 255  # a smaller range of brightness than this shows nothing
INFORMATIVE = (0.05, 0.95)  # of the range between the percentiles: neither background nor the brightest spots
HIDDEN = 0.99  # share of the informative pixels that a window has to clip to be ignored
LEAST_INFORMATIVE = 0.01  # of a frame's pixels; with fewer, the frame is not expected to show anything
WINDOW_IGNORED = "The display window stored in this file hides all of the image; it was ignored."


def window_of(frames: Sequence[np.ndarray]) -> tuple[float, float]:
    """The numbers that become 0 and 1: percentiles of the finite values, or their range if these are equal."""
    step = max(int(np.ceil(np.sqrt(sum(frame.size for frame in frames) / SAMPLE))), 1)
    sample = np.concatenate([frame[::step, ::step].ravel() for frame in frames])
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 0.0
    low, high = (float(value) for value in np.percentile(sample, PERCENTILES))
    return (low, high) if high > low else (float(sample.min()), float(sample.max()))


def choose_windows(
    frames: Sequence[np.ndarray], windows: Sequence[Window | None]
) -> tuple[list[Window], str]:
    """The window of each frame of a stack, and a note where one of the file was ignored, or "".

    A frame without a window gets that of the percentiles of all such frames. A window that hides all of its frame
    gets that of the percentiles of the stack.
    """
    without = [frame for frame, window in zip(frames, windows, strict=True) if window is None]
    common = (*window_of(without), "LINEAR") if without else None
    whole = (*window_of(frames), "LINEAR") if len(without) < len(frames) else None
    chosen, note = [], ""
    for frame, window in zip(frames, windows, strict=True):
        if window is None:
            assert common is not None
            chosen.append(common)
        elif whole is not None and _hides(frame, window, whole):
            chosen.append(common or whole)
            note = WINDOW_IGNORED
        else:
            chosen.append(window)
    return chosen, note


def _hides(frame: np.ndarray, window: Window, whole: Window) -> bool:
    step = max(int(np.sqrt(frame.size / 20_000)), 1)
    sample = frame[::step, ::step]
    with np.errstate(over="ignore", invalid="ignore"):
        relative = (sample - whole[0]) / max(whole[1] - whole[0], 1e-30)
        informative = sample[(relative > INFORMATIVE[0]) & (relative < INFORMATIVE[1])]
    if informative.size < LEAST_INFORMATIVE * sample.size or informative.size == 0:
        return False
    if window[2] == "SIGMOID":  # never quite 0 or 1: the part in which it rises counts
        width = window[1] - window[0]
        window = (window[0] - width, window[1] + width, "SIGMOID")
    clipped = (informative <= window[0]) | (informative >= window[1])
    return bool(clipped.mean() >= HIDDEN)


def apply_window(frame: np.ndarray, window: tuple[float, float] | Window) -> None:
    """Turn a (H, W) float32 frame into brightness in place; what is not finite, and all of an empty window, is 0.

    Images that are brightness already keep every bit.
    """
    low, high = window[:2]
    is_sigmoid = len(window) == 3 and window[2] == "SIGMOID"
    if (low, high) == (0, 1) and not is_sigmoid and 0 <= frame.min() <= frame.max() <= 1:
        return
    frame[~np.isfinite(frame)] = np.nan
    with np.errstate(over="ignore", invalid="ignore"):
        frame -= np.float32(low)
        frame *= np.float32(1 / (high - low) if high - low > 1e-30 else 0)
        if is_sigmoid:  # PS3.3 C.11.2.1.3.1
            frame[:] = 1 / (1 + np.exp(np.clip(-4 * (frame - 0.5), -80, 80)))
    frame[np.isnan(frame)] = 0
    np.clip(frame, 0, 1, out=frame)


def is_blank(frames: Sequence[np.ndarray]) -> bool:
    """Whether nothing can be seen on any of them."""
    lowest = min(float(frame.min()) for frame in frames)
    return max(float(frame.max()) for frame in frames) - lowest < BLANK
