"""Paths -> scans, for the command line: files and folders in, one Input per image, slice or refusal out."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from utils.scans.errors import UnreadableScan
from utils.scans.scan import Refusal, Scan, Stack
from utils.scans.signatures import is_dicom
from utils.scans.upload import file_bytes, read_stacks

Item = TypeVar("Item")

HEAD = 262_144  # bytes of a file that `series_of` searches
SHORT_HEAD = 132  # bytes that show whether a file is DICOM
SERIES_UIDS: tuple[tuple[bytes, Literal["little", "big"]], ...] = (  # (0020,000E), by byte order
    (b"\x20\0\x0e\0", "little"),
    (b"\0\x20\0\x0e", "big"),
)
LONGEST_UID = 64


@dataclass(frozen=True)
class Input:
    """A scan, or the reason why there is none.

    `file` is what it is called in answers: the path, with the name inside a ZIP that holds several. `path` is the file
    on disk, `part` counts from 1 in such a ZIP, and the stacks of a file with several.
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
    """What the files hold, in order; a file that comes twice counts once.

    DICOM files of one series are combined into stacks, wherever they are: in several folders, or with other files
    between them. A stack comes at the place of its first file.
    """
    files = list(dict.fromkeys(files))
    series: dict[bytes, list[Path]] = defaultdict(list)
    keys = {path: series_of_file(path) for path in files}
    for path, key in keys.items():
        if key is not None:
            series[key].append(path)
    for path, key in keys.items():
        if key is None:
            yield from _read_alone(path)
        elif series[key][0] == path:
            yield from _read_together(series[key])


def series_of(head: bytes, folder: str) -> bytes | None:
    """What the DICOM files of one series share, as far as the beginning of a file shows it; None for other files.

    Files that do not show their series share their folder.
    """
    if not is_dicom(head):
        return None
    for tag, order in SERIES_UIDS:
        place = head.find(tag)
        if place >= 0:
            start = place + len(tag)
            # explicit: VR and two bytes of length; implicit: four bytes of length
            text = head[start + 4 :]
            explicit = head[start : start + 2] == b"UI"
            length = int.from_bytes(head[start + 2 * explicit : start + 4], order)
            return text[: min(length, LONGEST_UID)].rstrip(b"\0 ")
    return folder.encode()


def shows_series(head: bytes) -> bool:
    """Whether the beginning of a DICOM file is long enough for `series_of`."""
    return any(0 <= head.find(tag) < len(head) - LONGEST_UID - 8 for tag, _ in SERIES_UIDS)


def series_of_file(path: Path) -> bytes | None:
    """`series_of` of a file on disk, whose beginning alone is read; None where it cannot be opened."""
    try:
        with path.open("rb") as stream:
            head = stream.read(SHORT_HEAD)
            return series_of(head + stream.read(HEAD), str(path.parent)) if is_dicom(head) else None
    except OSError:
        return None


def _read_together(paths: list[Path]) -> Iterator[Input]:
    files: list[tuple[str, bytes]] = []
    for path in paths:
        try:
            files.append((str(path), file_bytes(path)))
        except UnreadableScan as refusal:
            yield Input(str(path), path, reason=str(refusal))
    parts = read_stacks(files) if files else []
    stacks = Counter(
        name for part in parts if isinstance(part, Stack) for name in {scan.name for scan in part.scans}
    )
    seen: Counter[str] = Counter()
    for part in parts:
        if isinstance(part, Refusal):
            yield Input(part.name, Path(part.name), reason=part.reason)
            continue
        seen.update({scan.name for scan in part.scans})
        for scan in part.scans:
            number = seen[scan.name] if stacks[scan.name] > 1 else None
            file = scan.name if number is None else f"{scan.name}/stack {number}"
            yield Input(file, Path(scan.name), scan, part=number)


def _read_alone(path: Path) -> Iterator[Input]:
    try:
        data = file_bytes(path)
    except UnreadableScan as refusal:
        yield Input(str(path), path, reason=_folder_reason(path) or str(refusal))
        return
    parts = read_stacks([(str(path), data)])
    for number, entry in enumerate(parts, 1):
        part = number if len(parts) > 1 else None
        if isinstance(entry, Refusal):
            file = f"{path}/{entry.name}" if part else str(path)
            yield Input(file, path, reason=entry.reason, part=part)
            continue
        for scan in entry.scans:
            yield Input(f"{path}/{scan.name}" if part else str(path), path, scan, part=part)


def _folder_reason(path: Path) -> str:
    """Why a folder gives nothing, "" for what is no folder."""
    if not path.is_dir():
        return ""
    try:
        os.scandir(path).close()
    except OSError as error:
        return f"This folder cannot be opened ({error.strerror or error}); check its permissions."
    return "This folder holds no files; name a folder with scans in it."


def files_in(paths: Iterable[Path]) -> Iterator[Path]:
    """The files of `paths`, where a folder stands for all files in it, by name, but for hidden ones.

    A folder that is empty or cannot be opened comes itself, so that it can be reported.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        yield from _inside(path) or [path]


def _inside(path: Path) -> list[Path]:
    locked: list[Path] = []
    inside: list[Path] = []
    for folder, folders, names in os.walk(path, onerror=lambda error: locked.append(Path(error.filename))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files = [Path(folder, name) for name in names if not name.startswith(".")]
        inside += [file for file in files if file.is_file()]
    return sorted(inside + locked)


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
