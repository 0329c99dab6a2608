"""A map or mask of an upright scan -> the grid of the frame that it was decoded from."""

from __future__ import annotations

import cv2
import numpy as np

from utils.scans.scan import SourceGrid


def to_source(image: np.ndarray, grid: SourceGrid) -> np.ndarray:
    """An (H, W) map or mask on a scan's pixels -> (rows, columns) of its frame as stored, in the same dtype.

    Where the scan has the frame's own pixels, only turned, every value stays as it is. Where the scan was resampled to
    square pixels, a mask takes the nearest pixel and a map is interpolated.
    """
    transpose, rows, columns = grid.turn
    height, width = grid.shape[::-1] if transpose else grid.shape
    if image.shape != (height, width):
        is_mask = image.dtype == bool
        values = np.ascontiguousarray(image, np.uint8 if is_mask else image.dtype)
        interpolation = cv2.INTER_NEAREST_EXACT if is_mask else cv2.INTER_LINEAR
        image = cv2.resize(values, (width, height), interpolation=interpolation).astype(image.dtype)
    image = image[:, ::-1] if columns else image
    image = image[::-1] if rows else image
    return np.ascontiguousarray(image.T if transpose else image)
