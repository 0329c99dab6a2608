"""Export of reviewed cases to class folders, the input of `model.py train --protocol folder`."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.cases.store import Case
from utils.classes import CLASSES
from utils.datasets.tables import DatasetError
from utils.paths import file_sha256
from utils.scans.errors import UnreadableScan
from utils.scans.files import files_in
from utils.scans.images import IMAGE_SUFFIXES
from utils.scans.rendering import gray_image, png
from utils.scans.upload import read_scan_file

# Names that Windows reserves for devices, with any suffix.
RESERVED = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10)),
}


@dataclass(frozen=True)
class ExportedCases:
    """The result of an export: images written per class, and the cases that were skipped.

    unlabelled: names of cases without a correct label, or with one that is no output class; missing: names of those
    without an original; unusable: one sentence for each original that is not a single image.
    """

    counts: dict[str, int]
    unlabelled: tuple[str, ...]
    missing: tuple[str, ...]
    unusable: tuple[str, ...]


def write_class_folders(cases: Sequence[Case], originals: Path, output: Path) -> ExportedCases:
    """Copy the originals of labelled cases to `output`/CLASS/NAME.SUFFIX, named after the cases.

    Originals are identified by the SHA-256 of their bytes, at any depth of the folder and under any name. Images are
    copied bit by bit. A single slice in another format, such as DICOM, becomes an 8-bit greyscale PNG without its
    header. Volumes are skipped, because not all of their slices have the label. Raises DatasetError where `originals`
    is not a folder or `output` is not empty.
    """
    if not originals.is_dir():
        raise DatasetError(f"{originals} is not a folder; give the folder of the originals.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DatasetError(f"{output} is not empty; give a new folder.")
    labelled = [case for case in cases if case.label in CLASSES]
    files = {file_sha256(file): file for file in files_in([originals]) if file.is_file()}
    present = [case for case in labelled if case.sha256 in files]
    counts = dict.fromkeys(CLASSES, 0)
    unusable = []
    for case, stem in zip(present, file_stems(case.name for case in present), strict=True):
        assert case.label is not None
        try:
            _copy(files[case.sha256], output / case.label / stem)
            counts[case.label] += 1
        except UnreadableScan as reason:
            unusable.append(f"{case.name}: {reason}")
    return ExportedCases(
        counts,
        tuple(case.name for case in cases if case.label not in CLASSES),
        tuple(case.name for case in labelled if case.sha256 not in files),
        tuple(unusable),
    )


def file_stems(names: Iterable[str]) -> list[str]:
    """One file name without suffix per name: valid on every file system, and different also where case is ignored."""
    stems: list[str] = []
    taken: set[str] = set()
    for name in names:
        stem = first = _file_stem(name)
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{first} ({number})"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _file_stem(name: str) -> str:
    """The letters and digits of any script, spaces and -_() of a name; at most 60 characters (240 bytes)."""
    stem = re.sub(r"[^\w ()-]", "_", unicodedata.normalize("NFKC", name))[:60].strip()
    return f"_{stem}" if stem.upper() in RESERVED or not stem else stem


def _copy(original: Path, target: Path) -> None:
    """Raises UnreadableScan where the file is not a single image."""
    scan = read_scan_file(original)
    target.parent.mkdir(parents=True, exist_ok=True)
    suffix = original.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        shutil.copyfile(original, target.with_name(target.name + suffix))
    else:
        target.with_name(f"{target.name}.png").write_bytes(png(gray_image(scan.pixels)))
