"""Evidence drawn over a scan: NumPy and OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np


def overlay(
    pixels: np.ndarray, strength: np.ndarray, opacity: float = 0.6, threshold: float = 0.0
) -> np.ndarray:
    """The scan with its evidence on top: where the evidence is weak, the scan shows through.

    pixels: (H, W) float in 0..1. strength: (H, W) float, 1 where evidence is as strong as the scale goes; more is
    drawn as 1, and less than `threshold` is not drawn. Returns (H, W, 3) uint8 RGB in the colours of `palette`.
    """
    level = np.clip(strength, 0, 1)
    level = np.where(level >= threshold, level, 0)
    colours = palette()[levels(level)]
    alpha = (opacity * level)[..., None]
    gray = np.clip(pixels, 0, 1)[..., None] * 255
    return np.rint(gray * (1 - alpha) + colours * alpha).astype(np.uint8)


def levels(strength: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a strength (H, W): 255 where it is 1 or more. Coloured by `palette`, with the level as its
    opacity, it gives what `overlay` draws."""
    return np.rint(np.clip(strength, 0, 1) * 255).astype(np.uint8)


def palette() -> np.ndarray:
    """(256, 3) uint8 RGB, the colour of each level: violet, red, yellow.

    Inferno (Smith and van der Walt, SciPy 2015: even to the eye, its lightness grows all the way, so that colour-blind
    readers see it too) without its dark quarter, which on a scan would be taken for a shadow. Unlike cividis it passes
    through no gray, the colour of tissue.
    """
    ramp = np.linspace(64, 255, 256).round().astype(np.uint8)[None]
    return cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO)[0, :, ::-1]
