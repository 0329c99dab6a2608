"""A read series -> DICOM objects in its study: the function that the command line, the app and the node call."""

from __future__ import annotations

import importlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from types import ModuleType

from pydicom.dataset import Dataset

from utils.reading.ood_detector import REFUSED
from utils.reports.dicom.errors import NotReportable
from utils.reports.dicom.frames import Frames
from utils.reports.dicom.kinds import DEFAULT_KINDS, KINDS
from utils.reports.dicom.made import kind_of
from utils.reports.dicom.quiet import quiet
from utils.reports.dicom.request import Request
from utils.reports.dicom.series import ReadSeries


def dicom_results(
    series: ReadSeries, kinds: Sequence[str] = DEFAULT_KINDS, created: datetime | None = None
) -> list[Dataset]:
    """The objects of these KINDS, each complete with file meta information, in the study of the source.

    Without an outline there is no SEG; the report refers to the SEG where both are made. created: local time, now by
    default; it is not part of the UIDs. Raises NotReportable, also for a scan that does not look like a brain MRI.
    """
    with quiet():
        request = Request(series, _frames(series), created or datetime.now())
        made: dict[str, Dataset | None] = {}
        for kind in KINDS:  # the outline before the report, which refers to it
            if kind in kinds:
                own = replace(request, segmentation=made.get("seg")) if kind == "sr" else request
                made[kind] = _module(kind).build(own)
    return [ds for ds in made.values() if ds is not None]


def check(series: ReadSeries) -> None:
    """Raises NotReportable where `dicom_results` does; quick, and without outlines."""
    with quiet():
        _frames(series)


def import_modules(kinds: Sequence[str]) -> None:
    """Import what makes the objects of these KINDS."""
    for kind in kinds:
        _module(kind)


def file_of(made: Dataset) -> bytes:
    """The object as a file."""
    stream = io.BytesIO()
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def zip_of(results: Sequence[Dataset]) -> bytes:
    """A ZIP with the objects of one series, each named by its kind."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for made in results:
            archive.writestr(f"{kind_of(made)}.dcm", file_of(made))
    return stream.getvalue()


def _module(kind: str) -> ModuleType:
    """The module of a kind. The PDF has libraries of its own, which the other kinds do without."""
    return importlib.import_module(f"utils.reports.dicom.{kind}")


def _frames(series: ReadSeries) -> Frames:
    if series.key.grade == "refused":
        raise NotReportable(REFUSED)
    return Frames(series)
