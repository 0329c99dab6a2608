"""The value that every decoder of a file format returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Decoded:
    """What one file holds, before it has a name, an order and, where `windowed` is false, a window.

    `frames` are `count` (H, W) float32 arrays, all of one shape: brightness 0..1 where `windowed`, else in the file's
    own unit; NaN where the file says that there is nothing. `spacing` is (row, column) in mm. `series` is equal for
    DICOM files of one series (a hash, never its UID); `orientation` is DICOM's ImageOrientationPatient, `positions`
    the place of each frame along the normal in mm (empty if unknown), `number` the InstanceNumber.
    """

    format: str
    count: int
    frames: Iterable[np.ndarray]
    windowed: bool = True
    spacing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    series: str = ""
    orientation: tuple[float, ...] = ()
    positions: tuple[float, ...] = ()
    number: int = 0


def spacing_in_mm(row: float, column: float) -> tuple[float, float] | None:
    """(row, column), if both are lengths that a pixel of a scan can have."""
    return (row, column) if all(0.001 < value < 100 for value in (row, column)) else None
