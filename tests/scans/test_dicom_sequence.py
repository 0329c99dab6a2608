"""The sequence of an MR image from its DICOM header."""

from __future__ import annotations

import io

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.support import mr_series
from utils.scans.dicom_sequence import sequence_of_frame
from utils.scans.places import plane_of
from utils.scans.scan import Stack
from utils.scans.upload import read_stacks


def header(**attributes: object) -> Dataset:
    ds = Dataset()
    ds.Modality = "MR"
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    ("description", "sequence"),
    [
        ("AX T1", "T1"),
        ("t1_se_tra", "T1"),
        ("T1W 3D TFE", "T1"),
        ("Sag MPRAGE", "T1"),
        ("AX T1 FLAIR", "T1"),
        ("AX T1 PRE CONTRAST", "T1"),
        ("t1_tse_tra ohne KM", "T1"),
        ("T1 non-contrast", "T1"),
        ("T1 POST OP", "T1"),
        ("Ax T1 +C", "T1C+"),
        ("T1+C SAG", "T1C+"),
        ("AX T1 C+", "T1C+"),
        ("T1 POST GAD", "T1C+"),
        ("t1_mpr_ns_sag_km", "T1C+"),
        ("T1Gd", "T1C+"),
        ("T1CE", "T1C+"),
        ("SAG BRAVO POST", "T1C+"),
        ("T1 pre and post contrast", ""),
        ("AX T2", "T2"),
        ("T2W_TSE post Gd", "T2"),
        ("AX T2 FLAIR", "FLAIR"),
        ("t2_tirm_tra_dark-fluid", "FLAIR"),
        ("FLAIR +C", "FLAIR"),
        ("ep2d_diff_3scan_trace", "other"),
        ("AX T2*", "other"),
        ("SWI_Images", "other"),
        ("Ax PD", "other"),
        ("3D TOF", "other"),
        ("T1/T2 report", ""),
        ("Axial brain", ""),
        ("", ""),
    ],
)
def test_words_of_the_description(description: str, sequence: str) -> None:
    assert sequence_of_frame(header(SeriesDescription=description), 0) == sequence


@pytest.mark.parametrize(
    ("attributes", "sequence"),
    [
        ({"EchoTime": 12, "RepetitionTime": 500}, "T1"),
        ({"EchoTime": 12, "RepetitionTime": 500, "ContrastBolusAgent": "Gadovist"}, "T1C+"),
        ({"EchoTime": 12, "RepetitionTime": 500, "ContrastBolusAgent": "NONE"}, "T1"),
        (
            {"EchoTime": 2.9, "RepetitionTime": 2300, "InversionTime": 900, "ScanningSequence": ["GR", "IR"]},
            "T1",
        ),
        ({"EchoTime": 95, "RepetitionTime": 4500}, "T2"),
        ({"EchoTime": 95, "RepetitionTime": 4500, "ContrastBolusAgent": "Gadovist"}, "T2"),
        (
            {
                "EchoTime": 110,
                "RepetitionTime": 9000,
                "InversionTime": 2500,
                "ScanningSequence": ["SE", "IR"],
            },
            "FLAIR",
        ),
        ({"EchoTime": 20, "RepetitionTime": 3000}, "other"),
        ({"EchoTime": 4, "RepetitionTime": 20, "ScanningSequence": "GR"}, ""),
        ({}, ""),
    ],
)
def test_times_of_the_measurement(attributes: dict[str, object], sequence: str) -> None:
    assert sequence_of_frame(header(**({"ScanningSequence": "SE"} | attributes)), 0) == sequence


def test_the_series_counts_before_the_protocol_of_the_examination() -> None:
    ds = header(
        SeriesDescription="AX T2 FLAIR",
        ProtocolName="BRAIN T1 T2 W/WO CONTRAST",
        EchoTime=100,
        RepetitionTime=4000,
    )
    assert sequence_of_frame(ds, 0) == "FLAIR"
    assert sequence_of_frame(header(SeriesDescription="Axial", ProtocolName="t1_tra_gd"), 0) == "T1"


def test_agent_makes_no_contrast_of_a_series_from_before_it() -> None:
    assert sequence_of_frame(header(SeriesDescription="T1 pre", ContrastBolusAgent="Dotarem"), 0) == "T1"


def test_scanner_states_the_contrast_of_a_frame() -> None:
    kind = Dataset()
    kind.AcquisitionContrast = "FLUID_ATTENUATED"
    shared = Dataset()
    shared.MRImageFrameTypeSequence = Items([kind])
    ds = header(SeriesDescription="T1")
    ds.SharedFunctionalGroupsSequence = Items([shared])
    assert sequence_of_frame(ds, 0) == "FLAIR"


def test_other_modalities_have_no_sequence() -> None:
    assert sequence_of_frame(header(Modality="CT", SeriesDescription="T1"), 0) == ""


@pytest.mark.parametrize(
    ("orientation", "plane"),
    [(mr_series.AXIAL, "axial"), (mr_series.SAGITTAL, "sagittal"), (mr_series.CORONAL, "coronal")],
)
def test_scans_of_a_series_know_sequence_and_plane(orientation: tuple[float, ...], plane: str) -> None:
    files = []
    for name, data in mr_series.series(mr_series.Drawn(orientation)):
        ds = dcmread(io.BytesIO(data))
        ds.SeriesDescription = "FLAIR of Drawn^Patient"
        buffer = io.BytesIO()
        ds.save_as(buffer)
        files.append((name, buffer.getvalue()))
    [stack] = read_stacks(files)
    assert isinstance(stack, Stack)
    assert {(scan.sequence, plane_of(scan.orientation)) for scan in stack.scans} == {("FLAIR", plane)}
