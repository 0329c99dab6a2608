"""What the node reports about itself: JSON Lines without identifiers, and counters for Prometheus.

A line has a time, an event and numbers. Series are numbered by this program; no UID, no name and no text of a file is
written. The log of pynetdicom and pydicom, which quotes both, is switched off.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
import warnings
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()


class Journal:
    """The log and the counters of one node. Thread-safe."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream, self._lock = stream or sys.stderr, threading.Lock()
        self.registry = CollectorRegistry()

        def counter(name: str, words: str, *labels: str) -> Counter:
            return Counter(f"brain_mri_{name}", words, labels, registry=self.registry)

        self.images = counter("images", "Images that a C-STORE brought, by DIMSE status", "status")
        self.series = counter("series", "Series, by outcome: read, rejected, failed", "outcome")
        self.results = counter("results", "Result objects, by outcome: sent, refused", "outcome")
        self.connections = counter("connections", "Connections to the node, by their end", "end")
        self.unreachable = counter(
            "destination_failures", "Attempts to send that the destination did not take"
        )
        self.seconds = Histogram(
            "brain_mri_reading_seconds",
            "Time to read one series and make its results",
            buckets=(1, 2, 5, 10, 20, 60, 120, 300),
            registry=self.registry,
        )

    def gauge(self, name: str, words: str, function) -> None:
        """A figure that `function` gives whenever it is asked for."""
        Gauge(f"brain_mri_{name}", words, registry=self.registry).set_function(function)

    def line(self, event: str, **facts: object) -> None:
        """Write one line. `event` and `facts` never hold text from a file or a peer, but for the peer's address."""
        entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with self._lock, suppress(OSError):  # a disk without room for the log does not stop the node
            self._stream.write(json.dumps(entry) + "\n")
            self._stream.flush()

    def failure(self, event: str, error: BaseException, **facts: object) -> None:
        """Write one line about an exception: its type and place, without its message, which may quote a file."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        self.line(event, error=type(error).__name__, place=place, **facts)

    def catch_failures_of_threads(self) -> None:
        """Write one line where a thread of pynetdicom fails, instead of its traceback."""
        threading.excepthook = lambda failure: self.failure(
            "a connection failed", failure.exc_value or failure.exc_type()
        )


def silence_libraries() -> None:
    """Switch off the log of the DICOM libraries and all warnings of this process."""
    for name in ("pynetdicom", "pydicom", "highdicom"):
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
    warnings.simplefilter("ignore")
