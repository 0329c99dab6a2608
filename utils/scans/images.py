"""JPEG, PNG, BMP, TIFF and WebP -> Decoded, with Pillow."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps

from utils.scans import deep_colour
from utils.scans.colour import COLOUR_NOTE, gray, strong_colour
from utils.scans.decoded import Decoded, FrameFacts
from utils.scans.deep_colour import is_deep_png, is_deep_tiff
from utils.scans.errors import UnreadableScan
from utils.scans.limits import LARGEST_IMAGE, PLAIN_BYTES, PLAIN_PASSES, PLAIN_PIXELS, check_size

IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
PLAIN_BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
BAND = 262_144  # pixels of a very large image made gray at once: bounds the memory, and is quicker
EXIF_ORIENTATION = 0x0112
DEEP_MODES = ("I;16", "I;16B", "I;16L", "I", "F")
WHITE_IS_ZERO, PHOTOMETRIC = 0, 262  # value and number of a TIFF tag
NOT_FINITE = "Some numbers in this file are not finite; they are shown black."
NOT_AN_IMAGE = "This is not an image in a format that can be read; use JPEG, PNG, DICOM or NIfTI."


def is_plain(beginning: bytes) -> bool:
    """Whether the beginning of a file is that of a PNG or JPEG, which mostly needs no decoder process."""
    return beginning.startswith(PLAIN_BEGINNINGS)


def decode_plain(data: bytes) -> Decoded | None:
    """Decode a PNG or JPEG of usual size at once; None for every other file, which `decode` may read.

    Raises UnreadableScan. The limits keep the cost of such files low: see `limits`.
    """
    if not is_plain(data) or len(data) > PLAIN_BYTES:
        return None
    if is_deep_png(data):
        return None
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > PLAIN_PASSES:
        return None
    return _decode(data, ("PNG", "JPEG"), PLAIN_PIXELS)


def decode(data: bytes) -> Decoded:
    """Decode one image. Raises UnreadableScan, and nothing else but MemoryError."""
    decoded = _decode(data, IMAGE_FORMATS, LARGEST_IMAGE)
    assert decoded is not None  # more pixels than this raise
    return decoded


def _decode(data: bytes, formats: tuple[str, ...], most_pixels: int) -> Decoded | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: the limit is ours
            image: Image.Image = Image.open(io.BytesIO(data), formats=formats)
            check_size(*image.size)
            if image.width * image.height > most_pixels:
                return None
            image_format = image.format or "unknown"
            several = _frames(image) > 1
            is_deep, is_inverted = is_deep_png(data) or is_deep_tiff(image), _is_white_zero(image)
            image.load()
            orientation = int(image.getexif().get(EXIF_ORIENTATION, 1))
            deep = deep_colour.decode(data, orientation) if is_deep else None
            if deep is not None:
                (pixels, is_finite), coloured = _stretched(deep[0]), deep[1]
            else:
                image = ImageOps.exif_transpose(image) or image
                pixels, coloured, is_finite = _to_gray(image, is_inverted)
    except (UnreadableScan, MemoryError):
        raise
    except Image.UnidentifiedImageError:
        raise UnreadableScan(NOT_AN_IMAGE) from None
    except Image.DecompressionBombError:  # Pillow's limit comes before ours for the very largest
        most = f"{LARGEST_IMAGE / 1e6:.0f} million"
        raise UnreadableScan(f"This image has far more than the {most} pixels that are read.") from None
    except Exception:  # Pillow raises almost anything on broken files
        text = "This image is damaged or cut short and cannot be decoded; save or export it again."
        raise UnreadableScan(text) from None
    notes = ["Only the first of several images in this file is read."] if several else []
    notes += [COLOUR_NOTE] * coloured + [NOT_FINITE] * (not is_finite)
    return Decoded(image_format, 1, [pixels], (FrameFacts(),), notes=tuple(notes))


def _frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1))


def _is_white_zero(image: Image.Image) -> bool:
    """Whether a TIFF file stores bright pixels as small numbers; Pillow inverts those of up to 8 bits itself."""
    return image.mode in DEEP_MODES and getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO


def _to_gray(image: Image.Image, is_inverted: bool) -> tuple[np.ndarray, bool, bool]:
    """(H, W) float32 in 0..1; whether the image is coloured; whether all its numbers are finite."""
    if image.mode in DEEP_MODES:
        raw = np.asarray(image, dtype=np.float32)
        pixels, is_finite = _stretched(-raw if is_inverted else raw)
        return pixels, False, is_finite
    return *_shallow_gray(image), True


def _shallow_gray(image: Image.Image) -> tuple[np.ndarray, bool]:
    if image.mode in ("1", "L") and "transparency" not in image.info:
        return np.asarray(image.convert("L"), dtype=np.float32) / 255, False
    width, height = image.size
    if width * height <= PLAIN_PIXELS:
        return gray(_rgb(image))
    rows = max(BAND // width, 1)
    pixels = np.empty((height, width), np.float32)
    strong = 0
    for top in range(0, height, rows):
        rgb = _rgb(image.crop((0, top, width, min(top + rows, height))))
        pixels[top : top + rows] = gray(rgb)[0]
        strong += int(strong_colour(rgb).sum())
    return pixels, strong > 0.02 * width * height


def _rgb(image: Image.Image) -> np.ndarray:
    """(H, W, 3) float32 in 0..1; transparent pixels are laid on black."""
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return np.asarray(image.convert("RGB"), dtype=np.float32) / 255


def _stretched(raw: np.ndarray) -> tuple[np.ndarray, bool]:
    """Values of 16 or 32 bit or floats, from the smallest to the largest; whether all are finite. Others become 0."""
    finite = np.isfinite(raw)
    is_finite = bool(finite.all())
    values = raw if is_finite else raw[finite]
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if high - low > 1e38:  # their difference would be beyond float32
        raise UnreadableScan("This image holds numbers beyond any brightness; export it as 8 or 16 bit.")
    with np.errstate(over="ignore", invalid="ignore"):
        stretched = (raw - np.float32(low)) / np.float32(max(high - low, 1e-6))
    return (stretched if is_finite else np.where(finite, stretched, np.float32(0))), is_finite
