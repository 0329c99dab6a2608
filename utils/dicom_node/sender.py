"""Sends the results of a batch by C-STORE. Each is sent until the destination takes it or refuses it for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydicom import uid
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from utils.dicom_node.connections import limited_to
from utils.dicom_node.journal import Journal
from utils.dicom_node.ledger import Ledger
from utils.dicom_node.peers import Peer, Tls
from utils.dicom_node.spool import Batch

SECONDS = 30  # until a destination must connect, answer or read on
SLOWEST = 100_000  # bytes a second of the slowest connection
TEMPORARY = (0xA700, 0xA701, 0xA702, 0x0124, 0x0210, 0x0213)  # out of resources, not authorised now
DUPLICATE = 0x0111


class Unreachable(RuntimeError):
    """The destination did not answer, or cannot take anything now. Its text says what happened, without identifiers."""


class Sender:
    """The Storage SCU."""

    def __init__(
        self, ledger: Ledger, journal: Journal, aet: str, peer: Peer, tls: Tls | None = None
    ) -> None:
        self._ledger, self._journal = ledger, journal
        self._aet, self._peer = aet, peer
        self._tls = (tls.client(), peer.host) if tls else None
        _config.STORE_SEND_CHUNKED_DATASET = True  # files go out as they are, never as a whole in memory

    def send(self, batch: Batch) -> None:
        """Send every result of a batch that is not settled, and record each answer before the next is sent.

        Raises Unreachable where the destination must be tried again later.
        """
        metas = {file: read_file_meta_info(file) for file in batch.results or []}
        uids = {file: str(meta.MediaStorageSOPInstanceUID) for file, meta in metas.items()}
        todo = [file for file in metas if not self._ledger.is_settled(uids[file], str(self._peer))]
        if not todo:
            return
        contexts = {(metas[file].MediaStorageSOPClassUID, metas[file].TransferSyntaxUID) for file in todo}
        outcomes = []
        with self._association(contexts) as association:
            for file in todo:
                outcome = self._send(association, file)
                self._ledger.note_result(uids[file], str(self._peer), outcome)
                self._journal.results.labels(outcome).inc()
                outcomes.append(outcome)
        sent = outcomes.count("sent")
        self._journal.line("results sent", batch=batch.number, sent=sent, refused=len(outcomes) - sent)

    def _send(self, association: Association, file: Path) -> str:
        try:
            association.dimse_timeout = SECONDS + file.stat().st_size / SLOWEST  # the transfer counts
            answer = association.send_c_store(file)
        except ValueError:  # no presentation context: the destination does not take such objects
            return "refused"
        except RuntimeError:  # the association has ended
            raise Unreachable("connection lost") from None
        if "Status" not in answer:
            raise Unreachable("no answer")
        status = int(answer.Status)
        if status in TEMPORARY:
            raise Unreachable(f"status {status:04X}")
        is_taken = status in (0x0000, 0x0001, DUPLICATE) or status & 0xF000 == 0xB000
        return "sent" if is_taken else "refused"

    @contextmanager
    def _association(self, contexts: set[tuple[uid.UID, uid.UID]]) -> Iterator[Association]:
        """An association that proposes these pairs of SOP class and transfer syntax."""
        ae = AE(ae_title=self._aet)
        ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = SECONDS
        ae.add_requested_context(Verification)  # so that the association stands also where no object is taken
        for sop_class, syntax in sorted(contexts):
            ae.add_requested_context(sop_class, syntax)
        association = ae.associate(
            self._peer.host,
            self._peer.port,
            ae_title=self._peer.aet,
            tls_args=self._tls,
            evt_handlers=[limited_to(SECONDS)],
        )
        if not association.is_established:
            raise Unreachable("rejected" if association.is_rejected else "no connection")
        try:
            yield association
        finally:
            if association.is_established:
                association.release()
