"""A read series -> DICOM objects in its study: the function that the command line, the app and the node call."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime

from pydicom.dataset import Dataset

from utils.reading.ood_detector import REFUSED
from utils.reports.dicom import seg, sr
from utils.reports.dicom.errors import NotReportable
from utils.reports.dicom.frames import Frames
from utils.reports.dicom.series import ReadSeries

KINDS = ("seg", "sr")


def dicom_results(
    series: ReadSeries, kinds: Sequence[str] = KINDS, created: datetime | None = None
) -> list[Dataset]:
    """The objects of these kinds, each complete with file meta information, in the study of the source.

    Without an outline there is no SEG. The report refers to the SEG where both are made. Raises NotReportable, and for
    a scan that does not look like a brain MRI, too. created: now by default; it is not part of the UIDs.
    """
    created = created or datetime.now()
    if series.key.grade == "refused":
        raise NotReportable(REFUSED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote the header
        frames = Frames(series)
        made: list[Dataset] = []
        segmentation = seg.build(series, frames, created) if "seg" in kinds else None
        made += [segmentation] if segmentation is not None else []
        if "sr" in kinds:
            made.append(sr.build(series, frames, created, segmentation))
        return made
