"""The frames of a read series as highdicom takes them: single images with the patient, the study and the place.

A frame of an enhanced file becomes an image of its own with a UID of its own; `point_to_files` puts the real references
in. So one path serves files of every kind, and only the attributes named here are copied from a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from highdicom.sr import CodedConcept
from pydicom import uid
from pydicom.config import RAISE
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.coding import Code
from pydicom.valuerep import validate_value

from utils.reading.worklist import Entry
from utils.reports.dicom.errors import NotReportable
from utils.reports.dicom.series import ReadSeries
from utils.reports.dicom.sources import PATIENT_AND_STUDY
from utils.scans.decoded import spacing_in_mm
from utils.scans.dicom_values import finite_numbers, first_number, frame_value, texts, value_of
from utils.scans.scan import SourceGrid

IDENTITY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "StudyID",
    "AccessionNumber",
)  # copied whatever they are
NEEDED_BY_THE_STANDARD = (  # type 2: may be empty, may not be missing
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("ReferringPhysicianName", "StudyID", "AccessionNumber"),
)
MR_IMAGES = (uid.MRImageStorage, uid.EnhancedMRImageStorage, uid.LegacyConvertedEnhancedMRImageStorage)
SAME_DIRECTION = 1e-3  # largest difference of the cosines of slices that share one grid
FAR = 100_000  # mm: no slice lies farther from the origin
NO_IMAGES = "DICOM results are made of MR images only."
NO_PLACE = "These images do not say where they lie in the patient; DICOM results need that."
NOT_PARALLEL = (
    "The slices of this series are not parallel, or several lie at one place; there are no DICOM results."
)


@dataclass(frozen=True)
class Frame:
    """One scan of the series in its file. `number` counts from 1 in a file with frames, None in a file without."""

    entry: Entry
    grid: SourceGrid
    image: Dataset
    sop_class: str
    sop_instance: str
    number: int | None

    @property
    def spacing(self) -> tuple[float, float]:
        """(row, column) in mm, on the grid of the source."""
        row, column = self.image.PixelSpacing
        return float(row), float(column)

    def reference(self, purpose: Code | None = None, with_frame: bool = True) -> Dataset:
        """An item of a sequence of references to the file and the frame."""
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = self.sop_class, self.sop_instance
        if with_frame and self.number is not None:
            item.ReferencedFrameNumber = self.number
        if purpose is not None:
            item.PurposeOfReferenceCodeSequence = Items([CodedConcept.from_code(purpose)])
        return item


class Frames(Sequence[Frame]):
    """The frames of a series in its order. Raises NotReportable where it is no series of MR images with places."""

    def __init__(self, series: ReadSeries) -> None:
        self._frames = tuple(_frame(entry, series) for entry in series.scans)
        first = self._frames[0]
        direction = np.asarray(first.image.ImageOrientationPatient, float)
        for frame in self._frames:
            own = np.asarray(frame.image.ImageOrientationPatient, float)
            same_grid = frame.grid.shape == first.grid.shape and frame.grid.turn == first.grid.turn
            if not same_grid or np.abs(own - direction).max() > SAME_DIRECTION:
                raise NotReportable(NOT_PARALLEL)
            for keyword in (
                "ImageOrientationPatient",
                "PixelSpacing",
                "FrameOfReferenceUID",
                "SeriesInstanceUID",
            ):
                setattr(frame.image, keyword, getattr(first.image, keyword))
        if np.any(np.abs(np.diff(self.places)) < 1e-3):
            raise NotReportable(NOT_PARALLEL)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: Any) -> Any:
        return self._frames[index]

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns) of the source."""
        return self._frames[0].grid.shape

    @cached_property
    def places(self) -> np.ndarray:
        """(N,) float: the place of each frame along the normal, in mm."""
        direction = np.asarray(self._frames[0].image.ImageOrientationPatient, float)
        corners = np.asarray([frame.image.ImagePositionPatient for frame in self._frames], float)
        return corners @ np.cross(direction[:3], direction[3:])

    @property
    def distance(self) -> float | None:
        """The distance of neighbouring slices in mm; None for a single image and where it differs."""
        steps = np.abs(np.diff(self.places))
        return float(steps.mean()) if len(steps) and np.ptp(steps) < 0.05 * steps.mean() else None

    @property
    def images(self) -> list[Dataset]:
        """One single-frame image for each frame."""
        return [frame.image for frame in self._frames]

    @property
    def instances(self) -> list[Dataset]:
        """One dataset for each file, under its own UID and class: the evidence of a report."""
        files: dict[str, Dataset] = {}
        for frame in self._frames:
            instance = deepcopy(frame.image)
            instance.SOPClassUID, instance.SOPInstanceUID = frame.sop_class, frame.sop_instance
            files.setdefault(frame.sop_instance, instance)
        return list(files.values())


