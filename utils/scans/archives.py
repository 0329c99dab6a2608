"""ZIP -> the files in it, one at a time and in memory: none is ever written to disk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import PurePosixPath

from utils.scans.errors import UnreadableScan, damaged
from utils.scans.limits import (
    LARGEST_FILE,
    LARGEST_RATIO,
    LARGEST_UNPACKED,
    MEGABYTE,
    MOST_ENTRIES,
    MOST_FILES,
    RATIO_MATTERS_FROM,
)
from utils.scans.signatures import is_zip

ENTRY = b"PK\x01\x02"  # begins each entry of a ZIP's table of contents
TOO_MANY_FILES = UnreadableScan(
    f"This ZIP file holds more than {MOST_FILES} files; select the folder of one series alone."
)
LONGEST_NAME = 100  # characters of a file's name that are kept


def unpacked(data: bytes) -> Iterator[tuple[str, str, bytes | UnreadableScan]]:
    """The files of a ZIP as (folder, base name, bytes or the refusal), in order, without folders and hidden files.

    Raises UnreadableScan where the whole archive is refused, possibly after some of its files.
    """
    if data.count(ENTRY) > MOST_ENTRIES:  # counted before the table is read: a million entries take long
        raise TOO_MANY_FILES
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = [entry for entry in archive.infolist() if not (entry.is_dir() or is_hidden(entry.filename))]
    except Exception:  # zipfile raises a dozen kinds on broken archives
        raise damaged("ZIP file") from None
    if len(entries) > MOST_FILES:
        raise TOO_MANY_FILES
    if not entries:
        raise UnreadableScan("This ZIP file holds no file that could be a scan.")
    total = sum(entry.file_size for entry in entries)
    if total > LARGEST_UNPACKED:
        raise UnreadableScan(
            f"This ZIP file unpacks to {total / MEGABYTE:.0f} MB; at most "
            f"{LARGEST_UNPACKED // MEGABYTE} MB are read, so select a part of it."
        )
    for entry in entries:
        folder = str(PurePosixPath(entry.filename.replace("\\", "/")).parent)
        try:
            yield folder, base_name(entry.filename), member_bytes(archive, entry)
        except UnreadableScan as refusal:
            yield folder, base_name(entry.filename), refusal


def base_name(name: str) -> str:
    """The last part of a path of any system, without unprintable characters, at most LONGEST_NAME long."""
    last = PurePosixPath(name.replace("\\", "/")).name
    printable = "".join(letter if letter.isprintable() else " " for letter in last).strip()
    return printable[-LONGEST_NAME:] or "unnamed"


def is_hidden(name: str) -> bool:
    """Whether the path of a file is one that systems add to folders and archives (.DS_Store, __MACOSX)."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return "__MACOSX" in parts or parts[-1:] == () or parts[-1][0] == "."


def member_bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """One file of a ZIP. Raises UnreadableScan where it is locked, damaged, too large or a ZIP itself."""
    if entry.flag_bits & 1:
        raise UnreadableScan("This file is locked with a password; unlock it first.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableScan("This file is packed in an unusual way; pack it as an ordinary ZIP.")
    large = entry.file_size > RATIO_MATTERS_FROM
    if entry.file_size > LARGEST_FILE or (large and entry.file_size > LARGEST_RATIO * entry.compress_size):
        raise UnreadableScan(
            f"This file unpacks to {entry.file_size / MEGABYTE:.0f} MB, which is more than a scan may take."
        )
    try:
        with archive.open(entry) as stream:
            data = stream.read(entry.file_size + 1)
    except MemoryError:
        raise
    except Exception:
        raise damaged("file in a ZIP") from None
    if is_zip(data):
        raise UnreadableScan("This is a ZIP file inside a ZIP file; unpack it first.")
    return data
