"""DICOM attributes -> FrameFacts: place, spacing and weighting of each frame. Identifiers leave only as hashes."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from utils.scans.decoded import FrameFacts, spacing_in_mm
from utils.scans.dicom_sequence import sequence_of_frame
from utils.scans.dicom_values import finite_numbers, first_number, frame_value, texts, value_of, whole_number
from utils.scans.dicom_window import window_of_frame

# Image types that may be shown; others are free text. PS3.3 C.8.3.1.1.1, C.8.13.3.1.1.
IMAGE_TYPES = {
    "M": "magnitude image",
    "MAGNITUDE": "magnitude image",
    "P": "phase image",
    "PHASE": "phase image",
    "PHASE MAP": "phase image",
    "R": "real image",
    "REAL": "real image",
    "I": "imaginary image",
    "IMAGINARY": "imaginary image",
    "ADC": "ADC map",
    "FA": "FA map",
    "TRACEW": "trace image",
}
# Dimensions that are places of slices or the order of acquisition: they do not separate weightings.
PLACE_DIMENSIONS = frozenset(
    Tag(keyword)
    for keyword in (
        "StackID",
        "InStackPositionNumber",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "SliceLocation",
        "FrameAcquisitionNumber",
        "FrameAcquisitionDateTime",
        "FrameReferenceDateTime",
        "InstanceNumber",
        "AcquisitionNumber",
    )
)
B_VALUES = ((0x0018, 0x9087), (0x0019, 0x100C), (0x0043, 0x1039))  # the standard's, Siemens', GE's


def facts_of(ds: Dataset, count: int) -> tuple[FrameFacts, ...]:
    """The facts of all frames, in the order of the file."""
    dimensions = _dimensions(ds)
    if not ds.get("PerFrameFunctionalGroupsSequence"):
        first = _facts(ds, 0, dimensions)
        return tuple(replace(first, index=index) for index in range(count))
    return tuple(_facts(ds, index, dimensions) for index in range(count))


def series_of(ds: Dataset) -> str:
    """A hash that files of one series, study, patient, size and kind share; "" where the file names no series."""
    series = str(value_of(ds, "SeriesInstanceUID") or "")
    if not series:
        return ""
    kind = [str(value_of(ds, name)) for name in ("Rows", "Columns", "Modality")]
    return _hash("\n".join([series, study_of(ds), patient_of(ds), *kind]))


def study_of(ds: Dataset) -> str:
    """A hash that files of one study and patient share; "" where the file names no study."""
    study = str(value_of(ds, "StudyInstanceUID") or "")
    return _hash("\n".join([study, patient_of(ds)])) if study else ""


def patient_of(ds: Dataset) -> str:
    """A hash of the patient's ID; "" where the file has none."""
    patient = str(value_of(ds, "PatientID") or "").strip()
    return _hash(patient) if patient else ""


def instance_of(ds: Dataset) -> str:
    """A hash of the file's own UID and its patient, "" where it has none."""
    instance = str(value_of(ds, "SOPInstanceUID") or "")
    return _hash("\n".join([instance, patient_of(ds)])) if instance else ""


def _facts(ds: Dataset, index: int, dimensions: list[int]) -> FrameFacts:
    orientation = finite_numbers(
        frame_value(ds, "PlaneOrientationSequence", "ImageOrientationPatient", index)
    )
    corner = finite_numbers(frame_value(ds, "PlanePositionSequence", "ImagePositionPatient", index))
    spacing, aspect = _spacing(ds, index)
    return FrameFacts(
        orientation=tuple(round(cosine, 4) for cosine in orientation) if len(orientation) == 6 else (),
        corner=tuple(corner) if len(corner) == 3 else (),
        location=first_number(value_of(ds, "SliceLocation")),
        spacing=spacing,
        aspect=aspect,
        weighting=_weighting(ds, index),
        repetition=_repetition(ds, index, dimensions),
        window=window_of_frame(ds, index),
        index=index,
        sequence=sequence_of_frame(ds, index),
    )


def _spacing(ds: Dataset, index: int) -> tuple[tuple[float, float] | None, float]:
    """(row, column) in mm where known, and the height of a pixel over its width."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        numbers = finite_numbers(frame_value(ds, "PixelMeasuresSequence", keyword, index))
        if len(numbers) == 2:
            return spacing_in_mm(*numbers), 1.0
    ratio = finite_numbers(value_of(ds, "PixelAspectRatio"))
    if len(ratio) == 2 and min(ratio) > 0:
        return None, ratio[0] / ratio[1]
    return None, 1.0


def _weighting(ds: Dataset, index: int) -> tuple[str, ...]:
    """What makes an image another one of the same place: echo, b-value, image type. See FrameFacts."""
    entries = []
    echo = first_number(frame_value(ds, "MREchoSequence", "EffectiveEchoTime", index))
    echo = first_number(value_of(ds, "EchoTime")) if echo is None else echo
    number = value_of(ds, "EchoNumbers")
    if echo is not None:
        entries.append(f"echo time {echo:.4g} ms")
    if number is not None:
        entries.append("#" + _hash(str(number)))
    b_value = _b_value(ds, index)
    if b_value is not None:
        entries.append(f"b-value {b_value:.0f} s/mm²")
    types = texts(frame_value(ds, "MRImageFrameTypeSequence", "FrameType", index))
    types += texts(value_of(ds, "ImageType"))
    types += texts(frame_value(ds, "MRImageFrameTypeSequence", "ComplexImageComponent", index))
    entries += dict.fromkeys(IMAGE_TYPES[name] for name in types if name in IMAGE_TYPES)
    entries.append("#" + _hash("\n".join(types)))
    return tuple(entries)


def _b_value(ds: Dataset, index: int) -> float | None:
    number = first_number(frame_value(ds, "MRDiffusionSequence", "DiffusionBValue", index))
    for tag in B_VALUES:
        if number is None and tag in ds:
            try:
                number = first_number(ds[tag].value)
            except Exception:  # a private attribute that is malformed
                continue
    return None if number is None or number < 0 else number % 1e9  # GE adds 1e9 to some


def _repetition(ds: Dataset, index: int, dimensions: list[int]) -> tuple[str, ...]:
    content = "FrameContentSequence"
    time = first_number(frame_value(ds, content, "TemporalPositionIndex", index))
    time = first_number(value_of(ds, "TemporalPositionIdentifier")) if time is None else time
    inversion = first_number(frame_value(ds, "MRModifierSequence", "InversionTimes", index))
    inversion = first_number(value_of(ds, "InversionTime")) if inversion is None else inversion
    entries = [
        "#" if time is None else f"time point {time:.0f}",
        "#" if inversion is None else f"inversion time {inversion:.4g} ms",
    ]
    if dimensions:
        values: Any = finite_numbers(frame_value(ds, content, "DimensionIndexValues", index))
        entries += ["#" + (str(values[place]) if place < len(values) else "") for place in dimensions]
    return tuple(entries)


def _dimensions(ds: Dataset) -> list[int]:
    """The places in DimensionIndexValues of dimensions that are no places of slices."""
    pointers = []
    for item in ds.get("DimensionIndexSequence") or []:
        try:
            pointers.append(Tag(item.DimensionIndexPointer))
        except Exception:  # missing or malformed
            pointers.append(Tag("StackID"))
    return [place for place, tag in enumerate(pointers) if tag not in PLACE_DIMENSIONS]


def number_of(ds: Dataset) -> int | None:
    return whole_number(ds, "InstanceNumber")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
