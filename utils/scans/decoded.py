"""Bytes -> Decoded: which format it is, told by the bytes, and the room that decodes it.

Runs in the decoder process (`isolation`), except for plain PNG and JPEG. Knows no names of files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from utils.scans.limits import UnreadableScan

PICTURE_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"BM", b"II*\0", b"II+\0", b"MM\0*", b"MM\0+", b"RIFF")


@dataclass(frozen=True)
class Decoded:
    """What one file holds, before it has a name, an order and, where `windowed` is false, a window.

    `frames` are `count` (H, W) float32 arrays, all of one shape: brightness 0..1 where `windowed`, else in the file's
    own unit; NaN where the file says that there is nothing. `spacing` is (row, column) in mm. `series` is equal for
    DICOM files of one series (a hash, never its UID); `orientation` is DICOM's ImageOrientationPatient, `positions`
    the place of each frame along the normal in mm (empty if unknown), `number` the InstanceNumber.
    """

    format: str
    count: int
    frames: Iterable[np.ndarray]
    windowed: bool = True
    spacing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    series: str = ""
    orientation: tuple[float, ...] = ()
    positions: tuple[float, ...] = ()
    number: int = 0


def decode(data: bytes) -> Decoded:
    """Decode one file of any format except ZIP. Frames may be made one by one, and so raise late.

    Raises UnreadableScan, or whatever a decoder raises on a broken file.
    """
    # The rooms are imported here, so that the app does not pay for decoders that run in another process.
    if is_nifti(data):
        from utils.scans import nifti

        return nifti.decode(data)
    if is_dicom(data):
        from utils.scans import dicom

        return dicom.decode(data)
    from utils.scans import pictures

    return pictures.decode(data)


def is_recognised(data: bytes) -> bool:
    """Whether the beginning is one of a format that `decode` knows; all else need not be sent to a decoder."""
    return data.startswith(PICTURE_BEGINNINGS) or is_nifti(data) or is_dicom(data)


def is_nifti(data: bytes) -> bool:
    """NIfTI 1 or 2, or a gzip file (nothing else of ours comes in one)."""
    return (
        data[:3] == b"\x1f\x8b\x08" or data[344:348] in (b"n+1\0", b"ni1\0") or data[4:7] in (b"n+2", b"ni2")
    )


def is_dicom(data: bytes) -> bool:
    """A DICOM file, also an old one that begins with its first element instead of a preamble."""
    if data[128:132] == b"DICM":
        return True
    if data[:2] not in (b"\x02\0", b"\x08\0") or data[2:4] not in (b"\0\0", b"\x01\0", b"\x05\0", b"\x10\0"):
        return False
    explicit = data[4:6] in (b"UL", b"OB", b"UI", b"CS")
    return explicit or int.from_bytes(data[4:8], "little") < 128


def is_zip(data: bytes) -> bool:
    return data[:4] in (b"PK\x03\x04", b"PK\x05\x06")


def spacing_in_mm(row: float, column: float) -> tuple[float, float] | None:
    """(row, column), if both are lengths that a pixel of a scan can have."""
    return (row, column) if all(0.001 < value < 100 for value in (row, column)) else None


def damaged(what: str) -> UnreadableScan:
    return UnreadableScan(f"This {what} is damaged or cut short and cannot be decoded; export it again.")
