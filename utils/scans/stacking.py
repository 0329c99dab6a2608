"""Frames -> the order of a stack: along the normal of its slices, else as they were numbered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from utils.scans.decoded import Decoded

SAME_ORIENTATION = 0.05  # largest difference of a direction's cosine within one stack
SAME_PLACE = 0.01  # mm


@dataclass(frozen=True)
class Slice:
    """One frame of a file. `name` and `sha256` (hexadecimal) are the file's, `position` its place along the normal in
    mm where known."""

    name: str
    sha256: str
    frame: np.ndarray
    of: Decoded
    position: float | None
    number: int


def slices_of(name: str, sha256: str, decoded: Decoded) -> list[Slice]:
    """All frames of one file."""
    positions = decoded.positions or (None,) * decoded.count
    return [
        Slice(name, sha256, frame, decoded, positions[index], decoded.number + index)
        for index, frame in enumerate(decoded.frames)
    ]


def split_by_orientation(slices: Sequence[Slice]) -> list[list[Slice]]:
    """Slices that lie alike, in order of their first one: a localizer in another plane is a stack of its own."""
    groups: list[list[Slice]] = []
    for item in slices:
        for group in groups:
            first, other = group[0].of.orientation, item.of.orientation
            if len(first) == len(other) and np.allclose(first, other, atol=SAME_ORIENTATION):
                group.append(item)
                break
        else:
            groups.append([item])
    return groups


def in_order(slices: Sequence[Slice]) -> tuple[list[Slice], str]:
    """The slices from one end of the stack to the other, and a note where only some of them are kept.

    Where a place was imaged more than once (over time, or with several weightings), the first image of each is kept.
    """
    numbered = sorted(
        slices, key=lambda item: item.number
    )  # stable: the order of arrival where numbers are equal
    if any(item.position is None for item in numbered):
        return numbered, ""
    placed = sorted(numbered, key=lambda item: item.position or 0.0)
    kept = placed[:1]
    for item in placed[1:]:
        if abs((item.position or 0.0) - (kept[-1].position or 0.0)) > SAME_PLACE:
            kept.append(item)
    if len(kept) == len(placed):
        return kept, ""
    if len(kept) == 1:  # nothing but repetitions of one slice: a film, in the order of time
        return numbered, ""
    return kept, f"Only the first of several images of each place is read ({len(kept)} of {len(placed)})."
