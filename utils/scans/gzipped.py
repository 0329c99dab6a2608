"""gzip -> the bytes inside, at most LARGEST_FILE of them, and names for contents that are not read."""

from __future__ import annotations

import zlib

from utils.scans.errors import UnreadableScan, damaged
from utils.scans.limits import LARGEST_FILE, MEGABYTE


def is_gzip(data: bytes) -> bool:
    return data[:3] == b"\x1f\x8b\x08"


def inflated(data: bytes) -> bytes:
    """Raises UnreadableScan for a damaged file and for one that inflates to more than LARGEST_FILE."""
    parts, left = [], LARGEST_FILE
    while data:  # some programs write one gzip stream after the other
        stream = zlib.decompressobj(wbits=31)
        try:
            parts.append(stream.decompress(data, left + 1))
        except zlib.error:
            raise damaged("gzip file (NIfTI or DICOM)") from None
        left -= len(parts[-1])
        if left < 0 or not stream.eof:
            break
        data = stream.unused_data.lstrip(b"\0")
    if left < 0:
        raise UnreadableScan(
            f"This file inflates to more than the {LARGEST_FILE // MEGABYTE} MB that are read; select a part of it."
        )
    if not stream.eof:
        raise damaged("gzip file (NIfTI or DICOM)")
    return parts[0] if len(parts) == 1 else b"".join(parts)
