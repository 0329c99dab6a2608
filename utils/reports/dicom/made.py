"""Objects of this program among files, by their UIDs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from utils.reports.dicom.kinds import KINDS, MANUFACTURER
from utils.reports.dicom.quiet import quiet

UIDS = {
    "sop_instance_uid": "SOPInstanceUID",
    "sop_class_uid": "SOPClassUID",
    "series_instance_uid": "SeriesInstanceUID",
    "study_instance_uid": "StudyInstanceUID",
}


def kind_of(made: Dataset) -> str | None:
    """The kind of an object of this program; None for any other."""
    if made.get("Manufacturer") != MANUFACTURER:
        return None
    numbers = {kind.series: name for name, kind in KINDS.items()}
    return numbers.get(made.get("SeriesNumber"))


def made_objects(files: Iterable[Path]) -> Iterator[tuple[Path, dict[str, str]]]:
    """Each object of this program with its kind and UIDs; other files are skipped. ZIPs are searched, too."""
    for file in files:
        for data in _contents(file):
            header = _header(data)
            kind = kind_of(header) if header is not None else None
            if header is not None and kind is not None:
                yield file, {"kind": kind, **{name: str(header.get(tag, "")) for name, tag in UIDS.items()}}


def _contents(file: Path) -> Iterator[bytes]:
    try:
        if not zipfile.is_zipfile(file):
            yield file.read_bytes()
            return
        with zipfile.ZipFile(file) as archive:
            for name in archive.namelist():
                yield archive.read(name)
    except (OSError, zipfile.BadZipFile):
        return


def _header(data: bytes) -> Dataset | None:
    tags = [*UIDS.values(), "Manufacturer", "SeriesNumber"]
    with quiet():
        try:
            return pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=tags)
        except Exception:  # pydicom raises almost anything on other files
            return None
