"""What the node answers: success only for MR images that are on its disk, the right status for everything else."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest
from pydicom import uid
from pynetdicom.association import Association

from tests.support.dicom_peers import (
    NODE,
    SCANNER,
    Archive,
    NodeProcess,
    association,
    read_bytes,
    running,
    send,
    slices,
)
from tests.support.series import Frame, enhanced

SECRETS = ("Secret", "ID-4711", "Hidden", "19700102", "1.2.826.0.1", SCANNER, "STRANGER")


def metric(node: NodeProcess, name: str) -> float:
    """A counter of the node, 0 where it has not counted yet."""
    page = urllib.request.urlopen(f"http://127.0.0.1:{node.metrics}/metrics", timeout=30).read().decode()
    values = [line.split()[-1] for line in page.splitlines() if line.startswith(f"brain_mri_{name} ")]
    return float(values[0]) if values else 0.0


def break_off(link: Association) -> None:
    """The connection breaks."""
    assert link.dul.socket is not None and link.dul.socket.socket is not None
    link.dul.socket.socket.shutdown(socket.SHUT_RDWR)


def end_of_connection(node: NodeProcess, send_bytes: bytes) -> bytes:
    """Send bytes to the node's port; what it answers until it closes the connection."""
    with socket.create_connection(("127.0.0.1", node.port), timeout=60) as link:
        link.sendall(send_bytes)
        link.shutdown(socket.SHUT_WR)
        answer = b""
        while part := link.recv(4096):
            answer += part
        return answer


def test_series_is_acknowledged_read_and_answered_with_its_result(
    node: NodeProcess, archive: Archive
) -> None:
    images = slices(3, series=10)
    assert send(node.port, images) == [0, 0, 0]
    names = sorted(str(image.SOPInstanceUID) for image in images)
    archive.wait_for_images(names)
    assert [found for found in archive.images.values() if found == names] == [names]
    assert send(node.port, images) == [0, 0, 0]  # a repeat is acknowledged ...
    assert send(node.port, slices(1, series=11)) == [0]
    archive.wait_for_images([str(slices(1, series=11)[0].SOPInstanceUID)])
    assert sum(found == names for found in archive.images.values()) == 1  # ... and not read again


def test_enhanced_images_are_taken(node: NodeProcess) -> None:
    image = read_bytes(enhanced([Frame(0, 0), Frame(1, 5)], SOPInstanceUID="1.2.826.0.1.5"))
    assert send(node.port, [image]) == [0]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Modality": "CT"}, 0xA900),
        ({"SeriesInstanceUID": ""}, 0xA900),
        ({"StudyInstanceUID": ""}, 0xA900),
    ],
)
def test_images_that_cannot_be_read_here_are_refused(node: NodeProcess, changes: dict, status: int) -> None:
    image = slices(1, series=20)[0]
    for name, value in changes.items():
        setattr(image, name, value)
    assert send(node.port, [image, *slices(1, series=21)]) == [status, 0], "the node goes on"


def test_other_objects_than_mr_have_no_presentation_context(node: NodeProcess) -> None:
    kinds = [uid.CTImageStorage, uid.SecondaryCaptureImageStorage, uid.EncapsulatedPDFStorage]
    with association(node.port, contexts=["1.2.840.10008.1.1", *kinds]) as link:
        assert [context.abstract_syntax for context in link.accepted_contexts] == ["1.2.840.10008.1.1"]
        assert {context.abstract_syntax for context in link.rejected_contexts} == set(kinds)
        assert {context.result for context in link.rejected_contexts} == {3}  # abstract syntax not supported


def test_request_and_image_must_name_the_same_object(node: NodeProcess) -> None:
    image = slices(1, series=30)[0]
    with association(node.port) as link:
        sent = link.dimse.send_msg

        def changed(message, context):  # the request names another instance
            message.AffectedSOPInstanceUID = uid.UID("1.2.3")
            sent(message, context)

        link.dimse.send_msg = changed  # type: ignore[method-assign]
        answer = link.send_c_store(image)
    assert answer.Status == 0xA900 and "does not fit" in answer.ErrorComment


