"""Pixels -> images to show or to store: 8-bit grayscale, a smaller size, PNG."""

from __future__ import annotations

import cv2
import numpy as np


def gray_picture(pixels: np.ndarray) -> np.ndarray:
    """(H, W) uint8 of a scan's (H, W) pixels in 0..1."""
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def fitted(picture: np.ndarray, widest: int) -> np.ndarray:
    """An (H, W) or (H, W, C) picture, made smaller where it is wider than `widest` pixels."""
    excess = picture.shape[1] / widest
    if excess <= 1:
        return picture
    size = (widest, max(round(picture.shape[0] / excess), 1))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def png(picture: np.ndarray) -> bytes:
    """A PNG file of an (H, W), (H, W, 3) RGB or (H, W, 4) RGBA uint8 picture."""
    ordered = picture if picture.ndim == 2 else picture[..., [2, 1, 0, 3][: picture.shape[2]]]
    return cv2.imencode(".png", np.ascontiguousarray(ordered))[1].tobytes()
