"""Decoded frames -> Stack: ordered, upright, in brightness 0..1, on square pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from utils.scans import panels, places, windowing
from utils.scans.decoded import Decoded, FrameFacts
from utils.scans.errors import UnreadableScan
from utils.scans.limits import check_stack
from utils.scans.resampling import PixelGrid
from utils.scans.scan import Refusal, Scan, SourceGrid, Stack

AS_STORED = (0.0, 1.0, "LINEAR")  # the window of frames that are brightness already


@dataclass
class Slice:
    """One frame of a file; `name` and `sha256` (hexadecimal) are those of the file, `source` is it without frames."""

    name: str
    sha256: str
    frame: np.ndarray
    facts: FrameFacts
    source: Decoded
    number: int | None

    def take_frame(self) -> np.ndarray:
        """The frame, which the slice then no longer keeps in memory."""
        frame, self.frame = self.frame, np.empty((0, 0), np.float32)
        return frame


def slices_of(name: str, sha256: str, decoded: Decoded) -> list[Slice]:
    """All frames of one file."""
    source = replace(decoded, frames=())
    return [
        Slice(
            name,
            sha256,
            frame,
            facts,
            source,
            decoded.number if decoded.number is None else decoded.number + index,
        )
        for index, (frame, facts) in enumerate(zip(decoded.frames, decoded.facts, strict=True))
    ]


def stacks_of(slices: Sequence[Slice], notes: tuple[str, ...] = ()) -> list[Stack | Refusal]:
    """The stacks that the slices of one series or file form; each has the additional notes."""
    groups = places.split_into_stacks([item.facts for item in slices])
    different = _differences([slices[group[0]].facts for group in groups])
    return [
        _stack([slices[index] for index in group], (*notes, *words))
        for group, words in zip(groups, different, strict=True)
    ]


def pixels_of(slices: Sequence[Slice]) -> int:
    """The pixels that the slices have in memory, as stored or on square pixels."""
    total = 0
    for item in slices:
        height, width = PixelGrid(item.frame.shape, item.facts).shape
        total += max(item.frame.size, height * width)
    return total


def _differences(firsts: Sequence[FrameFacts]) -> list[tuple[str, ...]]:
    """A note for each stack that says by what it differs from the others of its series."""
    words = []
    for facts in firsts:
        plane = places.plane_of(facts.orientation)
        known = [entry for entry in (*facts.weighting, *facts.repetition) if entry[:1] != "#"]
        words.append([f"{plane} plane", *known] if plane else known)
    common = set(words[0]).intersection(*words)
    own = [", ".join(each for each in dict.fromkeys(entry) if each not in common) for entry in words]
    return [
        (f"One of {len(firsts)} stacks of this series: {entry}.",) if entry and len(firsts) > 1 else ()
        for entry in own
    ]


def _stack(slices: list[Slice], notes: tuple[str, ...]) -> Stack | Refusal:
    first = slices[0].name
    files = len({id(item.source) for item in slices})
    name = f"{first} and {files - 1} more" if files > 1 else first
    try:
        facts, numbers = [item.facts for item in slices], [item.number for item in slices]
        order, order_note = places.in_order(facts, numbers, files == 1)
        ordered = [slices[index] for index in order]
        height, width = ordered[0].frame.shape
        check_stack(width, height, len(ordered))
    except UnreadableScan as refusal:
        return Refusal(name, str(refusal))
    intensities, window_note = _apply_windows(ordered)
    if windowing.is_blank([item.frame for item in ordered]):
        what = "stack" if len(ordered) > 1 else "image"
        return Refusal(name, f"This {what} is blank: all its pixels have the same brightness.")
    turn = places.upright_turn(ordered[0].facts.orientation)
    grid = PixelGrid((height, width), ordered[0].facts, turn[0], len(ordered))
    along = places.coordinates([item.facts for item in ordered])
    scans = []
    for position, item in enumerate(ordered):
        pixels = np.ascontiguousarray(grid.resampled(places.turned(item.take_frame(), turn)))
        pixels.setflags(write=False)
        place = position if len(ordered) > 1 else None
        scan_notes = (*item.source.notes, grid.note) if grid.note else item.source.notes
        scans.append(
            Scan(
                item.name,
                pixels,
                item.source.format,
                place,
                grid.spacing,
                scan_notes,
                item.sha256,
                intensities[position],
                SourceGrid(item.facts.index, (height, width), turn)
                if item.source.format == "DICOM"
                else None,
                places.turned_orientation(item.facts.orientation, turn),
                item.facts.sequence,
                place=along[position] if along and place is not None else None,
                study=item.source.study,
                patient=item.source.patient,
            )
        )
    own = [*notes, order_note, window_note]
    if len(scans) == 1:
        own += [panels.NOTE] if panels.shows_panels(scans[0].pixels) else []
        single = dict.fromkeys(note for note in (*scans[0].notes, *own) if note)
        return Stack(name, (replace(scans[0], notes=tuple(single)),), tuple(single))
    every = dict.fromkeys(note for note in (*(each for scan in scans for each in scan.notes), *own) if note)
    return Stack(name, tuple(scans), tuple(every))


def _apply_windows(ordered: Sequence[Slice]) -> tuple[list[tuple[float, float] | None], str]:
    """Window all frames in place. Returns the intensities that 0 and 1 stand for where they differ, and a note."""
    raw = [item for item in ordered if not item.source.windowed]
    chosen, note = windowing.choose_windows([item.frame for item in raw], [item.facts.window for item in raw])
    for item, window in zip(raw, chosen, strict=True):
        windowing.apply_window(item.frame, window)
    for item in ordered:
        if item.source.windowed:
            windowing.apply_window(item.frame, AS_STORED)
    if len(raw) < len(ordered) or len(set(chosen)) == 1:
        return [None] * len(ordered), note
    return [window[:2] for window in chosen], note
