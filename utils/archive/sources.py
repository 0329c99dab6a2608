"""Files, folders, ZIPs and URIs -> the files in them and their bytes. A ZIP is read like a folder."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from fsspec import AbstractFileSystem

from utils.archive.errors import ArchiveRunError
from utils.archive.storage import facts_of, filesystem_of, lasting_failure, refusing, version_of, why
from utils.scans.archives import is_hidden, member_bytes
from utils.scans.errors import UnreadableScan, damaged
from utils.scans.files import HEAD, series_of, shows_series
from utils.scans.limits import check_file
from utils.scans.signatures import is_dicom, is_zip

FIRST_BYTES = 16_384  # of a file; nearly all DICOM files show their series there
LOCKED = "This folder cannot be opened ({why}); check its permissions."
EMPTY_FOLDER = "This folder holds no files; name a folder with scans in it."
CHANGED = "This file changed after the run had begun; read it with another output."
EMPTY_ZIP = "This ZIP file holds no file that could be a scan."
NOT_A_MEMBER = -1  # the entry of a file that is no member of a ZIP
ZIP_BLOCK = 1_048_576  # bytes that a service is asked for at once


@dataclass(frozen=True)
class Part:
    """A file, or one member of a ZIP; or the reason why it gives nothing.

    `entry` is the number of the member in the ZIP's table of contents, NOT_A_MEMBER for a file. `series` is equal for
    the DICOM files of one series (16 bytes, a hash), None for other files. `size` is in bytes. `version` is that of the
    file when it was listed (`storage.version_of`).
    """

    file: str
    entry: int = NOT_A_MEMBER
    member: str = ""
    size: int = 0
    version: bytes | None = None
    series: bytes | None = None
    reason: str | None = None

    @property
    def name(self) -> str:
        """What it is called in the rows: the path or URI, with the name inside a ZIP."""
        return f"{self.file}/{self.member}" if self.member else self.file


def files_of(source: str) -> Iterator[Part]:
    """The files of a resolved source, but for hidden ones, folder by folder in order of their names.

    A folder that is empty or cannot be opened comes itself, with the reason. Raises ArchiveRunError where the source
    is no longer there or its storage does not answer.
    """
    facts = facts_of(source)
    if facts["type"] != "directory":
        yield Part(source, size=facts["size"], version=version_of(facts))
        return
    system, root = filesystem_of(source)
    prefix = source.removesuffix(root)  # "s3://", or nothing
    is_empty = True
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = sorted(system.ls(folder, detail=True), key=lambda facts: facts["name"])
        except Exception as error:  # each service has its own
            if failure := lasting_failure(error):
                raise ArchiveRunError(failure) from None
            is_empty = False
            yield Part(prefix + folder, reason=LOCKED.format(why=why(error)))
            continue
        for facts in entries:
            if _is_visible(facts["name"], folder) and (file := _file(system, facts)):
                is_empty = False
                yield Part(prefix + file["name"], size=file["size"], version=version_of(file))
        below = [facts["name"] for facts in entries if facts["type"] == "directory"]
        folders += [name for name in reversed(below) if _is_visible(name, folder)]
    if is_empty:
        yield Part(source, reason=EMPTY_FOLDER)


def parts_of(file: Part) -> list[Part]:
    """A listed file itself, or the members of a ZIP that are not hidden, with the series of each. Never raises."""
    if file.reason:
        return [file]
    try:
        with refusing():
            system, path = filesystem_of(file.file)
            head = system.cat_file(path, start=0, end=FIRST_BYTES) if file.size else b""
            if is_zip(head):
                with ZipArchive(file) as archive:
                    return archive.parts() or [replace(file, reason=EMPTY_ZIP)]
            if is_dicom(head) and not shows_series(head):
                head = system.cat_file(path, start=0, end=HEAD)
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
        with refusing():
            if part.entry == NOT_A_MEMBER:
                system, path = filesystem_of(part.file)
                data = system.cat_file(path, start=0, end=part.size)
                if part.version not in (None, version_of(system.info(path))):
                    raise UnreadableScan(CHANGED)
                return data
            if self._archive is None or self._archive.file.file != part.file:
                self.close()
                self._archive = ZipArchive(part)
            return self._archive.read(part.entry)

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()
        self._archive = None


class ZipArchive:
    """An open ZIP; `file` is itself or one of its members. Raises UnreadableScan where it is damaged or has changed."""

    def __init__(self, file: Part) -> None:
        self.file = file
        system, path = filesystem_of(file.file)
        if file.version not in (None, version_of(system.info(path))):
            raise UnreadableScan(CHANGED)
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
            Part(
                self.file.file,
                number,
                entry.filename,
                entry.file_size,
                self.file.version,
                self._series(entry),
            )
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
        except Exception as error:  # locked or damaged: reading it will tell
            if lasting_failure(error):
                raise
            return None
        return _key(head, f"{self.file.file}/{entry.filename}")


def _file(system: AbstractFileSystem, facts: dict[str, Any]) -> dict[str, Any] | None:
    """The facts about the file that an entry of a folder is, or that it is a link to; else None."""
    if facts["type"] == "file":
        return facts
    if facts["type"] == "directory":
        return None
    try:
        target = system.info(facts["name"])
    except OSError:  # a link to nothing
        return None
    return target if target["type"] == "file" else None


def _is_visible(name: str, folder: str) -> bool:
    """Whether an entry of a folder is neither hidden nor the folder itself, which S3 may list."""
    last = name.rstrip("/").removeprefix(folder.rstrip("/")).lstrip("/")
    return bool(last) and not last.startswith(".")


def _key(head: bytes, name: str) -> bytes | None:
    """The series of a file as a hash: the manifest holds no UID, which could identify a patient."""
    series = series_of(head, name.rpartition("/")[0])
    return None if series is None else sha256(series).digest()[:16]
