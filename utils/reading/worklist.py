"""The scans of one session and what the networks said about them. No Streamlit, no Keras."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from utils.reading.ood_detector import worst_grade
from utils.reading.volumes import slices_with_brain
from utils.scans.scan import Refusal, Scan, Stack
from utils.scans.upload import read_stacks
from utils.wording import titles_of

if TYPE_CHECKING:
    from utils.reading.reader import Reader, Reading


READ_AT_ONCE = 2  # scans a pass: on a CPU more are hardly faster, and each costs about 40 MB at the peak
STATUSES = ("disagree", "unusual", "unsure", "agree", "waiting", "refused")  # what needs eyes first, first


@dataclass(frozen=True)
class Entry:
    """One line of the worklist: a scan with its readings, or the reason why it was refused.

    A volume has its slices in `slices` (those that show brain, in order, each an Entry of its own, with the volume's
    key); its scan and readings are those of the slice in view.
    """

    key: str
    name: str
    scan: Scan | None
    readings: tuple[Reading, ...] = ()
    reason: str | None = None
    slices: tuple[Entry, ...] = ()
    slice_count: int = 1  # also those without brain

    @property
    def accepted(self) -> bool:
        return self.scan is not None

    @property
    def sha256(self) -> str:
        """What tells the file from others, hexadecimal: of its bytes; of a series, of its files' own, sorted."""
        scans = [piece.scan for piece in self.slices or (self,) if piece.scan is not None]
        files = sorted({scan.sha256 for scan in scans})
        return files[0] if len(files) == 1 else hashlib.sha256("".join(files).encode()).hexdigest()

    @property
    def read(self) -> bool:
        """Whether the networks have read it."""
        return bool(self.readings)

    @property
    def grade(self) -> str:
        """What the gate says, "ok", "unusual" or "refused": one network that refuses is enough."""
        return worst_grade(reading.grade for reading in self.readings)

    @property
    def agreed(self) -> bool:
        return len({reading.label for reading in self.readings}) == 1

    @property
    def unsure(self) -> bool:
        return any("unsure" in reading.flags for reading in self.readings)

    @property
    def status(self) -> str:
        """One word for the worklist, of STATUSES."""
        if not self.accepted or self.grade == "refused":
            return "refused"
        if not self.read:
            return "waiting"
        if self.grade == "unusual":
            return "unusual"
        if not self.agreed:
            return "disagree"
        return "unsure" if self.unsure else "agree"

    @property
    def confidence(self) -> float:
        """The mean of the networks' calibrated probabilities of their answers; NaN where there is none."""
        sure = [reading.confidence for reading in self.readings]
        return sum(sure) / len(sure) if sure else float("nan")

    @property
    def answer(self) -> str:
        """What the networks say, in the interface's words; empty where the file was refused."""
        return titles_of(reading.label for reading in self.readings)


def referred(entry: Entry, threshold: float) -> Entry:
    """The entry with "unsure" where its confidence lies below `threshold`, whatever the networks' cards ask for."""
    unsure = ("unsure",) if entry.confidence < threshold else ()

    def judged(reading: Reading) -> Reading:
        return replace(reading, flags=unsure + tuple(flag for flag in reading.flags if flag != "unsure"))

    return replace(
        entry,
        readings=tuple(map(judged, entry.readings)),
        slices=tuple(referred(piece, threshold) for piece in entry.slices),
    )


def by_need(entries: Sequence[Entry]) -> list[Entry]:
    """What needs eyes first: by status as STATUSES has them, within it the least certain first."""
    told = [(headline(entry), entry) for entry in entries]
    told.sort(key=lambda pair: (STATUSES.index(pair[0].status), np.nan_to_num(pair[0].confidence, nan=2.0)))
    return [entry for _, entry in told]


def open_files(files: Sequence[tuple[str, bytes]]) -> list[Entry]:
    """Decode uploaded files (name, bytes): entries without readings yet, or refused ones; a volume is one entry."""
    return [
        Entry(_key(found.name, found.reason.encode()), found.name, None, reason=found.reason)
        if isinstance(found, Refusal)
        else open_stack(found)
        for found in read_stacks(files)
    ]


def open_stack(stack: Stack) -> Entry:
    """A picture or a volume as an entry without readings. The slice in view is the middle one."""
    key = _key(stack.name, *(scan.pixels.tobytes() for scan in stack.scans))
    if len(stack.scans) == 1:
        return Entry(key, stack.name, stack.scans[0])
    count = len(stack.scans)
    slices = tuple(
        Entry(key, f"{stack.name}, slice {position + 1} of {count}", stack.scans[position], slice_count=count)
        for position in slices_with_brain([scan.pixels for scan in stack.scans])
    )
    return in_view(replace(slices[0], slices=slices), len(slices) // 2)


def headline(entry: Entry) -> Entry:
    """What the worklist says of an entry: of a volume its most suspicious slice, whichever is in view."""
    return entry.slices[most_suspicious(entry)] if entry.slices and entry.read else entry


def joined(read: Sequence[Entry]) -> Entry:
    """The entry whose picture or slices have been read; a volume with its most suspicious slice in view.

    Slices that broke a network are left out.
    """
    accepted = tuple(entry for entry in read if entry.accepted)
    if not accepted or accepted[0].slice_count == 1:
        return read[0]
    volume = replace(accepted[0], slices=accepted)
    return in_view(volume, most_suspicious(volume))


def in_view(volume: Entry, position: int) -> Entry:
    """The volume with another of its `slices` in view."""
    return replace(volume.slices[position], slices=volume.slices)


def position_in_view(volume: Entry) -> int:
    """Which of its `slices` is in view."""
    return next(number for number, entry in enumerate(volume.slices) if entry.scan is volume.scan)


def tumour_probabilities(volume: Entry) -> np.ndarray:
    """(N,) float: a slice's probability of any tumour, the mean of the networks.

    NaN where a slice has no answer: it was not read, or the gate refused it.
    """
    return np.asarray(
        [
            np.mean([1 - reading.probability("no_tumor") for reading in entry.readings])
            if entry.readings and entry.grade != "refused"
            else np.nan
            for entry in volume.slices
        ]
    )


def most_suspicious(volume: Entry) -> int:
    """The position of the slice with the highest probability of a tumour; the middle one without any answer."""
    suspicion = tumour_probabilities(volume)
    return len(suspicion) // 2 if np.isnan(suspicion).all() else int(np.nanargmax(suspicion))


def read_entries(entries: Sequence[Entry], readers: Sequence[Reader]) -> list[Entry]:
    """The same entries with the readings of every network; refused ones stay as they are."""
    scans = [entry.scan for entry in entries if entry.scan is not None]
    answers = zip(*(reader.read_many(scans) for reader in readers), strict=True)
    return [replace(entry, readings=next(answers)) if entry.scan is not None else entry for entry in entries]


def _key(name: str, *contents: bytes) -> str:
    """The same pictures under the same name are one entry."""
    digest = hashlib.sha256(name.encode() + b"\0")
    for content in contents:
        digest.update(content)
    return digest.hexdigest()[:16]
