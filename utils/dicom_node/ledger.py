"""The node's record in its spool: which images are done and which results were sent. SQLite, without patient data.

An image is known by the SHA-256 of its file, a result by its SOP Instance UID, which this project made.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

KEPT_DAYS = 90  # an image that comes again after this time is read again
TABLES = """
CREATE TABLE IF NOT EXISTS images (
    sha256 TEXT NOT NULL,
    version TEXT NOT NULL, -- of the networks that read it
    time TEXT NOT NULL,
    PRIMARY KEY (sha256, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results (
    uid TEXT NOT NULL, -- SOP Instance UID
    destination TEXT NOT NULL,
    outcome TEXT NOT NULL, -- sent, refused
    time TEXT NOT NULL,
    PRIMARY KEY (uid, destination)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class SentResult:
    """A result object that the destination took ("sent") or refused for good ("refused"); time in UTC, ISO 8601."""

    uid: str
    destination: str
    outcome: str
    time: str


class Ledger:
    """The record in one file. Threads share the object; what a method has written survives a power cut."""

    def __init__(self, file: Path, version: str = "") -> None:
        """version: of whatever reads the images; images that another version has read are not known."""
        self._version = version
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(file, check_same_thread=False)
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(TABLES)
        oldest = (datetime.now(UTC) - timedelta(days=KEPT_DAYS)).isoformat(timespec="seconds")
        with self._connection:
            self._connection.execute("DELETE FROM images WHERE time < ?", (oldest,))

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def knows_image(self, sha256: str) -> bool:
        """Whether an image is done: read by this version, its results sent."""
        query = "SELECT 1 FROM images WHERE sha256 = ? AND version = ?"
        with self._lock:
            return self._connection.execute(query, (sha256, self._version)).fetchone() is not None

    def note_images(self, sha256s: Collection[str]) -> None:
        """Record that images are done."""
        rows = [(sha256, self._version, _now()) for sha256 in sha256s]
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO images VALUES (?, ?, ?)", rows)

    def is_settled(self, uid: str, destination: str) -> bool:
        """Whether a result needs no further sending: the destination took it, or refused it for good."""
        query = "SELECT 1 FROM results WHERE uid = ? AND destination = ?"
        with self._lock:
            return self._connection.execute(query, (uid, destination)).fetchone() is not None

    def note_result(self, uid: str, destination: str, outcome: str) -> None:
        """Record the answer of the destination; the first one counts."""
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?)", (uid, destination, outcome, _now())
            )

    def results(self) -> list[SentResult]:
        """Every result that was sent or refused, oldest first."""
        query = "SELECT uid, destination, outcome, time FROM results ORDER BY time, uid"
        with self._lock:
            return [SentResult(*row) for row in self._connection.execute(query)]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
