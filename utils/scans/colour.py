"""Colour images -> gray."""

from __future__ import annotations

import numpy as np

LUMA = np.asarray([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601
COLOUR_NOTE = "This is a colour image; MRI is grayscale. Only its brightness was read."


def gray(rgb: np.ndarray) -> tuple[np.ndarray, bool]:
    """(H, W, 3) float32 in 0..1 -> (H, W) float32 in 0..1, and whether the image is coloured."""
    brightness = np.clip(rgb @ LUMA, 0, 1).astype(np.float32)
    return brightness, bool(np.mean(strong_colour(rgb)) > 0.02)


def strong_colour(rgb: np.ndarray) -> np.ndarray:
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]  # np.ptp is ten times slower
    return np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue) > 0.15
