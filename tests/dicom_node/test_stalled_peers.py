"""Peers that stop in the middle of a message, or send too much: the node gives them up and works on."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket

from tests.support.dicom_peers import ARCHIVE, NODE, SCANNER, quick_result, send, slices
from tests.support.processes import PATIENCE, free_port
from utils.dicom_node import receiver as receiver_module
from utils.dicom_node import sender as sender_module
from utils.dicom_node import spool as spool_module
from utils.dicom_node.journal import Journal
from utils.dicom_node.peers import Peer, Tls
from utils.dicom_node.receiver import Receiver
from utils.dicom_node.sender import Sender, Unreachable
from utils.dicom_node.spool import Batch, Spool

Misbehave = Callable[[Association, threading.Event], None]


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
    monkeypatch.setattr(tempfile, "tempdir", tempfile.tempdir)  # receiver and sender change these
    for name in ("STORE_RECV_CHUNKED_DATASET", "STORE_SEND_CHUNKED_DATASET"):
        monkeypatch.setattr(_config, name, False)
    monkeypatch.setattr(AssociationSocket, "recv", AssociationSocket.recv)
    monkeypatch.setattr(receiver_module, "SILENT_SECONDS", 1)
    monkeypatch.setattr(sender_module, "SECONDS", 1)
    spool = Spool(tmp_path / "spool")
    yield spool
    spool.close()


@pytest.fixture
def node(spool: Spool, request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a receiver in this process."""
    port, node = free_port(), Receiver(spool, Journal(), NODE, [SCANNER])
    files = request.getfixturevalue("certificate") if getattr(request, "param", "") == "tls" else None
    node.start("127.0.0.1", port, Tls(*files).server() if files else None)
    yield port
    node.stop()


def test_series_beyond_the_limits_is_answered_and_others_are_taken(
    node: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_module, "MOST_FILES", 2)
    assert send(node, slices(3)) == [0, 0, 0xC001]
    assert send(node, slices(1, series=2)) == [0]
    monkeypatch.setattr(receiver_module, "LARGEST_FILE", 100)
    assert send(node, slices(1, series=3)) == [0xC001]


@pytest.mark.parametrize("part", [b"\x01\x00", b"\x01\x00\x00\x00\x01\x00half a request"])
def test_caller_that_stops_inside_a_message_is_cut_off(node: int, part: bytes) -> None:
    with socket.create_connection(("127.0.0.1", node), timeout=PATIENCE) as link:
        link.sendall(part)
        assert link.recv(4096) == b""
    assert send(node, slices(1)) == [0]


@pytest.mark.parametrize("node", ["tls"], indirect=True)
def test_caller_that_never_begins_tls_does_not_keep_others_out(
    node: int, certificate: tuple[Path, Path]
) -> None:
    tls = Tls(*certificate, certificate[0])
    with socket.create_connection(("127.0.0.1", node), timeout=PATIENCE):
        assert send(node, slices(1), tls=tls.client()) == [0]


def _socket(association: Association) -> socket.socket:
    assert association.dul.socket is not None and association.dul.socket.socket is not None
    return association.dul.socket.socket


def cut(association: Association, is_over: threading.Event) -> None:
    _socket(association).shutdown(socket.SHUT_RDWR)


def abort(association: Association, is_over: threading.Event) -> None:
    association.abort()


def stop_reading(association: Association, is_over: threading.Event) -> None:
    is_over.wait(PATIENCE)


def half_an_answer(association: Association, is_over: threading.Event) -> None:
    _socket(association).send(b"\x04\x00\x00")
    is_over.wait(PATIENCE)


@pytest.mark.parametrize("megabytes", [0, 20])  # less and more than what the system buffers
@pytest.mark.parametrize("misbehave", [cut, abort, stop_reading, half_an_answer])
def test_archive_that_stops_inside_a_transfer_is_tried_again_later(
    spool: Spool, tmp_path: Path, misbehave: Misbehave, megabytes: int
) -> None:
    batch = Batch(tmp_path / "1")
    (batch.folder / "results").mkdir(parents=True)
    slices(1)[0].save_as(batch.folder / "0.dcm")
    result = quick_result(batch.images)
    result.PixelData += bytes(megabytes * 1_000_000)
    result.save_as(batch.folder / "results" / "0.dcm", enforce_file_format=True)

    is_over = threading.Event()
    events: list[evt.Event] = []

    def on_data(event: evt.Event) -> None:
        if not events and type(event.pdu).__name__ == "P_DATA_TF":
            events.append(event)
            misbehave(event.assoc, is_over)

    ae, port = AE(ae_title=ARCHIVE), free_port()
    ae.supported_contexts = AllStoragePresentationContexts
    ae.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_PDU_RECV, on_data)])
    sender = Sender(spool.ledger, Journal(), NODE, Peer(ARCHIVE, "127.0.0.1", port))
    outcome: list[str] = []

    def try_to_send() -> None:
        try:
            sender.send(batch)
            outcome.append("sent")
        except Unreachable:
            outcome.append("unreachable")

    try:
        thread = threading.Thread(target=try_to_send, daemon=True)
        thread.start()
        thread.join(60)
        assert events and outcome == ["unreachable"], "the sender still waits"
        assert spool.ledger.results() == []
    finally:
        is_over.set()
        ae.shutdown()
