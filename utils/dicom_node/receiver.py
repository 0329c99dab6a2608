"""The Storage SCP: C-ECHO, and C-STORE of MR images into the spool. Success means that the image is on the disk."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from pydicom import dcmread, uid
from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from utils.dicom_node.connections import LateHandshake, limited_to
from utils.dicom_node.journal import Journal
from utils.dicom_node.spool import SeriesTooLarge, Spool, SpoolFull
from utils.scans.dicom import PLUGINS
from utils.scans.dicom_values import texts, value_of
from utils.scans.limits import LARGEST_FILE, MEGABYTE, MOST_ASSOCIATIONS, MOST_FILES

IMAGES = (uid.MRImageStorage, uid.EnhancedMRImageStorage)
# Deflated files are not taken: their header cannot be read without inflating them whole.
SYNTAXES = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian, *PLUGINS)
HEADER = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality")
SILENT_SECONDS = 60  # a peer that sends nothing, or no whole message, for so long is cut off

SUCCESS = 0x0000
NOT_SUPPORTED = 0x0122
FULL = 0xA700
MISMATCH = 0xA900
UNREADABLE = 0xC000
TOO_LARGE = 0xC001
COMMENTS = {
    NOT_SUPPORTED: "Only MR and enhanced MR images are taken",
    FULL: "No room now, try again later",
    MISMATCH: "The data set does not fit its request, or is not MR",
    UNREADABLE: "The data set cannot be read",
    TOO_LARGE: f"At most {LARGEST_FILE // MEGABYTE} MB an image, {MOST_FILES} images a series",
}


class Receiver:
    """The server. `start` returns at once; each association has threads of its own."""

    def __init__(self, spool: Spool, journal: Journal, aet: str, allowed: Sequence[str]) -> None:
        """allowed: AE titles that may call."""
        self._spool, self._journal = spool, journal
        self._lock = threading.Lock()
        self._stored: dict[Association, list[int]] = {}  # status of each image of an open association
        self._ae = AE(ae_title=aet)
        self._ae.require_called_aet = True
        self._ae.require_calling_aet = list(allowed)
        self._ae.maximum_associations = MOST_ASSOCIATIONS
        self._ae.network_timeout = SILENT_SECONDS
        self._ae.add_supported_context(Verification)
        for image in IMAGES:
            self._ae.add_supported_context(image, list(SYNTAXES))

    def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen. Raises OSError where the port cannot be used."""
        _write_transfers_to(self._spool.incoming)
        self._server = self._ae.start_server(
            (host, port),
            block=False,
            ssl_context=cast(ssl.SSLContext, LateHandshake(tls)) if tls else None,
            evt_handlers=[
                (evt.EVT_C_STORE, self._store),
                (evt.EVT_CONN_CLOSE, self._closed),
                limited_to(SILENT_SECONDS),
            ],
        )

    def stop(self) -> None:
        """End all associations and the server."""
        self._ae.shutdown()

    def _store(self, event: evt.Event) -> Dataset:
        """Answer one C-STORE request."""
        try:
            status = self._take(event)
        except SpoolFull:
            status = FULL
        except SeriesTooLarge:
            status = TOO_LARGE
        except OSError as error:
            self._journal.failure("an image could not be written", error)
            status = FULL
        except Exception as error:
            self._journal.failure("an image could not be read", error)
            status = UNREADABLE
        self._journal.images.labels(f"{status:04X}").inc()
        with self._lock:
            self._stored.setdefault(event.assoc, []).append(status)
        answer = Dataset()
        answer.Status = status
        if status != SUCCESS:
            answer.ErrorComment = COMMENTS[status]
        return answer

    def _take(self, event: evt.Event) -> int:
        """Take the image of a request into the spool; returns the status."""
        request, file = cast(C_STORE, event.request), event.dataset_path
        if request.AffectedSOPClassUID not in IMAGES:
            return NOT_SUPPORTED
        if file is None:
            return UNREADABLE
        if file.stat().st_size > LARGEST_FILE:
            return TOO_LARGE
        header = dcmread(file, stop_before_pixels=True, specific_tags=list(HEADER))
        words = {name: str(value_of(header, name) or "") for name in HEADER}
        expected = (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
        if (words["SOPClassUID"], words["SOPInstanceUID"]) != expected:
            return MISMATCH
        if not words["StudyInstanceUID"] or not words["SeriesInstanceUID"]:
            return MISMATCH
        if texts(header.get("Modality")) not in ([], ["MR"]):
            return MISMATCH
        series = words["StudyInstanceUID"] + "\n" + words["SeriesInstanceUID"]
        self._spool.accept(file, hashlib.sha256(series.encode()).hexdigest())
        return SUCCESS

    def _closed(self, event: evt.Event) -> None:
        """One line for every connection, also for one that spoke no DICOM."""
        association = event.assoc
        with self._lock:
            statuses = self._stored.pop(association, [])
        end = _end_of(association)
        self._journal.connections.labels(end).inc()
        refused = sorted(f"{status:04X}" for status in set(statuses) - {SUCCESS})
        facts = {"refused": statuses and len(statuses) - statuses.count(SUCCESS), "statuses": refused}
        self._journal.line(
            "connection closed",
            peer=str(association.requestor.address),
            end=end,
            stored=statuses.count(SUCCESS),
            **(facts if refused else {}),
        )


def _end_of(association: Association) -> str:
    """How a connection ended: released, rejected, aborted, or broken (no end that DICOM knows)."""
    if association.is_rejected:
        return "rejected"
    if association.is_released:
        return "released"
    if association.is_aborted:
        return "aborted"
    return "broken"


def _write_transfers_to(folder: Path) -> None:
    """Let pynetdicom write what arrives to files in the spool instead of memory."""
    _config.STORE_RECV_CHUNKED_DATASET = True
    tempfile.tempdir = str(folder)
