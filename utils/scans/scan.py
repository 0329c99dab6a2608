"""The values that reading a file gives: Scan, Stack and Refusal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SourceGrid:
    """Where the pixels of a scan lie in its file: `utils.scans.source_grid` puts a map of the scan back there.

    `frame` counts from 0 in the file; `shape` is its (rows, columns) as stored. `turn` made the frame upright:
    transpose, then reverse the rows, then reverse the columns; then it was resampled to square pixels.
    """

    frame: int
    shape: tuple[int, int]
    turn: tuple[bool, bool, bool]


@dataclass(frozen=True)
class Scan:
    """One grayscale image, from a file of any format.

    `pixels` is (H, W) float32 in 0..1, not writeable. `spacing` is (row, column) in mm where the file knows it.
    `slice` is the 0-based slice number in a stack, None for a single image. `notes` are short
    sentences about the file for the user. `sha256` is that of the file's bytes (in a ZIP those of its member),
    hexadecimal, "" where there is no file. `spacing` has two equal numbers: pixels that were not square have been
    resampled. `intensities` are the stored values that brightness 0 and 1 stand for, where they differ within a
    stack. `grid` is that of a DICOM file, None for other formats. `orientation` holds the direction cosines of the
    scan's rows and columns as it is shown, towards the patient's left, back and head, as in DICOM's
    ImageOrientationPatient; empty where the file does not know them.
    `sequence` is what the file says: one of `classes.SEQUENCES`, OTHER_SEQUENCE, or "" where it says nothing.
    `place` is that of a slice along the normal of its stack in mm, None where the file does not say it. `study` is
    equal for scans of one study and patient, or volumes of one folder of a ZIP whose names differ by the sequence
    alone; `patient` is equal for scans of one patient. Both are hashes, "" where nothing is known.
    """

    name: str
    pixels: np.ndarray
    format: str
    slice: int | None = None
    spacing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    sha256: str = ""
    intensities: tuple[float, float] | None = None
    grid: SourceGrid | None = None
    orientation: tuple[float, ...] = ()
    sequence: str = ""
    place: float | None = None
    study: str = ""
    patient: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True)
class Stack:
    """One image, or a volume from one end to the other; `notes` are those of its scans and its own."""

    name: str
    scans: tuple[Scan, ...]
    notes: tuple[str, ...] = ()

    def on_one_scale(self) -> list[np.ndarray]:
        """The pixels of each scan in 0..1, so that they can be compared between slices.

        Where the slices have windows of their own, noise in air may look as bright as a head; there, the stored
        intensities are restored, at every second pixel.
        """
        if any(scan.intensities is None for scan in self.scans):
            return [scan.pixels for scan in self.scans]
        values = []
        for scan in self.scans:
            low, high = scan.intensities or (0.0, 1.0)
            values.append(scan.pixels[::2, ::2] * np.float32(high - low) + np.float32(low))
        sample = np.concatenate([value[::2, ::2].ravel() for value in values])
        low, high = (float(value) for value in np.percentile(sample, (0.5, 99.5)))
        return [np.clip((value - low) / max(high - low, 1e-6), 0, 1) for value in values]


@dataclass(frozen=True)
class Refusal:
    """A file that was not read, and the reason in one sentence."""

    name: str
    reason: str
