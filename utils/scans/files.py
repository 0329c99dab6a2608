"""Paths -> scans, for the command line: files and folders in, one Input per image, slice or refusal out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from utils.scans.errors import UnreadableScan
from utils.scans.scan import Refusal, Scan
from utils.scans.signatures import is_dicom
from utils.scans.upload import file_bytes, read_stacks

Item = TypeVar("Item")


@dataclass(frozen=True)
class Input:
    """A scan, or the reason why there is none.

    `file` is what it is called in answers: the path, with the name inside a ZIP that holds several. `path` is the file
    on disk, `part` counts from 1 in such a ZIP.
    """

    file: str
    path: Path
    scan: Scan | None = None
    reason: str | None = None
    part: int | None = None

    def stem(self, of_path: Path) -> Path:
        """Where results go, from where those of its file go: STEM, with the part and the slice where there are more."""
        part = f"-{self.part}" if self.part is not None else ""
        place = self.scan.slice if self.scan else None
        return of_path.with_name(of_path.name + part + (f"-slice{place:03}" if place is not None else ""))


def read_files(files: Iterable[Path]) -> Iterator[Input]:
    """What the files hold, in order. DICOM files that follow each other in one folder are read together, so that those
    of one series are a stack."""
    together: list[tuple[str, bytes]] = []
    folder = None
    for path in files:
        data = b""
        reason: str | None = None
        try:
            data = file_bytes(path)
        except UnreadableScan as refusal:
            reason = str(refusal)
        dicom = is_dicom(data)
        if together and not (dicom and path.parent == folder):
            yield from _read_together(together)
            together = []
        if reason is not None:
            yield Input(str(path), path, reason=reason)
        elif dicom:
            together.append((str(path), data))
            folder = path.parent
        else:
            yield from _read_alone(path, data)
    if together:
        yield from _read_together(together)


def _read_together(files: list[tuple[str, bytes]]) -> Iterator[Input]:
    for entry in read_stacks(files):
        if isinstance(entry, Refusal):
            yield Input(entry.name, Path(entry.name), reason=entry.reason)
        else:
            yield from (Input(scan.name, Path(scan.name), scan) for scan in entry.scans)


def _read_alone(path: Path, data: bytes) -> Iterator[Input]:
    parts = read_stacks([(str(path), data)])
    for number, entry in enumerate(parts, 1):
        part = number if len(parts) > 1 else None
        if isinstance(entry, Refusal):
            file = f"{path}/{entry.name}" if part else str(path)
            yield Input(file, path, reason=entry.reason, part=part)
            continue
        for scan in entry.scans:
            yield Input(f"{path}/{scan.name}" if part else str(path), path, scan, part=part)


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files as given; folders become all their files, in order of name, hidden ones left out."""
    for path in paths:
        if path.is_dir():
            inside = (file for file in sorted(path.rglob("*")) if file.is_file())
            yield from (
                file
                for file in inside
                if not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
        else:
            yield path


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of `size`; the last may be shorter."""
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def output_stems(files: list[Path]) -> list[Path]:
    """Where each file's results go below the output folder: its path below the folder common to all, less its suffix.

    The suffix stays where two files would share a name.
    """
    absolute = [Path(os.path.abspath(file)) for file in files]  # not resolved: a link keeps its own name
    common = Path(os.path.commonpath([file.parent for file in absolute])) if absolute else Path()
    below = [file.relative_to(common) for file in absolute]
    stems = [
        path.with_name(path.name.removesuffix(".gz")).with_suffix("") for path in below
    ]  # .nii.gz is one
    return [path if stems.count(stem) > 1 else stem for path, stem in zip(below, stems, strict=True)]
