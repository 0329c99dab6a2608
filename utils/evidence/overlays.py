"""Saliency maps drawn over a scan. NumPy and OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np


def overlay(
    pixels: np.ndarray, strength: np.ndarray, opacity: float = 0.6, threshold: float = 0.0
) -> np.ndarray:
    """A scan with a saliency map on top, transparent where the evidence is weak.

    pixels: (H, W) float in 0..1. strength: (H, W) float, 1 at the end of the colour scale; larger values are drawn as
    1, values below `threshold` are not drawn. Returns (H, W, 3) uint8 RGB in the colours of `palette`.
    """
    level = np.clip(strength, 0, 1)
    level = np.where(level >= threshold, level, 0)
    colours = palette()[levels(level)]
    alpha = (opacity * level)[..., None]
    gray = np.clip(pixels, 0, 1)[..., None] * 255
    return np.rint(gray * (1 - alpha) + colours * alpha).astype(np.uint8)


def levels(strength: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a strength (H, W): 255 where it is 1 or more.

    Coloured by `palette`, with the level as opacity, the levels give the image that `overlay` draws.
    """
    return np.rint(np.clip(strength, 0, 1) * 255).astype(np.uint8)


def palette() -> np.ndarray:
    """(256, 3) uint8 RGB, the colour of each level: violet, red, yellow.

    Inferno (Smith and van der Walt, SciPy 2015: perceptually uniform, with increasing lightness, suitable for
    colour-blind readers) without its dark quarter, which could be mistaken for a shadow on a scan. Unlike cividis it
    contains no gray, the colour of tissue.
    """
    ramp = np.linspace(64, 255, 256).round().astype(np.uint8)[None]
    return cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[0, :, ::-1]
