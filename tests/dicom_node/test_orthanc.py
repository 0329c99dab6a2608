"""The whole way with a real PACS: Orthanc forwards a study, the node reads it, the results arrive in the same study."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.support.dciodvfy import errors_in
from tests.support.dicom_peers import SCANNER, NodeProcess, running
from tests.support.mr_series import CORONAL, SAGITTAL, Drawn, series
from tests.support.orthanc import AET, Orthanc, missing
from tests.support.processes import free_port
from utils.reports.dicom.kinds import KINDS
from utils.reports.dicom.made import kind_of

MODALITY = "brainmri"
PATIENT_WORDS = ("Drawn", "D-1", "A-1", "19700101")


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Orthanc, int]]:
    """Orthanc, and the port at which it expects the node."""
    reason = missing()
    if reason:
        pytest.skip(reason)
    port = free_port()
    server = Orthanc(tmp_path_factory.mktemp("pacs"), {MODALITY: ("BRAINMRI", port)})
    server.start()
    yield server, port
    server.kill()


@pytest.fixture(scope="module")
def node(
    pacs: tuple[Orthanc, int], dicom_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[NodeProcess]:
    """The node with small networks."""
    server, port = pacs
    destination = f"{AET}@127.0.0.1:{server.port}"
    spool = tmp_path_factory.mktemp("node") / "spool"
    node = NodeProcess(
        spool,
        destination,
        quiet=1,
        options=["--allow", AET, SCANNER, "--kinds", *KINDS],
        program=["model.py", "node"],
        port=port,
        environment={"BRAIN_MRI_MODELS": str(dicom_models)},
    )
    with running(node):
        yield node


def test_study_goes_to_the_node_and_its_results_come_back(
    pacs: tuple[Orthanc, int], node: NodeProcess
) -> None:
    server, _ = pacs
    study = server.put([data for _, data in series(Drawn(orientation=SAGITTAL))])
    server.post(f"/modalities/{MODALITY}/store", study.encode())
    (report,) = map(dcmread, map(io.BytesIO, server.wait_for(study, "SR")))
    (mask,) = map(dcmread, map(io.BytesIO, server.wait_for(study, "SEG")))
    source = dcmread(io.BytesIO(server.instances(study, "MR")[0]))
    others = [*server.wait_for(study, "DOC"), *server.wait_for(study, "OT", 2)]  # PDF; capture and map
    kinds = [kind_of(dcmread(io.BytesIO(data))) for data in others]
    assert kinds[0] == "pdf" and {*kinds[1:]} == {"capture", "map"}
    for result in (report, mask):
        assert result.StudyInstanceUID == source.StudyInstanceUID
        assert result.PatientName == source.PatientName
        assert result.SeriesInstanceUID != source.SeriesInstanceUID
    assert mask.ReferencedSeriesSequence[0].SeriesInstanceUID == source.SeriesInstanceUID
    node.wait_for_event("results sent")
    log = node.log.read_text()
    for word in (*PATIENT_WORDS, str(source.StudyInstanceUID), str(mask.SOPInstanceUID)):
        assert word not in log


def test_results_in_the_pacs_are_valid(pacs: tuple[Orthanc, int], node: NodeProcess) -> None:
    server, _ = pacs
    study = server.put([data for _, data in series(Drawn(orientation=CORONAL, seed=30))])
    server.post(f"/modalities/{MODALITY}/store", study.encode())
    for modality, count in {"SEG": 1, "SR": 1, "DOC": 1, "OT": 2}.items():
        for data in server.wait_for(study, modality, count):
            assert errors_in(data) == []


def test_results_reach_a_pacs_that_was_killed_before_they_came(
    pacs: tuple[Orthanc, int], node: NodeProcess
) -> None:
    server, _ = pacs
    study = server.put([data for _, data in series(Drawn(seed=50))])
    server.post(f"/modalities/{MODALITY}/store", study.encode())
    server.kill()
    server.start()
    assert len(server.wait_for(study, "SR")) == 1


def test_series_without_a_brain_gives_a_line_in_the_log_and_no_results(
    pacs: tuple[Orthanc, int], node: NodeProcess
) -> None:
    server, _ = pacs
    (_, data), *_ = series(Drawn(slices=1, seed=90))
    image = dcmread(io.BytesIO(data))
    image.PixelData = bytes(len(image.PixelData))
    blank = io.BytesIO()
    image.save_as(blank)
    study = server.put([blank.getvalue()])
    before = len(node.lines())
    server.post(f"/modalities/{MODALITY}/store", study.encode())
    node.wait_for_event("series rejected", before)
    (line,) = [line for line in node.lines()[before:] if line["event"] == "series rejected"]
    assert "blank" in line["reasons"][0]
    assert server.instances(study, "SR") == []
