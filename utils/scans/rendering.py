"""Pixels -> images to show or to store: 8-bit grayscale, a smaller size, PNG."""

from __future__ import annotations

import cv2
import numpy as np


def gray_image(pixels: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a scan's (H, W) pixels in 0..1."""
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def fitted(image: np.ndarray, widest: int) -> np.ndarray:
    """An (H, W) or (H, W, C) image, made smaller where it is wider than `widest` pixels."""
    excess = image.shape[1] / widest
    if excess <= 1:
        return image
    size = (widest, max(round(image.shape[0] / excess), 1))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def png(image: np.ndarray) -> bytes:
    """A PNG file of an (H, W), (H, W, 3) RGB or (H, W, 4) RGBA uint8 image."""
    ordered = image if image.ndim == 2 else image[..., [2, 1, 0, 3][: image.shape[2]]]
    return cv2.imencode(".png", np.ascontiguousarray(ordered))[1].tobytes()
