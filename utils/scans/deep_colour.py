"""Images of 16 bits in several channels (colour, gray with transparency), which Pillow reduces to 8 bits."""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image

from utils.scans.colour import LUMA, strong_colour

PNG_DEPTH, PNG_KIND = 24, 25  # bytes of a PNG file: bits of a channel, and which channels there are
PNG_KINDS = (2, 4, 6)  # RGB, gray with alpha, RGB with alpha
BAND = 262_144  # pixels made gray at once
BITS_PER_SAMPLE = 258  # TIFF tag


def is_deep_png(data: bytes) -> bool:
    if len(data) <= PNG_KIND or data[:8] != b"\x89PNG\r\n\x1a\n":
        return False
    return data[PNG_DEPTH] == 16 and data[PNG_KIND] in PNG_KINDS


def is_deep_tiff(image: Image.Image) -> bool:
    """Whether a TIFF file that Pillow has opened, but not decoded, holds several channels of 16 bits."""
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, ())
    return isinstance(bits, tuple) and len(bits) > 1 and set(bits) == {16}


def decode(data: bytes, orientation: int) -> tuple[np.ndarray, bool] | None:
    """(H, W) float32 brightness in the file's own unit, and whether it is coloured; None where it cannot be read.

    Transparent pixels are laid on black. `orientation` is that of EXIF, 1 for none.
    """
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.dtype != np.uint16 or decoded.ndim != 3 or decoded.shape[2] not in (3, 4):
        return None
    height, width = decoded.shape[:2]
    largest = max(int(decoded[..., :3].max()), 1)
    brightness, strong = np.empty((height, width), np.float32), 0
    rows = max(BAND // width, 1)
    for top in range(0, height, rows):
        band = decoded[top : top + rows]
        colour = band[..., 2::-1] / np.float32(largest)  # OpenCV's order is blue, green, red
        if decoded.shape[2] == 4:
            colour = colour * (band[..., 3:] / np.float32(65535))
        brightness[top : top + rows] = colour @ LUMA
        strong += int(strong_colour(colour).sum())
    return _turned(brightness, orientation), strong > 0.02 * height * width


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """EXIF: 2 to 4 are mirrored or rotated by half a turn, 5 to 8 are these, transposed."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.T
        return {5: pixels, 6: pixels[:, ::-1], 7: pixels[::-1, ::-1], 8: pixels[::-1]}[orientation]
    return {2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1]}.get(orientation, pixels)
