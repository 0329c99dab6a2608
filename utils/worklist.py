"""The scans of one session and what the networks said about them. No Streamlit, no Keras."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.classes import CLASS_TITLES
from utils.gate import worst_grade
from utils.scans import Scan, UnreadableScan, read_scan

if TYPE_CHECKING:
    from utils.readers import Reader, Reading


READ_AT_ONCE = 2  # scans a pass: on a CPU more are hardly faster, and each costs about 40 MB at the peak
STATUSES = ("agree", "disagree", "unsure", "unusual", "refused")


@dataclass(frozen=True)
class Entry:
    """One file of the worklist: a scan with its readings, or the reason why it was refused."""

    key: str
    name: str
    scan: Scan | None
    readings: tuple[Reading, ...] = ()
    reason: str | None = None

    @property
    def accepted(self) -> bool:
        return self.scan is not None

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
        """One word for the worklist."""
        if not self.accepted or self.grade == "refused":
            return "refused"
        if self.grade == "unusual":
            return "unusual"
        if not self.agreed:
            return "disagree"
        return "unsure" if self.unsure else "agree"

    @property
    def answer(self) -> str:
        """What the networks say, in the interface's words; empty where the file was refused."""
        return " or ".join(dict.fromkeys(CLASS_TITLES[reading.label] for reading in self.readings))


def file_key(name: str, data: bytes) -> str:
    """The same file under the same name is one entry."""
    return hashlib.sha256(name.encode() + b"\0" + data).hexdigest()[:16]


def open_file(name: str, data: bytes) -> Entry:
    """Decode one uploaded file: an entry without readings yet, or a refused one."""
    key = file_key(name, data)
    try:
        return Entry(key, name, read_scan(data, name))
    except UnreadableScan as error:
        return Entry(key, name, None, reason=str(error))


def read_entries(entries: Sequence[Entry], readers: Sequence[Reader]) -> list[Entry]:
    """The same entries with the readings of every network; refused ones stay as they are."""
    scans = [entry.scan for entry in entries if entry.scan is not None]
    answers = zip(*(reader.read_many(scans) for reader in readers), strict=True)
    return [
        Entry(entry.key, entry.name, entry.scan, next(answers)) if entry.scan is not None else entry
        for entry in entries
    ]
