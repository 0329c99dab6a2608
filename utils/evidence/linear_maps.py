"""Gradient maps in closed form, where the head behind the evidence layer is linear. NumPy alone.

Behind the layer come an optional max-pooling, global average pooling and one dense layer. The gradient of a class's
logit at a position is then its weight of the channel over the number of cells, and 0 where max-pooling drops the
position. `cams.gradient_maps` differentiates any head, and gives the same maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LinearHead:
    """`kernel` (k, C) float32: the weights of the dense layer; `window`: height and width of the max-pooling."""

    kernel: np.ndarray
    window: tuple[int, int] = (1, 1)


def linear_maps(head: LinearHead, features: np.ndarray, method: str) -> np.ndarray:
    """The maps of every class by one of `cams.GRADIENT_METHODS`: features (N, h, w, k) -> (N, C, h, w) float32.

    Not negative, unnormalised, as of `cams.gradient_maps`.
    """
    features = np.asarray(features, np.float32)
    height, width = features.shape[1:3]
    rows, columns = height // head.window[0], width // head.window[1]
    # Grad-CAM averages the gradient over all positions, of which max-pooling keeps one in each cell
    cells = height * width if method == "gradcam" else rows * columns
    if method in ("layercam", "hirescam"):
        features = _kept(features, rows, columns, head.window)
    kernel = head.kernel if method in ("gradcam", "hirescam") else np.maximum(head.kernel, 0)
    maps = np.maximum(features @ (kernel / np.float32(cells)), 0)
    return np.ascontiguousarray(maps.transpose(0, 3, 1, 2), np.float32)


def _kept(features: np.ndarray, rows: int, columns: int, window: tuple[int, int]) -> np.ndarray:
    """The features (N, h, w, k) that max-pooling keeps, the first of equal ones, and 0 elsewhere."""
    if window == (1, 1):
        return features
    count, channels, (high, wide) = len(features), features.shape[-1], window
    cut = features[:, : rows * high, : columns * wide]
    cells = cut.reshape(count, rows, high, columns, wide, channels).transpose(0, 1, 3, 5, 2, 4)
    cells = cells.reshape(count, rows, columns, channels, high * wide)
    places = cells.argmax(axis=-1, keepdims=True)
    kept = np.zeros_like(cells)
    np.put_along_axis(kept, places, np.take_along_axis(cells, places, -1), -1)
    kept = kept.reshape(count, rows, columns, channels, high, wide).transpose(0, 1, 4, 2, 5, 3)
    result = np.zeros_like(features)
    result[:, : rows * high, : columns * wide] = kept.reshape(cut.shape)
    return result
