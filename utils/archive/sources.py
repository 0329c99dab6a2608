"""Files, folders, ZIPs and URIs -> the files in them and their bytes, through fsspec. A ZIP is read like a folder."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from utils.archive.errors import ArchiveRunError
from utils.scans.archives import is_hidden, member_bytes
from utils.scans.errors import UnreadableScan, damaged
from utils.scans.files import HEAD, series_of, shows_series
from utils.scans.limits import check_file
from utils.scans.signatures import is_dicom, is_zip

URI = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
FIRST_BYTES = 16_384  # of a file; nearly all DICOM files show their series there
EMPTY_FOLDER = "This folder holds no files; name a folder with scans in it."
EMPTY_ZIP = "This ZIP file holds no file that could be a scan."
NOT_A_MEMBER = -1  # the entry of a file that is no member of a ZIP
ZIP_BLOCK = 1_048_576  # bytes that a service is asked for at once


@dataclass(frozen=True)
class Part:
    """A file, or one member of a ZIP; or the reason why it gives nothing.

    `entry` is the number of the member in the ZIP's table of contents, NOT_A_MEMBER for a file. `series` is equal for
    the DICOM files of one series (16 bytes, a hash), None for other files. `size` is in bytes.
    """

    file: str
    entry: int = NOT_A_MEMBER
    member: str = ""
    size: int = 0
    series: bytes | None = None
    reason: str | None = None

    @property
    def name(self) -> str:
        """What it is called in the rows: the path or URI, with the name inside a ZIP."""
        return f"{self.file}/{self.member}" if self.member else self.file


def resolved(sources: Sequence[str]) -> list[str]:
    """Absolute paths and URIs, less those that lie below another. Raises ArchiveRunError for one that is not there."""
    places = sorted({_absolute(source) for source in sources})
    folders = [place.rstrip("/") + "/" for place in places]
    return [place for place in places if not any(place.startswith(folder) for folder in folders)]


def files_of(source: str) -> Iterator[Part]:
    """The files of a resolved source, but for hidden ones, folder by folder in order of their names.

    A folder that is empty or cannot be opened comes itself, with the reason.
    """
    system, root = filesystem_of(source)
    prefix = source.removesuffix(root)  # "s3://", or nothing
    locked: list[OSError] = []
    is_empty = True
    if not system.isdir(root):
        yield Part(source, size=system.info(root)["size"])
        return
    for _, folders, files in system.walk(root, detail=True, on_error=locked.append):
        for name in sorted(folders):  # walk goes on with what is left here, in this order
            facts = folders.pop(name)
            if not name.startswith("."):
                folders[name] = facts
        for name in sorted(files):
            path, kind = files[name]["name"], files[name]["type"]
            if name and not name.startswith(".") and (kind == "file" or system.isfile(path)):
                is_empty = False
                yield Part(prefix + path, size=files[name]["size"])
    for error in locked:
        is_empty = False
        reason = f"This folder cannot be opened ({error.strerror or 'no access'}); check its permissions."
        yield Part(prefix + str(error.filename or root), reason=reason)
    if is_empty:
        yield Part(source, reason=EMPTY_FOLDER)


def parts_of(file: Part) -> list[Part]:
    """A listed file itself, or the members of a ZIP that are not hidden, with the series of each. Never raises."""
    if file.reason:
        return [file]
    try:
        with _refusing():
            system, path = filesystem_of(file.file)
            head = system.cat_file(path, 0, FIRST_BYTES) if file.size else b""
            if is_zip(head):
                with ZipArchive(file.file) as archive:
                    return archive.parts() or [replace(file, reason=EMPTY_ZIP)]
            if is_dicom(head) and not shows_series(head):
                head = system.cat_file(path, 0, HEAD)
    except UnreadableScan as refusal:
        return [replace(file, reason=str(refusal))]
    return [replace(file, series=_key(head, file.file))]


class PartReader:
    """Reads parts; the ZIP of the last one stays open, because its members follow each other."""

    def __init__(self) -> None:
        self._archive: ZipArchive | None = None

    def read(self, part: Part) -> bytes:
        """The bytes of a part. Raises UnreadableScan where it is too large or cannot be read."""
        if part.reason:
            raise UnreadableScan(part.reason)
        check_file(part.size)
        with _refusing():
            if part.entry == NOT_A_MEMBER:
                system, path = filesystem_of(part.file)
                return system.cat_file(path)
            if self._archive is None or self._archive.file != part.file:
                self.close()
                self._archive = ZipArchive(part.file)
            return self._archive.read(part.entry)

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()
        self._archive = None


class ZipArchive:
    """An open ZIP. Raises UnreadableScan where it is damaged."""

    def __init__(self, file: str) -> None:
        self.file = file
        system, path = filesystem_of(file)
        self._stream = system.open(path, "rb", block_size=ZIP_BLOCK)
        try:
            self._zip = zipfile.ZipFile(self._stream)
        except Exception:  # zipfile raises a dozen kinds on broken archives
            self._stream.close()
            raise damaged("ZIP file") from None

    def __enter__(self) -> ZipArchive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._zip.close()
        self._stream.close()

    def parts(self) -> list[Part]:
        return [
            Part(self.file, number, entry.filename, entry.file_size, self._series(entry))
            for number, entry in enumerate(self._zip.infolist())
            if not entry.is_dir() and not is_hidden(entry.filename)
        ]

    def read(self, entry: int) -> bytes:
        return member_bytes(self._zip, self._zip.infolist()[entry])

    def _series(self, entry: zipfile.ZipInfo) -> bytes | None:
        try:
            with self._zip.open(entry) as stream:
                head = stream.read(FIRST_BYTES)
                if is_dicom(head) and not shows_series(head):
                    head += stream.read(HEAD - FIRST_BYTES)
        except Exception:  # locked or damaged: reading it will tell
            return None
        return _key(head, f"{self.file}/{entry.filename}")


def filesystem_of(place: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a path or URI, and the path in it. Raises ArchiveRunError for one that cannot be used."""
    if not URI.match(place):
        return LocalFileSystem(), place
    protocol = place.split("://", 1)[0]
    try:
        return url_to_fs(place)
    except ImportError as error:
        package = error.name or f"the package for {protocol}"
        raise ArchiveRunError(
            f"{protocol}:// needs {package}; install it with pip install -r requirements-archive.txt."
        ) from None
    except ValueError:
        raise ArchiveRunError(f"{protocol}:// is not supported; use a path, file:// or s3://.") from None


def _absolute(source: str) -> str:
    place = source if URI.match(source) else os.path.abspath(source)
    if place.startswith("file://"):
        place = os.path.abspath(place.removeprefix("file://"))
    system, path = filesystem_of(place)
    try:
        is_there = system.exists(path)
    except Exception as error:  # each service has its own: no network, no rights, a wrong name
        raise ArchiveRunError(
            f"{source} cannot be opened ({type(error).__name__}); check its name and your rights."
        ) from None
    if not is_there:
        raise ArchiveRunError(f"{source} does not exist; name files, folders, ZIPs or URIs.")
    return place.rstrip("/") or "/"


def _key(head: bytes, name: str) -> bytes | None:
    """The series of a file as a hash: the manifest holds no UID, which could identify a patient."""
    series = series_of(head, name.rpartition("/")[0])
    return None if series is None else sha256(series).digest()[:16]


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns the errors of file systems and services into the refusal of one file."""
    try:
        yield
    except UnreadableScan:
        raise
    except Exception as error:  # each service has its own
        why = getattr(error, "strerror", None) or type(error).__name__
        raise UnreadableScan(f"This file cannot be opened ({why}).") from None
