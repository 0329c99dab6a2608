"""Pixels that are not square -> square ones. Everything after `scans` may rely on equal spacing in both directions."""

from __future__ import annotations

import cv2
import numpy as np

from utils.scans.decoded import FrameFacts
from utils.scans.limits import LARGEST_ASPECT, LARGEST_IMAGE, LARGEST_STACK

SQUARE = 1.01  # a longer over a shorter side up to this counts as square
IMPLAUSIBLE = "The pixel spacing in this file is implausible and was ignored; sizes in mm are not known."


class PixelGrid:
    """The shape and spacing of the upright slices of one stack, before and after resampling to square pixels."""

    def __init__(
        self, shape: tuple[int, int], facts: FrameFacts, is_transposed: bool = False, count: int = 1
    ) -> None:
        spacing, aspect = facts.spacing, facts.aspect
        if spacing is not None:
            aspect = spacing[0] / spacing[1]
        height, width = shape
        if is_transposed:
            height, width, aspect = width, height, 1 / aspect
            spacing = (spacing[1], spacing[0]) if spacing else None
        self.shape, self.spacing, self.note = (height, width), spacing, ""
        ratio = max(aspect, 1 / aspect)
        if ratio <= SQUARE:
            return
        if ratio > LARGEST_ASPECT:
            self.spacing, self.note = None, IMPLAUSIBLE
            return
        finer = (round(height * aspect), width) if aspect > 1 else (height, round(width / aspect))
        coarser = (
            (height, max(round(width / aspect), 1)) if aspect > 1 else (max(round(height * aspect), 1), width)
        )
        pixels = finer[0] * finer[1]
        is_small = pixels <= LARGEST_IMAGE and pixels * count <= LARGEST_STACK
        self.shape = finer if is_small else coarser
        what = f"{aspect:.3g} times as high as wide"
        if spacing is not None:
            side = min(spacing) if is_small else max(spacing)
            self.spacing = (side, side)
            what = f"{spacing[0]:.3g} x {spacing[1]:.3g} mm"
        self.note = (
            f"The pixels of this file are not square ({what}); the image was resampled to square pixels."
        )

    def resampled(self, frame: np.ndarray) -> np.ndarray:
        """An upright (H, W) float32 frame on square pixels, the frame itself where it has them."""
        if frame.shape == self.shape:
            return frame
        is_smaller = self.shape[0] * self.shape[1] < frame.size
        interpolation = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
        size = self.shape[::-1]
        return cv2.resize(np.ascontiguousarray(frame), size, interpolation=interpolation)
