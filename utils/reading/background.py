"""Reading scans in a background thread, one per session, while its pages stay usable. No Streamlit."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.reading import worklist
from utils.reading.worklist import Entry
from utils.scans.errors import log_unexpected

if TYPE_CHECKING:
    from utils.reading.joint import JointReader
    from utils.reading.reader import Reader

FAILED = "The models failed on this image; export it again, or remove it from the upload."

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Scans read so far and in all. Slices of a volume count one by one; `seconds_left` is None until one was read."""

    done: int
    total: int
    seconds_left: float | None


class BackgroundReading:
    """Reads entries in the order in which they were added and stores them with their readings. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[Entry] = deque()
        self._finished: dict[str, list[Entry]] = {}  # key -> those that were read
        self._expected: dict[str, int] = {}  # key -> scans of an entry
        self._done = self._total = 0
        self._began = 0.0
        self._is_working = False
        self._round = 0  # counts `clear`, so that readings begun before it are discarded

    def add(
        self,
        entries: Sequence[Entry],
        readers: Sequence[Reader],
        store: dict[str, Entry],
        joint_reader: JointReader | None = None,
    ) -> None:
        """Put the entries into `store` at once, and those without readings again when they are read."""
        with self._changed:
            if not self._is_working:
                self._done, self._total, self._began = 0, 0, time.monotonic()
            for entry in entries:
                store[entry.key] = entry
                if entry.is_accepted and not entry.is_read:
                    scans = entry.slices or (entry,)
                    self._expected[entry.key], self._finished[entry.key] = len(scans), []
                    self._queue.extend(scans)
                    self._total += len(scans)
            if self._queue and not self._is_working:
                self._is_working = True
                arguments = (list(readers), store, joint_reader)
                threading.Thread(target=self._work, args=arguments, daemon=True, name="read-scans").start()

    def clear(self, store: dict[str, Entry]) -> None:
        """Empty the worklist and the queue."""
        with self._changed:
            self._round += 1
            self._queue.clear()
            self._finished.clear()
            self._expected.clear()
            self._done, self._total, self._began = 0, 0, time.monotonic()
            store.clear()
            self._changed.notify_all()

    def progress(self) -> Progress | None:
        """The progress of reading; None where nothing is being read."""
        with self._changed:
            if not self._expected:
                return None
            elapsed = time.monotonic() - self._began
            left = elapsed / self._done * (self._total - self._done) if self._done else None
            return Progress(self._done, self._total, left)

    def wait(self, keys: Sequence[str] | None = None, seconds: float | None = None) -> bool:
        """Wait until one of these entries was read, or all of them (None). False if the time ran out first."""

        def is_ready() -> bool:
            return not self._expected if keys is None else any(key not in self._expected for key in keys)

        with self._changed:
            return self._changed.wait_for(is_ready, seconds)

    def _work(self, readers: list[Reader], store: dict[str, Entry], joint_reader: JointReader | None) -> None:
        while True:
            with self._changed:
                if not self._queue:
                    self._is_working = False
                    break
                count = min(worklist.READ_AT_ONCE, len(self._queue))
                entries, current = [self._queue.popleft() for _ in range(count)], self._round
            entries = read_safely(entries, readers, joint_reader)
            with self._changed:
                if current == self._round:
                    self._put(entries, store)
        release(readers, joint_reader)

    def _put(self, entries: Sequence[Entry], store: dict[str, Entry]) -> None:
        for entry in entries:
            self._done += 1
            self._finished[entry.key].append(entry)
            if len(self._finished[entry.key]) == self._expected[entry.key]:
                store[entry.key] = worklist.merge_slices(self._finished.pop(entry.key))
                del self._expected[entry.key]
        self._changed.notify_all()


def release(readers: Sequence[Reader], joint_reader: JointReader | None) -> None:
    """Give memory that is only needed while scans are read back to the system."""
    for network in (*readers, *([joint_reader.segmenter] if joint_reader else ())):
        network.release()
    with contextlib.suppress(OSError, AttributeError):  # glibc alone has it
        ctypes.CDLL(None).malloc_trim(0)


def read_safely(
    entries: Sequence[Entry],
    readers: Sequence[Reader],
    joint_reader: JointReader | None = None,
    with_maps: bool = True,
) -> list[Entry]:
    """The entries with readings. An entry on which a network fails is rejected and logged; the others are read."""
    try:
        return worklist.read_entries(entries, readers, joint_reader, with_maps)
    except Exception as error:
        if len(entries) > 1:
            return [
                result
                for entry in entries
                for result in read_safely([entry], readers, joint_reader, with_maps)
            ]
        log_unexpected(_log, "reading a scan", error)
        return [Entry(entries[0].key, entries[0].name, None, reason=FAILED)]
