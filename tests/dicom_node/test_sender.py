"""Results reach the archive once, whatever happens to it; the record of what was sent comes before the deletion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.dicom_peers import Archive, NodeProcess, running, send, slices
from utils.commands.main import main
from utils.dicom_node.peers import Peer, PeerError, Tls, checked_aet


def events(node: NodeProcess) -> list[str]:
    return [line["event"] for line in node.lines()]


def is_empty(spool: Path) -> bool:
    return not list(spool.rglob("*.dcm"))


def test_results_wait_for_an_archive_that_is_away_or_full(tmp_path: Path, capsys) -> None:
    archive = Archive()
    images = slices(2)
    names = [str(image.SOPInstanceUID) for image in images]
    with running(NodeProcess(tmp_path / "spool", archive.address)) as node:
        assert send(node.port, images) == [0, 0]
        archive.wait_for(lambda: "destination did not take results" in events(node))
        archive.answer = 0xA700
        with archive:
            archive.wait_for(lambda: any(line.get("reason") == "status A700" for line in node.lines()))
            assert not is_empty(node.spool)
            archive.answer, archive.images = 0, {}
            archive.wait_for_images(names)
            archive.wait_for(lambda: is_empty(node.spool))
        (uid,) = archive.images
        assert node.stop() == 0
    assert main(["node", "--list-results", "--spool", str(node.spool)]) == 0
    (result,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (result["uid"], result["destination"], result["outcome"]) == (uid, archive.address, "sent")


def test_result_that_is_refused_for_good_does_not_block_the_others(tmp_path: Path) -> None:
    with Archive(answer=0xC000) as archive, running(NodeProcess(tmp_path / "spool", archive.address)) as node:
        send(node.port, slices(1))
        archive.wait_for(lambda: "results sent" in events(node))
        (line,) = [line for line in node.lines() if line["event"] == "results sent"]
        assert (line["sent"], line["refused"]) == (0, 1)
        archive.answer, archive.images = 0, {}
        send(node.port, slices(1, series=2))
        archive.wait_for_images([str(slices(1, series=2)[0].SOPInstanceUID)])
        assert len(archive.received) == 2


@pytest.mark.parametrize(
    "text", ["", "ORTHANC", "ORTHANC@host", "@host:1", "A@host:0", "A@host:70000", "A@h:x"]
)
def test_destinations_that_are_none_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(PeerError, match="AET@HOST:PORT"):
        Peer.parsed(text)


def test_destination_is_understood() -> None:
    assert Peer.parsed("PACS 1@10.0.0.2:104") == Peer("PACS 1", "10.0.0.2", 104)
    assert Peer.parsed("PACS@[::1]:104").host == "::1"


@pytest.mark.parametrize("text", ["", "more than 16 characters", "back\\slash", "Ä", " "])
def test_ae_titles_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(PeerError, match="1 to 16"):
        checked_aet(text)


def test_certificate_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no certificate")
    for file in (tmp_path / "file", tmp_path / "missing"):
        with pytest.raises(PeerError, match="--tls"):
            Tls(file, file).server()


def test_both_directions_are_encrypted(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    tls = Tls(certificate[0], certificate[1], certificate[0])  # its own authority
    images = slices(1)
    with Archive(tls=tls.server()) as archive:
        options = ["--tls", *map(str, certificate), str(certificate[0])]
        node = NodeProcess(tmp_path / "spool", archive.address, options=options, tls=tls.client())
        with running(node):
            assert send(node.port, images, tls=tls.client()) == [0]
            archive.wait_for_images([str(images[0].SOPInstanceUID)])
            assert send(node.port, images, patience=5) == [None]  # in plain text
