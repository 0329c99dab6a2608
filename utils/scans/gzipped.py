"""gzip -> the bytes inside, at most LARGEST_FILE of them, and names for contents that are not read."""

from __future__ import annotations

import zlib

from utils.scans.errors import UnreadableScan, damaged
from utils.scans.limits import LARGEST_FILE, MEGABYTE

TOO_LARGE = (
    f"This file inflates to more than the {LARGEST_FILE // MEGABYTE} MB that are read; select a part of it."
)
PIECE = 8 * MEGABYTE  # bytes inflated at once: the memory beside the result


def is_gzip(data: bytes) -> bool:
    return data[:3] == b"\x1f\x8b\x08"


def inflated(data: bytes) -> bytearray:
    """Raises UnreadableScan for a damaged file and for one that inflates to more than LARGEST_FILE."""
    result, is_whole = bytearray(), False
    while data:  # some programs write one gzip stream after the other
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof and data:
            try:
                result += stream.decompress(data, PIECE)
            except zlib.error:
                raise damaged("gzip file (NIfTI or DICOM)") from None
            data = stream.unconsumed_tail
            if len(result) > LARGEST_FILE:
                raise UnreadableScan(TOO_LARGE)
        is_whole = stream.eof
        data = stream.unused_data.lstrip(b"\0")
    if not is_whole:
        raise damaged("gzip file (NIfTI or DICOM)")
    return result
