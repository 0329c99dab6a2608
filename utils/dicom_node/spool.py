"""The node's spool: what was acknowledged is on disk, and stays there until its results have been sent.

SPOOL/incoming/          transfers that have not ended; emptied at the start
SPOOL/series/KEY/        a series that still arrives: one file an image, named by its SHA-256
SPOOL/batches/NUMBER/    a series that has been quiet: its images and, once it was read, results/
SPOOL/done/              what is being deleted
SPOOL/failed/NUMBER/     what this program failed on; kept for a person
SPOOL/record.sqlite3     the ledger

Every step is one rename of a file or folder whose content is already on the disk, so that a power cut or SIGKILL leaves
the state before or after it, never one between.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.dicom_node.ledger import Ledger
from utils.paths import file_sha256
from utils.scans.limits import LARGEST_SPOOL, LARGEST_UNPACKED, MOST_FILES, SMALLEST_FREE_DISK

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FOLDERS = ("incoming", "series", "batches", "done", "failed")
OLDEST_TRANSFER = 600  # seconds without a byte, after which an unfinished transfer is dead


class SpoolError(RuntimeError):
    """A spool that cannot be used. Its text is one sentence that names the folder and the remedy."""


class SpoolFull(RuntimeError):
    """No room for another image now; the sender may try again later."""


class SeriesTooLarge(ValueError):
    """A series beyond the limits: no further image of it is taken."""


@dataclass(frozen=True)
class Batch:
    """The images of one series that has been quiet, with the results once it was read."""

    folder: Path

    @property
    def number(self) -> int:
        return int(self.folder.name)

    @property
    def images(self) -> list[Path]:
        return sorted(self.folder.glob("*.dcm"))

    @property
    def results(self) -> list[Path] | None:
        """The result files in the order of sending; None where the batch was not read yet."""
        folder = self.folder / "results"
        return sorted(folder.glob("*.dcm")) if folder.is_dir() else None

    @property
    def attempts(self) -> int:
        """How often somebody began to read it."""
        file = self.folder / "attempts"
        return file.stat().st_size if file.exists() else 0


class Spool:
    """The folders and the ledger. Threads share the object; one process at a time uses the folder."""

    def __init__(self, folder: Path, limit: int = LARGEST_SPOOL, version: str = "") -> None:
        """Open or create a spool; unfinished transfers and deletions of an earlier process are cleared away.

        limit: bytes of images and results. Raises SpoolError where the folder cannot be used.
        """
        self.folder, self.limit = folder, limit
        self._lock = threading.Lock()
        self._arrivals: dict[str, float] = {}  # key of a series -> when its last image came
        self._sizes: dict[str, tuple[int, int]] = {}  # key of a series -> its images and bytes
        self._sealed: set[str] = set()  # SHA-256 of the images in batches
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            self._lock_file = (folder / "lock").open("w")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in FOLDERS:
                (folder / name).mkdir(mode=0o700, exist_ok=True)
            self.ledger = Ledger(folder / "record.sqlite3", version)
            self._recover()
        except BlockingIOError:
            raise SpoolError(
                f"{folder} is used by another node; stop it, or give this one a --spool of its own."
            ) from None
        except OSError as error:
            raise SpoolError(
                f"{folder} cannot be used as spool ({error.strerror or error}); choose another --spool."
            ) from None

    @property
    def incoming(self) -> Path:
        """Where transfers are written before they are accepted."""
        return self.folder / "incoming"

    @property
    def bytes(self) -> int:
        """Bytes of all images and results."""
        return self._bytes

    @property
    def open_series(self) -> int:
        """How many series still arrive."""
        return len(self._arrivals)

    @property
    def is_full(self) -> bool:
        return self._has_no_room(1)

    def close(self) -> None:
        """Give the folder free."""
        self.ledger.close()
        self._lock_file.close()

    def accept(self, file: Path, key: str) -> bool:
        """Take an image over into the series `key`; on return it is on the disk. False where it was there already.

        Raises SpoolFull, SeriesTooLarge or OSError, and then the image is not in the spool.
        """
        sha256, size = file_sha256(file), file.stat().st_size
        _to_disk(file)
        with self._lock:
            folder = self.folder / "series" / key
            target = folder / f"{sha256}.dcm"
            if sha256 in self._sealed or self.ledger.knows_image(sha256):
                return False
            is_new = not target.exists()
            images, length = self._sizes.get(key, (0, 0))
            if is_new:
                if self._has_no_room(size):
                    raise SpoolFull
                if images >= MOST_FILES or length + size > LARGEST_UNPACKED:
                    raise SeriesTooLarge
                if not folder.exists():
                    folder.mkdir(mode=0o700)
                    _to_disk(folder.parent)
                os.rename(file, target)
                self._sizes[key] = (images + 1, length + size)
                self._bytes += size
            self._arrivals[key] = time.monotonic()
            descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # outside of the lock: twenty senders wait for the disk together
        finally:
            os.close(descriptor)
        return is_new

    def seal(self, quiet: float) -> list[Batch]:
        """Turn every series without a new image for `quiet` seconds into a batch."""
        with self._lock:
            now = time.monotonic()
            keys = [key for key, last in self._arrivals.items() if now - last >= quiet]
            return [self._seal(key) for key in keys]

    @property
    def waiting(self) -> int:
        """How many batches wait to be read or sent."""
        with self._lock:
            return len(self._batches())

    def next_unread(self) -> Batch | None:
        """The batch that is read next: the oldest of those with the fewest attempts.

        Only its caller may then change it, as only the caller of `next_unsent` may change what has been read.
        """
        with self._lock:
            batches = [batch for batch in self._batches() if batch.results is None]
            return min(batches, key=lambda batch: (batch.attempts, batch.number), default=None)

    def next_unsent(self) -> Batch | None:
        """The oldest batch with results."""
        with self._lock:
            return next((batch for batch in self._batches() if batch.results is not None), None)

    def begin(self, batch: Batch) -> None:
        """Record an attempt to read a batch, so that one that ends the process each time does not block the others."""
        with (batch.folder / "attempts").open("ab") as stream:
            stream.write(b".")
            stream.flush()
            os.fsync(stream.fileno())

    def postpone(self, batch: Batch) -> None:
        """Forget the attempts to read a batch: they did not end the process."""
        (batch.folder / "attempts").unlink(missing_ok=True)

    def put_results(self, batch: Batch, results: Sequence[Dataset]) -> None:
        """Store the results of a batch, all or none. Raises OSError."""
        unfinished = batch.folder / "results.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        for number, result in enumerate(results):
            file = unfinished / f"{number:04}.dcm"
            result.save_as(file, enforce_file_format=True)
            _to_disk(file)
        _to_disk(unfinished)
        os.rename(unfinished, batch.folder / "results")
        _to_disk(batch.folder)
        with self._lock:
            self._bytes += _size(batch.folder / "results")

    def finish(self, batch: Batch) -> None:
        """Delete a batch whose results are settled; its images then count as done, where there were any results."""
        if batch.results:
            self.ledger.note_images([file.stem for file in batch.images])
        self._move(batch, "done")
        shutil.rmtree(self.folder / "done" / batch.folder.name)

    def put_aside(self, batch: Batch) -> None:
        """Keep a batch that this program failed on for a person."""
        self._move(batch, "failed")

    def sweep(self) -> None:
        """Delete transfers that have ended without an image."""
        oldest = time.time() - OLDEST_TRANSFER
        for file in self.incoming.iterdir():
            if file.stat().st_mtime < oldest:
                file.unlink(missing_ok=True)

    def _recover(self) -> None:
        for name in ("incoming", "done"):
            for path in (self.folder / name).iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._bytes = _size(self.folder / "series") + _size(self.folder / "batches")
        for folder in (self.folder / "series").iterdir():
            files = list(folder.glob("*.dcm"))
            self._sizes[folder.name] = len(files), sum(file.stat().st_size for file in files)
            self._arrivals[folder.name] = time.monotonic()
        self._sealed = {image.stem for batch in self._batches() for image in batch.images}

    def _batches(self) -> list[Batch]:
        return [Batch(folder) for folder in sorted((self.folder / "batches").iterdir())]

    def _seal(self, key: str) -> Batch:
        """The caller holds the lock."""
        folder, batches = self.folder / "series" / key, self.folder / "batches"
        last = max((int(each.name) for each in batches.iterdir()), default=0)
        batch = Batch(batches / f"{max(time.time_ns() // 1000, last + 1):020}")
        _to_disk(folder)
        os.rename(folder, batch.folder)
        _to_disk(batches)
        self._sealed |= {image.stem for image in batch.images}
        del self._arrivals[key], self._sizes[key]
        return batch

    def _move(self, batch: Batch, name: str) -> None:
        """Take a batch out of the queue."""
        size = _size(batch.folder)
        images = {image.stem for image in batch.images}
        with self._lock:
            os.rename(batch.folder, self.folder / name / batch.folder.name)
            _to_disk(self.folder / name)
            _to_disk(batch.folder.parent)
            self._bytes -= size
            self._sealed -= images

    def _has_no_room(self, size: int) -> bool:
        return (
            self._bytes + size > self.limit or shutil.disk_usage(self.folder).free - size < SMALLEST_FREE_DISK
        )


def _to_disk(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(folder: Path) -> int:
    """Bytes of the DICOM files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*.dcm"))
