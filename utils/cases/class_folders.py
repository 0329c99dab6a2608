"""Reviewed cases and the folder of their originals -> class folders that `model.py train --protocol folder` reads."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from utils.cases.store import Case
from utils.classes import CLASSES
from utils.datasets.samples import DatasetError
from utils.paths import file_sha256
from utils.scans.errors import UnreadableScan
from utils.scans.files import files_in
from utils.scans.images import IMAGE_SUFFIXES
from utils.scans.rendering import gray_image, png
from utils.scans.upload import read_scan_file

# Names that Windows keeps for devices, whatever the suffix.
RESERVED = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10)),
}


@dataclass(frozen=True)
class Labelled:
    """What became of the cases: pictures written per class, and by their names those that are not among them.

    `unlabelled` are those that a person was unsure about, `missing` those whose original was not found, `unusable`
    (one sentence each) those that are no single picture.
    """

    counts: dict[str, int]
    unlabelled: tuple[str, ...]
    missing: tuple[str, ...]
    unusable: tuple[str, ...]


def write_class_folders(cases: Sequence[Case], originals: Path, output: Path) -> Labelled:
    """Copy the originals of labelled cases to `output`/CLASS/NAME.SUFFIX, named after the cases.

    Originals are known by the SHA-256 of their bytes, wherever below the folder they are and whatever they are called.
    Pictures are copied bit by bit; a file of another kind with a single picture in it, as a DICOM slice, becomes a
    gray 8-bit PNG, which carries nothing of its header. Volumes are left out: not all their slices have the label.
    Raises DatasetError where `originals` is no folder or something is in `output` already.
    """
    if not originals.is_dir():
        raise DatasetError(f"{originals} is not a folder; give the folder that holds the originals.")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise DatasetError(f"{output} is not empty; give a new folder.")
    labelled = [case for case in cases if case.label is not None]
    files = {file_sha256(file): file for file in files_in([originals])}
    found = [case for case in labelled if case.sha256 in files]
    counts = dict.fromkeys(CLASSES, 0)
    unusable = []
    for case, stem in zip(found, file_stems(case.name for case in found), strict=True):
        assert case.label is not None
        try:
            _copy(files[case.sha256], output / case.label / stem)
            counts[case.label] += 1
        except UnreadableScan as reason:
            unusable.append(f"{case.name}: {reason}")
    return Labelled(
        counts,
        tuple(case.name for case in cases if case.label is None),
        tuple(case.name for case in labelled if case.sha256 not in files),
        tuple(unusable),
    )


def file_stems(names: Iterable[str]) -> list[str]:
    """File names without suffix, one a name, that every file system takes and, in any case of letters, tells apart."""
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
    """Letters and digits of any script, blanks and -_() of a name; at most 60 characters (240 bytes)."""
    stem = re.sub(r"[^\w ()-]", "_", unicodedata.normalize("NFKC", name))[:60].strip()
    return f"_{stem}" if stem.upper() in RESERVED or not stem else stem


def _copy(original: Path, target: Path) -> None:
    """Raises UnreadableScan where the file is no single picture."""
    scan = read_scan_file(original)
    target.parent.mkdir(parents=True, exist_ok=True)
    suffix = original.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        shutil.copyfile(original, target.with_name(target.name + suffix))
    else:
        target.with_name(f"{target.name}.png").write_bytes(png(gray_image(scan.pixels)))