def point_to_files(made: Dataset, frames: Sequence[Frame]) -> None:
    """Replace references to the single images of `Frames.images` by those to the files and their frames."""
    by_uid = {frame.image.SOPInstanceUID: frame for frame in frames}
    for item in made.get("ReferencedSeriesSequence") or []:
        references = {}
        for reference in item.ReferencedInstanceSequence:
            _point(reference, by_uid, with_frame=False)
            references[reference.ReferencedSOPInstanceUID] = reference
        item.ReferencedInstanceSequence = Items(references.values())
    for group in made.get("PerFrameFunctionalGroupsSequence") or []:
        for derivation in group.get("DerivationImageSequence") or []:
            for reference in derivation.SourceImageSequence:
                _point(reference, by_uid, with_frame=True)
    references = {}
    for reference in made.get("SourceImageSequence") or []:
        _point(reference, by_uid, with_frame=False)
        references[reference.ReferencedSOPInstanceUID] = reference
    if references:
        made.SourceImageSequence = Items(references.values())


def _point(reference: Dataset, by_uid: dict[str, Frame], with_frame: bool) -> None:
    frame = by_uid.get(reference.ReferencedSOPInstanceUID)
    if frame is None:
        return
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = frame.sop_class, frame.sop_instance
    if with_frame and frame.number is not None:
        reference.ReferencedFrameNumber = frame.number


def _frame(entry: Entry, series: ReadSeries) -> Frame:
    scan = entry.scan
    source = series.sources.get(scan.sha256) if scan else None
    if (
        scan is None
        or scan.grid is None
        or source is None
        or str(value_of(source, "SOPClassUID")) not in MR_IMAGES
    ):
        raise NotReportable(NO_IMAGES)
    index = scan.grid.frame
    sop_class, instance = str(value_of(source, "SOPClassUID")), str(value_of(source, "SOPInstanceUID") or "")
    has_frames = (
        sop_class != uid.MRImageStorage or (first_number(value_of(source, "NumberOfFrames")) or 1) > 1
    )
    number = index + 1 if has_frames else None
    image = _patient_and_study(source)
    image.SOPClassUID = uid.MRImageStorage
    image.SOPInstanceUID = instance if number is None else uid.generate_uid()
    image.Modality = "MR"
    image.Rows, image.Columns = scan.grid.shape
    for keyword, value in _place(source, index).items():
        setattr(image, keyword, value)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        value = str(value_of(source, keyword) or "")
        if not uid.UID(value).is_valid:
            raise NotReportable(NO_PLACE)
        setattr(image, keyword, value)
    image.PositionReferenceIndicator = ""
    if not uid.UID(instance).is_valid:
        raise NotReportable(NO_PLACE)
    image.BurnedInAnnotation = "YES" if "YES" in texts(value_of(source, "BurnedInAnnotation")) else "NO"
    if "01" in texts(value_of(source, "LossyImageCompression")):
        image.LossyImageCompression = "01"
    return Frame(entry, scan.grid, image, sop_class, instance, number)


def _place(source: Dataset, index: int) -> dict[str, Any]:
    """Orientation, corner, spacing and thickness of a frame."""
    orientation = finite_numbers(
        frame_value(source, "PlaneOrientationSequence", "ImageOrientationPatient", index)
    )
    corner = finite_numbers(frame_value(source, "PlanePositionSequence", "ImagePositionPatient", index))
    spacing = finite_numbers(frame_value(source, "PixelMeasuresSequence", "PixelSpacing", index))
    if (len(orientation), len(corner), len(spacing)) != (6, 3, 2) or spacing_in_mm(*spacing) is None:
        raise NotReportable(NO_PLACE)
    row, column = np.reshape(np.clip(orientation, -2, 2), (2, 3))
    if (
        not np.allclose((row @ row, column @ column, row @ column), (1, 1, 0), atol=0.01)
        or max(map(abs, corner)) > FAR
    ):
        raise NotReportable(NO_PLACE)
    thickness = first_number(frame_value(source, "PixelMeasuresSequence", "SliceThickness", index))
    return {
        "ImageOrientationPatient": [_decimal(number) for number in orientation],
        "ImagePositionPatient": [_decimal(number) for number in corner],
        "PixelSpacing": [_decimal(number) for number in spacing],
        "SliceThickness": _decimal(thickness) if thickness and thickness > 0 else None,
    }


def _decimal(number: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    for digits in range(12, 0, -1):
        text = f"{number:.{digits}g}"
        if len(text) <= 16:
            return text
    return "0"


def _patient_and_study(source: Dataset) -> Dataset:
    """The attributes of PATIENT_AND_STUDY in UTF-8; a date or the like that breaks the rules of its type is empty."""
    image = Dataset()
    image.SpecificCharacterSet = "ISO_IR 192"
    for keyword, kind in PATIENT_AND_STUDY.items():
        value = value_of(source, keyword)
        if value is None and keyword not in NEEDED_BY_THE_STANDARD:
            continue
        text = "" if value is None or isinstance(value, bytes) else str(value)
        if keyword not in IDENTITY:
            try:
                validate_value(kind, text, RAISE)
            except ValueError:
                text = ""
        if keyword == "PatientSex" and text not in ("M", "F", "O"):
            text = ""
        setattr(image, keyword, text)
    return image
