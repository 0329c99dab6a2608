"""DICOM programs for tests of the node: slices, a sender, an archive that counts, the node with a quick reader."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.association import Association

from tests.support.corpus import dicom, dicom_bytes
from tests.support.processes import PATIENCE, REPOSITORY, free_port

NODE, SCANNER, ARCHIVE = "BRAINMRI", "SCANNER", "ARCHIVE"


def slices(count: int, series: int = 1, **changes: Any) -> list[Dataset]:
    """The slices of one drawn series, each with a UID of its own."""
    return [
        readable(
            dicom(
                seed=100 * series + number,
                number=number + 1,
                StudyInstanceUID=f"1.2.826.0.1.{series}",
                SeriesInstanceUID=f"1.2.826.0.1.{series}.1",
                **changes,
            )
        )
        for number in range(count)
    ]


def readable(ds: Dataset) -> Dataset:
    """The data set as a program reads it from a file."""
    return read_bytes(dicom_bytes(ds))


def read_bytes(data: bytes) -> Dataset:
    return dcmread(io.BytesIO(data))


@contextmanager
def association(
    port: int,
    caller: str = SCANNER,
    called: str = NODE,
    contexts: Sequence[str] = (),
    patience: float = 60,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Association]:
    """An association with a node on this machine; `contexts` are SOP classes, by default MR and enhanced MR.

    patience: seconds to wait for an answer, also after the node was killed.
    """
    ae = AE(ae_title=caller)
    ae.acse_timeout = ae.dimse_timeout = patience
    for name in contexts or (uid.MRImageStorage, uid.EnhancedMRImageStorage):
        ae.add_requested_context(name)
    link = ae.associate("127.0.0.1", port, ae_title=called, tls_args=(tls, "127.0.0.1") if tls else None)
    try:
        yield link
    finally:
        if link.is_established:
            link.release()


def send(port: int, images: Sequence[Dataset], **options: Any) -> list[int | None]:
    """Send images through one association; the status of each, None where there was no answer."""
    statuses: list[int | None] = []
    with association(port, **options) as link:
        for image in images:
            try:
                statuses.append(link.send_c_store(image).get("Status"))
            except RuntimeError:  # the association has ended
                statuses.append(None)
    return statuses


def send_until_taken(port: int, images: Sequence[Dataset]) -> None:
    """Send images as a scanner does: what was not acknowledged is sent again, until everything was."""
    left = list(images)
    end = time.monotonic() + PATIENCE
    while left and time.monotonic() < end:
        statuses = send(port, left)
        left = [image for image, status in zip(left, statuses, strict=False) if status != 0] + left[
            len(statuses) :
        ]
        if left:
            time.sleep(0.05)
    assert not left, "the node did not take all images"


@dataclass
class Archive:
    """A Storage SCP that counts what it was sent; `answer` is its status.

    `images` names the images that each result of `quick_result` was made of.
    """

    port: int = field(default_factory=free_port)
    answer: int = 0
    tls: ssl.SSLContext | None = None
    received: Counter[str] = field(default_factory=Counter)
    images: dict[str, list[str]] = field(default_factory=dict)

    def __enter__(self) -> Archive:
        ae = AE(ae_title=ARCHIVE)
        ae.maximum_associations = 64
        ae.supported_contexts = AllStoragePresentationContexts
        ae.add_supported_context("1.2.840.10008.1.1")
        ae.start_server(
            ("127.0.0.1", self.port),
            block=False,
            ssl_context=self.tls,
            evt_handlers=[(evt.EVT_C_STORE, self._store)],
        )
        self._ae = ae
        return self

    def __exit__(self, *_: object) -> None:
        self._ae.shutdown()

    @property
    def address(self) -> str:
        return f"{ARCHIVE}@127.0.0.1:{self.port}"

    def wait_for(self, is_there: Callable[[], bool]) -> None:
        """Wait until something is there."""
        end = time.monotonic() + PATIENCE
        while not is_there():
            assert time.monotonic() < end, "the results did not come"
            time.sleep(0.02)

    def wait_for_images(self, names: Sequence[str]) -> None:
        """Wait until results of these images have come."""
        self.wait_for(lambda: set(names) <= {name for found in self.images.values() for name in found})

    def _store(self, event: evt.Event) -> int:
        name = str(event.dataset.SOPInstanceUID)
        self.received[name] += 1
        self.images[name] = str(event.dataset.get("ImageComments", "")).split()
        return self.answer


def quick_result(images: Sequence[Path]) -> Dataset:
    """A result object of a series, which names its images; its UID follows from them."""
    header = dcmread(images[0], stop_before_pixels=True)
    names = sorted(str(dcmread(image, stop_before_pixels=True).SOPInstanceUID) for image in images)
    ds = dicom(StudyInstanceUID=header.StudyInstanceUID, SOPClassUID=uid.SecondaryCaptureImageStorage)
    digest = int(hashlib.sha256("\n".join(names).encode()).hexdigest()[:30], 16)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid.UID(f"2.25.{digest}")
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.ImageComments = " ".join(names)
    return ds


class NodeProcess:
    """The node in a process of its own, with `quick_result` in place of the networks. It can be killed and started."""

    def __init__(
        self,
        spool: Path,
        destination: str,
        quiet: float = 0.3,
        options: Sequence[str] = (),
        program: Sequence[str] = ("-m", "tests.support.node_program"),
        port: int | None = None,
        environment: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """program: `model.py node` for the node with its networks; tls: of a caller."""
        self.spool, self.port, self.metrics, self._tls = spool, port or free_port(), free_port(), tls
        self._environment = os.environ | dict(environment or {})
        self._command = [
            sys.executable, *program, "--spool", str(spool), "--port", str(self.port), "--allow", SCANNER, ARCHIVE,
            "--send-to", destination, "--quiet", str(quiet), "--metrics-port", str(self.metrics), *options,
        ]  # fmt: skip
        self.log = spool.with_name(spool.name + ".log")

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, cwd=REPOSITORY, stderr=log, env=self._environment)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            with association(self.port, contexts=["1.2.840.10008.1.1"], tls=self._tls) as link:
                if link.is_established:
                    return
            time.sleep(0.05)
        raise TimeoutError("the node did not start")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it as an administrator does; the exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def wait_for_event(self, event: str, after: int = 0) -> None:
        """Wait until the log has an event behind its first `after` lines."""
        end = time.monotonic() + PATIENCE
        while event not in [line["event"] for line in self.lines()[after:]]:
            assert time.monotonic() < end and self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def lines(self) -> list[dict[str, Any]]:
        """Its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def running(node: NodeProcess) -> Iterator[NodeProcess]:
    node.start()
    try:
        yield node
    finally:
        if node.process.poll() is None:
            node.kill()


def in_threads(work: Callable[[int], None], count: int) -> list[threading.Thread]:
    """Start `work(0)` ... `work(count - 1)`, each in a thread."""
    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    return threads
