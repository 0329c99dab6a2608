"""DICOM series and enhanced files drawn by code: echoes, planes and repetitions of one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.support.corpus import dicom, dicom_bytes, drawing

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"


@dataclass(frozen=True)
class Frame:
    """One frame of an enhanced file: the drawing's seed, its place along the normal in mm, and what weights it."""

    seed: int
    place: float
    echo: float = 15
    orientation: Sequence[float] = AXIAL
    b_value: float | None = None
    component: str | None = None
    time: int | None = None
    dimensions: Sequence[int] | None = None


def enhanced(frames: Sequence[Frame], pointers: Sequence[Any] = (), **changes: Any) -> bytes:
    """An enhanced MR file; `pointers` are the attributes that the dimension indices count."""
    pixels = b"".join((drawing(frame.seed).astype(np.uint16) * 16).tobytes() for frame in frames)
    ds = dicom(SOPClassUID=ENHANCED_MR, NumberOfFrames=len(frames), PixelData=pixels)
    del ds.ImageOrientationPatient, ds.ImagePositionPatient, ds.PixelSpacing
    ds.PerFrameFunctionalGroupsSequence = Items([_group(frame) for frame in frames])
    ds.SharedFunctionalGroupsSequence = Items([_item("PixelMeasuresSequence", PixelSpacing=[1, 1])])
    if pointers:
        ds.DimensionIndexSequence = Items([_dataset(DimensionIndexPointer=pointer) for pointer in pointers])
    for name, value in changes.items():
        setattr(ds, name, value)
    return dicom_bytes(ds)


def _group(frame: Frame) -> Dataset:
    normal = np.cross(frame.orientation[:3], frame.orientation[3:])
    group = _item("PlanePositionSequence", ImagePositionPatient=[float(n * frame.place) for n in normal])
    group.update(_item("PlaneOrientationSequence", ImageOrientationPatient=list(frame.orientation)))
    group.update(_item("MREchoSequence", EffectiveEchoTime=float(frame.echo)))
    if frame.b_value is not None:
        group.update(_item("MRDiffusionSequence", DiffusionBValue=float(frame.b_value)))
    if frame.component is not None:
        group.update(_item("MRImageFrameTypeSequence", ComplexImageComponent=frame.component))
    content = _dataset()
    if frame.time is not None:
        content.TemporalPositionIndex = frame.time
    if frame.dimensions is not None:
        content.DimensionIndexValues = list(frame.dimensions)
    group.FrameContentSequence = Items([content])
    return group


def _item(sequence: str, **values: Any) -> Dataset:
    return _dataset(**{sequence: Items([_dataset(**values)])})


def _dataset(**values: Any) -> Dataset:
    ds = Dataset()
    for name, value in values.items():
        setattr(ds, name, value)
    return ds
