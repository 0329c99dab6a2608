"""The node: receives series, reads each when it has been quiet, and sends the results. Its state is the spool."""

from __future__ import annotations

import sqlite3
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.dicom_node.journal import Journal
from utils.dicom_node.receiver import Receiver
from utils.dicom_node.sender import Sender, Unreachable
from utils.dicom_node.spool import Batch, Spool
from utils.scans.limits import MOST_ATTEMPTS

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

LONGEST_TICK = 0.2  # seconds between two looks at the spool: a series waits for three of them
LONGEST_WAIT = (
    60.0  # seconds until a destination that does not answer is tried again; the first wait is one second
)
STOPPING_SECONDS = 60.0  # that a reading in progress may take when the node is stopped


@dataclass(frozen=True)
class Answer:
    """What reading a series gave: result objects with reproducible UIDs, and why images were not read.

    `reasons` never contain text from a file. `departing`: in what the series read so far differ from those of the site
    profile (drift), as words of this program.
    """

    results: Sequence[Dataset]
    slices: int = 0
    reasons: tuple[str, ...] = ()
    departing: tuple[str, ...] = ()


Read = Callable[[Sequence[Path]], Answer]


class Node:
    """Receiver, reader and sender, in threads; they meet in the spool alone."""

    def __init__(
        self,
        spool: Spool,
        receiver: Receiver,
        sender: Sender,
        load: Callable[[], Read],
        journal: Journal,
        quiet: float,
    ) -> None:
        """load: prepares the networks, while images already arrive; quiet: seconds without an image of a series."""
        self._spool, self._receiver, self._sender = spool, receiver, sender
        self._load, self._journal, self._quiet = load, journal, quiet
        self._stopping = threading.Event()
        self._is_loaded = False
        self._departing: tuple[str, ...] = ()  # the drift that was logged last
        self.failed = (
            threading.Event()
        )  # a thread has ended with an exception: the node must be started again
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=work.__name__, daemon=True)
            for work in (self._watch, self._read_batches, self._send_batches)
        ]
        journal.gauge("spool_bytes", "Images and results in the spool", lambda: spool.bytes)
        journal.gauge("open_series", "Series that still arrive", lambda: spool.open_series)
        journal.gauge(
            "drift", "1 while series differ from those of the site profile", lambda: bool(self._departing)
        )
        journal.gauge("waiting_series", "Series that wait to be read or sent", lambda: spool.waiting)

    def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen and begin to work. Raises OSError where the port cannot be used."""
        self._receiver.start(host, port, tls)
        for thread in self._threads:
            thread.start()
        self._journal.line("started", waiting=self._spool.waiting, arriving=self._spool.open_series)

    def stop(self) -> None:
        """Take nothing more, end what is in progress, and close the spool."""
        self._stopping.set()
        self._receiver.stop()
        for thread in self._threads:
            thread.join(STOPPING_SECONDS)
        self._spool.close()
        self._journal.line("stopped")

    @property
    def is_healthy(self) -> bool:
        """Whether all threads work."""
        return not self.failed.is_set()

    @property
    def is_ready(self) -> bool:
        """Whether it can take and read images now."""
        return self.is_healthy and self._is_loaded and not self._spool.is_full

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self._journal.failure("the node must be started again", error)
            self.failed.set()

    def _watch(self) -> None:
        """Seal quiet series, and now and then clear away dead transfers."""
        swept = time.monotonic()
        while not self._stopping.wait(min(LONGEST_TICK, self._quiet / 4)):
            for batch in self._spool.seal(self._quiet):
                self._journal.line("series complete", batch=batch.number, images=len(batch.images))
            if time.monotonic() - swept > LONGEST_WAIT:
                self._spool.sweep()
                swept = time.monotonic()

    def _read_batches(self) -> None:
        read = self._load()
        self._is_loaded = True
        self._journal.line("networks loaded")
        while not self._stopping.is_set():
            batch = self._spool.next_unread()
            if batch is None:
                self._stopping.wait(min(LONGEST_TICK, self._quiet / 4))
            elif batch.attempts >= MOST_ATTEMPTS:
                self._put_aside(batch)
            else:
                self._read(batch, read)

    def _read(self, batch: Batch, read: Read) -> None:
        began = time.monotonic()
        try:
            self._spool.begin(batch)
            answer = read(batch.images)
            self._spool.put_results(batch, answer.results)
        except OSError as error:  # the disk: tried again, however often
            self._spool.postpone(batch)
            self._journal.failure("results could not be written", error, batch=batch.number)
            self._stopping.wait(LONGEST_WAIT)
            return
        except Exception as error:
            self._journal.failure("reading failed", error, batch=batch.number)
            self._put_aside(batch)
            return
        seconds = time.monotonic() - began
        outcome = "read" if answer.results else "rejected"
        self._journal.series.labels(outcome).inc()
        self._journal.seconds.observe(seconds)
        facts = {"reasons": list(answer.reasons)} if answer.reasons else {}
        self._journal.line(
            f"series {outcome}",
            batch=batch.number,
            slices=answer.slices,
            results=len(answer.results),
            seconds=round(seconds, 2),
            **facts,
        )
        if answer.departing != self._departing:
            self._departing = answer.departing
            event = (
                "series differ from those of the site profile" if answer.departing else "no drift any more"
            )
            self._journal.line(event, departing=list(answer.departing))

    def _put_aside(self, batch: Batch) -> None:
        self._spool.put_aside(batch)
        self._journal.series.labels("failed").inc()
        self._journal.line("series put aside", batch=batch.number)

    def _send_batches(self) -> None:
        wait = 1.0
        while not self._stopping.is_set():
            batch = self._spool.next_unsent()
            if batch is None:
                self._stopping.wait(min(LONGEST_TICK, self._quiet / 4))
                continue
            try:
                self._sender.send(batch)
                self._spool.finish(batch)
                wait = 1.0
                continue
            except Unreachable as error:
                self._journal.unreachable.inc()
                self._journal.line("destination did not take results", reason=str(error), next_try=wait)
            except (OSError, sqlite3.OperationalError) as error:  # the disk, as in `_read`
                self._journal.failure("the spool could not be written", error, batch=batch.number)
            self._stopping.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT)
