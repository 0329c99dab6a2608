"""The values that reading a file gives: Scan, Stack and Refusal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Scan:
    """One grayscale image, from a file of any format.

    `pixels` is (H, W) float32 in 0..1, not writeable. `spacing` is (row, column) in mm where the file knows it.
    `slice` is the 0-based slice number in a stack, None for a single image. `notes` are short
    sentences about the file for the user.
    """

    name: str
    pixels: np.ndarray
    format: str
    slice: int | None = None
    spacing: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    sha256: str = (
        ""  # of the file's bytes (in a ZIP those of its member), hexadecimal; "" where there is no file
    )

    @property
    def shape(self) -> tuple[int, int]:
        return self.pixels.shape[0], self.pixels.shape[1]


@dataclass(frozen=True)
class Stack:
    """One image, or a volume from one end to the other; `notes` are those of its scans and its own."""

    name: str
    scans: tuple[Scan, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """A file that was not read, and the reason in one sentence."""

    name: str
    reason: str
