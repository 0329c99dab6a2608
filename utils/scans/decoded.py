"""The value that every decoder of a file format returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

Window = tuple[float, float, str]  # the values that become 0 and 1, and LINEAR or SIGMOID


@dataclass(frozen=True)
class FrameFacts:
    """What the header of a file says about one frame; empty or None where it says nothing.

    `orientation` holds the six direction cosines of DICOM's ImageOrientationPatient (also of NIfTI files), `corner`
    the ImagePositionPatient and `location` the SliceLocation, in mm. `spacing` is (row, column) in mm, `aspect` the
    height of a pixel over its width where only that is known. Frames of one stack have equal `weighting` (echo time,
    b-value, image type). `repetition` numbers the images of one place (time point, inversion time): it matters only
    where places repeat.
    Entries of both that begin with "#" are hashes, the others are words for the user. `index` is the place of the frame
    in its file, from 0. `sequence` is one of `classes.SEQUENCES`, OTHER_SEQUENCE or "".
    """

    orientation: tuple[float, ...] = ()
    corner: tuple[float, ...] = ()
    location: float | None = None
    spacing: tuple[float, float] | None = None
    aspect: float = 1.0
    weighting: tuple[str, ...] = ()
    repetition: tuple[str, ...] = ()
    window: Window | None = None
    index: int = 0
    sequence: str = ""


@dataclass(frozen=True)
class Decoded:
    """What one file holds, before it has a name, an order and a window.

    `frames` are `count` (H, W) float32 arrays, all of one shape: brightness 0..1 where `windowed`, else in the file's
    own unit; NaN where the file marks pixels as empty. `facts` has one entry per frame. `series` is equal for DICOM
    files of one series, `study` for those of one study and patient, `patient` for those of one patient, `instance` for
    copies of one DICOM file (hashes, never the UIDs); `number` is the InstanceNumber, None where unknown.
    """

    format: str
    count: int
    frames: Iterable[np.ndarray]
    facts: tuple[FrameFacts, ...]
    windowed: bool = True
    notes: tuple[str, ...] = ()
    series: str = ""
    instance: str = ""
    number: int | None = None
    study: str = ""
    patient: str = ""


def spacing_in_mm(row: float, column: float) -> tuple[float, float] | None:
    """(row, column), if both are lengths that a pixel of a scan can have."""
    return (row, column) if all(0.001 < value < 100 for value in (row, column)) else None
