"""The networks read in a thread of their own, one a session, while its pages go on being used. No Streamlit."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.reading import worklist
from utils.reading.worklist import Entry

if TYPE_CHECKING:
    from utils.reading.reader import Reader


@dataclass(frozen=True)
class Progress:
    """How far the reading is. Slices of a volume count one by one; `seconds_left` is None until one was read."""

    done: int
    total: int
    seconds_left: float | None


class BackgroundReading:
    """Reads what is added, in order, and puts it into the worklist. Safe to use from several threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[Entry] = deque()
        self._read: dict[str, list[Entry]] = {}
        self._wanted: dict[str, int] = {}
        self._done = self._total = 0
        self._began = 0.0
        self._working = False
        self._round = 0  # of clearing: what is being read when the worklist is cleared is dropped

    def add(self, entries: Sequence[Entry], readers: Sequence[Reader], store: dict[str, Entry]) -> None:
        """Put the entries into `store` as they are, at once, and with their readings as they come."""
        with self._changed:
            if not self._working:
                self._done, self._total, self._began = 0, 0, time.monotonic()
            for entry in entries:
                store[entry.key] = entry
                if entry.accepted:
                    pieces = entry.slices or (entry,)
                    self._wanted[entry.key], self._read[entry.key] = len(pieces), []
                    self._queue.extend(pieces)
                    self._total += len(pieces)
            if self._queue and not self._working:
                self._working = True
                arguments = (list(readers), store)
                threading.Thread(target=self._work, args=arguments, daemon=True, name="read-scans").start()

    def clear(self, store: dict[str, Entry]) -> None:
        """Empty the worklist and forget what waits."""
        with self._changed:
            self._round += 1
            self._queue.clear()
            self._read.clear()
            self._wanted.clear()
            self._done, self._total, self._began = 0, 0, time.monotonic()
            store.clear()
            self._changed.notify_all()

    def progress(self) -> Progress | None:
        """How far the reading is; None where nothing is being read."""
        with self._changed:
            if not self._wanted:
                return None
            elapsed = time.monotonic() - self._began
            left = elapsed / self._done * (self._total - self._done) if self._done else None
            return Progress(self._done, self._total, left)

    def wait(self, keys: Sequence[str] | None = None, seconds: float | None = None) -> bool:
        """Until one of these entries has been read, or (None) all of them; False where the time was too short."""

        def ready() -> bool:
            return not self._wanted if keys is None else any(key not in self._wanted for key in keys)

        with self._changed:
            return self._changed.wait_for(ready, seconds)

    def _work(self, readers: list[Reader], store: dict[str, Entry]) -> None:
        while True:
            with self._changed:
                if not self._queue:
                    self._working = False
                    return
                count = min(worklist.READ_AT_ONCE, len(self._queue))
                pieces, current = [self._queue.popleft() for _ in range(count)], self._round
            read = read_safely(pieces, readers)
            with self._changed:
                if current == self._round:
                    self._put(read, store)

    def _put(self, read: Sequence[Entry], store: dict[str, Entry]) -> None:
        for piece in read:
            self._done += 1
            self._read[piece.key].append(piece)
            if len(self._read[piece.key]) == self._wanted[piece.key]:
                store[piece.key] = worklist.joined(self._read.pop(piece.key))
                del self._wanted[piece.key]
        self._changed.notify_all()


def read_safely(entries: Sequence[Entry], readers: Sequence[Reader]) -> list[Entry]:
    """The entries with readings. One scan that breaks a network must not cost the others theirs."""
    try:
        return worklist.read_entries(entries, readers)
    except Exception:
        if len(entries) > 1:
            return [entry for single in entries for entry in read_safely([single], readers)]
        reason = "The networks failed on this picture; export it again, or leave it out."
        return [Entry(entries[0].key, entries[0].name, None, reason=reason)]
