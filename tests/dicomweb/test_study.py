"""`model.py study` with a real archive: WADO-RS in, STOW-RS out; and archives that cannot be used."""

from __future__ import annotations

import http.server
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage

from tests.support.corpus import dicom, dicom_bytes
from tests.support.dciodvfy import errors_in
from tests.support.mr_series import OBLIQUE, Drawn, series
from tests.support.orthanc import Orthanc
from utils.commands.main import main
from utils.dicomweb.archive import Archive, StudyQuery
from utils.dicomweb.errors import ArchiveError
from utils.reports.dicom.kinds import KINDS

DRAWN = Drawn(slices=3, seed=7)


@pytest.fixture(scope="module")
def study(orthanc: Orthanc) -> str:
    """A study in the archive: its identifier in Orthanc."""
    return orthanc.put([data for _, data in series(DRAWN)])


def uids(orthanc: Orthanc, study: str) -> tuple[str, str]:
    """The study and the MR series."""
    ds = dcmread(io.BytesIO(orthanc.instances(study, "MR")[0]))
    return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID)


def instances(files: list[bytes]) -> list[str]:
    return sorted(str(dcmread(io.BytesIO(data)).SOPInstanceUID) for data in files)


def test_study_is_read_and_its_results_are_stored_in_it(
    orthanc: Orthanc, study: str, dicom_models: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(dicom_models))
    name, _ = uids(orthanc, study)
    assert main(["study", "--dicomweb", orthanc.dicomweb, "--study", name]) == 0
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["stacks"][0]["predictions"][0]["model"] == "cnn" and line["stored"] == []
    assert orthanc.instances(study, "SR") == []
    assert main(["study", "--dicomweb", orthanc.dicomweb, "--study", name, "--store"]) == 0
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    stored = {entry["modality"]: entry["uid"] for entry in line["stored"]}
    for modality in ("SR", "SEG"):
        assert instances(orthanc.instances(study, modality)) == [stored[modality]]


def test_results_in_the_archive_are_valid(
    orthanc: Orthanc, dicom_models: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("BRAIN_MRI_MODELS", str(dicom_models))
    study = orthanc.put([data for _, data in series(Drawn(OBLIQUE, slices=3, seed=8))])
    name, _ = uids(orthanc, study)
    archive = ["--dicomweb", orthanc.dicomweb, "--study", name]
    assert main(["study", *archive, "--store", "--kinds", *KINDS]) == 0
    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    files = [file for modality in ("SEG", "SR", "DOC", "OT") for file in orthanc.instances(study, modality)]
    assert instances(files) == sorted(entry["uid"] for entry in line["stored"]) and len(files) == len(KINDS)
    assert [errors_in(file) for file in files] == [[]] * len(KINDS)


def test_study_without_mr_is_named_in_a_sentence(orthanc: Orthanc, capsys) -> None:
    data = dicom_bytes(dicom(SOPClassUID=CTImageStorage, Modality="CT", StudyInstanceUID="1.2.826.0.1.77"))
    orthanc.put([data])
    assert main(["study", "--dicomweb", orthanc.dicomweb, "--study", "1.2.826.0.1.77"]) == 1
    assert capsys.readouterr().err == "The study has no MR series.\n"


def test_archive_is_searched(orthanc: Orthanc, study: str) -> None:
    archive = Archive(orthanc.dicomweb)
    name, mr = uids(orthanc, study)
    for query in (
        StudyQuery(),
        StudyQuery(patient_id="D-1"),
        StudyQuery(accession_number="A-1"),
        StudyQuery(date="20240101-20240131"),
    ):
        assert name in [entry.uid for entry in archive.studies(query)]
    for query in (StudyQuery(patient_id="D-2"), StudyQuery(date="20200101")):
        assert archive.studies(query) == []
    (entry,) = archive.series(name)
    assert (entry.uid, entry.number, entry.images) == (mr, "3", 3)
    assert instances(archive.files(name, mr)) == instances([data for _, data in series(DRAWN)])


class Nonsense(http.server.BaseHTTPRequestHandler):
    """A web server that is no archive."""

    def do_GET(self) -> None:
        answers = {"text": (200, b"hello"), "password": (401, b""), "busy": (503, b"")}
        status, body = answers.get(self.path.split("/")[1], (404, b""))
        self.send_response(status)
        self.send_header("Content-Type", "multipart/related; boundary=x")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def nonsense() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Nonsense)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/text", "not DICOM"),
        ("/password", "user or password"),
        ("/missing", "no such study"),
        ("/busy", "status 503"),
    ],
)
def test_archives_that_cannot_be_used_are_named_in_a_sentence(
    nonsense: str, path: str, sentence: str, capsys
) -> None:
    assert main(["study", "--dicomweb", nonsense + path, "--study", "1.2.3"]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ") and sentence in errors and len(errors.splitlines()) == 1
    assert "1.2.3" not in errors
    with pytest.raises(ArchiveError):
        Archive(nonsense + path).files("1.2.3", "1.2.4")
    with pytest.raises(ArchiveError):
        Archive(nonsense + path).store([dcmread(io.BytesIO(series(Drawn(slices=1))[0][1]))])


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/dicom-web", "pacs.example", "ftp://pacs.example", ""])
def test_addresses_without_an_archive(url: str) -> None:
    with pytest.raises(ArchiveError, match="address"):
        Archive(url).studies(StudyQuery())


@pytest.mark.parametrize("uid", ["../../patients", "1.2.x", "", "1." * 40, "1..2"])
def test_uids_that_are_none_never_reach_the_archive(uid: str, capsys) -> None:
    assert main(["study", "--dicomweb", "http://127.0.0.1:9", "--study", uid]) == 2
    assert "no UID of a study" in capsys.readouterr().err
