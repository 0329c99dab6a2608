"""Bytes -> Scan. The only room that decodes image files and refuses bad ones."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

PICTURE_FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
SMALLEST_SIDE = 32  # pixels
LARGEST_AREA = 64_000_000  # pixels: a decompression bomb is refused before it is decoded
LARGEST_ASPECT = 8  # longest side over shortest side


class UnreadableScan(ValueError):
    """A file that cannot be read as a scan. Its text is one sentence for the person who brought it."""


@dataclass(frozen=True)
class Scan:
    """One grayscale picture, whatever file it came from.

    `pixels` is (H, W) float32 in 0..1, not writeable. `spacing` is (row, column) in mm where the file knows it.
    `slice` is the 0-based slice number in a volume, None for a single picture. `notes` are short
    sentences about the file that the reader of the scan should see.
    """

    name: str
    pixels: np.ndarray
    format: str
    slice: int | None = None
    spacing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]


def read_scan(data: bytes, name: str) -> Scan:
    """Decode one picture file; the bytes decide the format, never the name.

    Raises UnreadableScan, and nothing else, for whatever is not a usable picture.
    """
    if not data:
        raise UnreadableScan("This file is empty; save or export the scan again.")
    if data[128:132] == b"DICM":
        raise UnreadableScan("This is a DICOM file, which is not read yet; export the slice as PNG or JPEG.")
    if data[344:348] in (b"n+1\0", b"ni1\0"):
        raise UnreadableScan("This is a NIfTI volume, which is not read yet; export a slice as PNG or JPEG.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning: the limit below is ours
            image = Image.open(io.BytesIO(data), formats=PICTURE_FORMATS)
            _check_size(*image.size)
            image_format = image.format or "unknown"
            notes = ["Only the first of several pictures in this file is read."] if _frames(image) > 1 else []
            image.load()
            pixels, coloured = _to_gray(ImageOps.exif_transpose(image) or image)
    except UnreadableScan:
        raise
    except Image.UnidentifiedImageError:
        raise UnreadableScan("This is not a picture in a format that can be read; use JPEG or PNG.") from None
    except Image.DecompressionBombError:  # Pillow's limit comes before ours for the very largest
        raise UnreadableScan(
            f"This picture has far more than the {LARGEST_AREA / 1e6:.0f} million pixels that are read."
        ) from None
    except Exception as error:  # Pillow raises almost anything on broken files
        raise UnreadableScan(
            "This picture is damaged or cut short and cannot be decoded; save or export it again."
        ) from error
    if float(pixels.max() - pixels.min()) < 2 / 255:
        raise UnreadableScan("This picture is blank: all its pixels have the same brightness.")
    if coloured:
        notes.append("This is a colour picture; MRI is grayscale. Its brightness alone was read.")
    pixels.setflags(write=False)
    return Scan(name=name, pixels=pixels, format=image_format, notes=tuple(notes))


def read_scan_file(path: Path | str, name: str | None = None) -> Scan:
    """`read_scan` for a file on disk. Raises UnreadableScan also where the file cannot be opened."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UnreadableScan(f"This file cannot be opened ({error.strerror or error}).") from error
    return read_scan(data, name or str(path))


def _check_size(width: int, height: int) -> None:
    if min(width, height) < SMALLEST_SIDE:
        raise UnreadableScan(
            f"This picture is {width} x {height} pixels; at least {SMALLEST_SIDE} x {SMALLEST_SIDE} are needed."
        )
    if width * height > LARGEST_AREA:
        raise UnreadableScan(
            f"This picture has {width * height / 1e6:.0f} million pixels; "
            f"at most {LARGEST_AREA / 1e6:.0f} million are read."
        )
    if max(width, height) > LARGEST_ASPECT * min(width, height):
        raise UnreadableScan(
            f"This picture is {width} x {height} pixels, a strip rather than a slice; crop it to one scan."
        )


def _frames(image: Image.Image) -> int:
    return int(getattr(image, "n_frames", 1))


def _to_gray(image: Image.Image) -> tuple[np.ndarray, bool]:
    """(H, W) float32 in 0..1, and whether the picture carried real colour."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
        raw = np.asarray(image, dtype=np.float32)
        if not np.isfinite(raw).all():
            raise UnreadableScan(
                "This picture holds numbers that are not finite; export it again as 8 or 16 bit."
            )
        low, high = float(raw.min()), float(raw.max())
        return (raw - low) / max(high - low, 1e-6), False
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image).convert("RGB")
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"), dtype=np.float32) / 255, False
    rgb = np.asarray(image.convert("RGB"), dtype=np.float32) / 255
    coloured = bool(np.mean(np.ptp(rgb, axis=2) > 0.15) > 0.02)
    gray = rgb @ np.asarray([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601 luma
    return np.clip(gray, 0, 1).astype(np.float32), coloured