@pytest.mark.parametrize(("caller", "called"), [("STRANGER", NODE), (SCANNER, "ANOTHER")])
def test_unknown_callers_and_wrong_addresses_are_rejected(
    node: NodeProcess, caller: str, called: str
) -> None:
    with association(node.port, caller, called) as link:
        assert link.is_rejected


def test_peers_that_speak_nonsense_or_stop_are_cut_off_and_logged(node: NodeProcess) -> None:
    before = len(node.lines())
    assert b"HTTP" not in end_of_connection(node, b"GET / HTTP/1.1\r\n\r\n")
    end_of_connection(node, b"\x01\x00\x00\x00\x40\x00nonsense" + b"\xff" * 100)
    end_of_connection(node, struct.pack(">BBL", 4, 0, 2**32 - 1) + b"x" * 1000)  # announces 4 GB
    end_of_connection(node, b"")
    with association(node.port) as link:
        break_off(link)
    assert send(node.port, slices(1, series=40)) == [0]
    lines = node.lines()[before:]
    assert [line["event"] for line in lines].count("connection closed") >= 5
    assert not [line for line in lines if line["event"] == "the node must be started again"]


def test_transfer_cut_in_the_middle_is_no_image(node: NodeProcess) -> None:
    image = slices(1, series=50, PixelData=b"\0" * 500_000, Rows=500, Columns=500)[0]
    before = metric(node, 'images_total{status="0000"}')
    with association(node.port) as link:
        send_part, sent = link.dul.send_pdu, []

        def cut(primitive):
            sent.append(primitive)
            if len(sent) == 10:
                break_off(link)
            send_part(primitive)

        link.dul.send_pdu = cut  # type: ignore[method-assign]
        link.dimse_timeout = 5
        assert "Status" not in link.send_c_store(image)
    assert metric(node, 'images_total{status="0000"}') == before
    assert send(node.port, [image]) == [0]  # the scanner sends it again


def test_full_spool_answers_out_of_resources_and_keeps_what_it_has(tmp_path: Path) -> None:
    with running(NodeProcess(tmp_path / "spool", "GONE@127.0.0.1:9", options=["--spool-limit", "0"])) as node:
        assert send(node.port, slices(2)) == [0xA700, 0xA700]
        with pytest.raises(HTTPError, match="503"):
            urllib.request.urlopen(f"http://127.0.0.1:{node.metrics}/ready", timeout=30)
        assert urllib.request.urlopen(f"http://127.0.0.1:{node.metrics}/health", timeout=30).status == 200
        assert not list((tmp_path / "spool").rglob("*.dcm"))


def test_dcmtk_is_understood(node: NodeProcess, archive: Archive, tmp_path: Path) -> None:
    if not shutil.which("storescu"):
        pytest.skip("dcmtk is not installed (Debian: apt-get install dcmtk)")
    images = slices(2, series=60)
    for number, image in enumerate(images):
        image.save_as(tmp_path / f"{number}.dcm")
    address = ["-aet", SCANNER, "-aec", NODE, "127.0.0.1", str(node.port)]
    subprocess.run(["echoscu", *address], check=True, timeout=120)
    subprocess.run(["storescu", *address, *map(str, tmp_path.glob("*.dcm"))], check=True, timeout=120)
    archive.wait_for_images([str(image.SOPInstanceUID) for image in images])


def test_state_is_reported_over_http(node: NodeProcess) -> None:
    root = f"http://127.0.0.1:{node.metrics}"
    assert urllib.request.urlopen(f"{root}/health", timeout=30).status == 200
    assert urllib.request.urlopen(f"{root}/ready", timeout=30).status == 200
    with pytest.raises(HTTPError, match="404"):
        urllib.request.urlopen(f"{root}/other", timeout=30)
    assert metric(node, "spool_bytes") >= 0 and metric(node, 'images_total{status="0000"}') > 0


def test_log_and_metrics_hold_no_identifiers(node: NodeProcess) -> None:
    send(node.port, slices(2, series=70))
    log = node.log.read_text()
    page = urllib.request.urlopen(f"http://127.0.0.1:{node.metrics}/metrics", timeout=30).read().decode()
    assert "connection closed" in log
    for secret in SECRETS:
        assert secret not in log and secret not in page, secret
