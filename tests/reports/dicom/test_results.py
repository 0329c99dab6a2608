"""DICOM results of drawn series of several planes, spacings and vendors: valid, in the study, on the source's grid."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage

from tests.support import mr_series
from tests.support.mr_series import Drawn
from utils.evidence.regions import overlap
from utils.reports.dicom.errors import NotReportable
from utils.reports.dicom.kinds import KINDS
from utils.reports.dicom.quiet import quiet
from utils.reports.dicom.results import dicom_results, kind_of
from utils.reports.dicom.series import ReadSeries
from utils.scans import places

NOON = datetime(2026, 1, 2, 12)
SERIES = {
    "axial": Drawn(),
    "sagittal": Drawn(mr_series.SAGITTAL, vendor="GE MEDICAL SYSTEMS", spacing=(0.9, 0.9)),
    "coronal": Drawn(mr_series.CORONAL, vendor="Philips Medical Systems"),
    "oblique, not square": Drawn(mr_series.OBLIQUE, spacing=(1.2, 0.8), vendor="TOSHIBA"),
    "rows and columns exchanged": Drawn(mr_series.TURNED, spacing=(1.2, 0.8), shape=(90, 110)),
    "single image": Drawn(slices=1),
}


def stored(made: Dataset) -> Dataset:
    """The object as a reader gets it from a file."""
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return pydicom.dcmread(buffer)


def by_modality(made: list[Dataset]) -> dict[str, Dataset]:
    return {ds.Modality: ds for ds in made}


@pytest.mark.parametrize("drawn", SERIES.values(), ids=SERIES)
def test_objects_are_valid(drawn: Drawn, read, errors_of: Callable[[Dataset], list[str]]) -> None:
    made = dicom_results(read(mr_series.series(drawn)), [*KINDS])
    assert [kind_of(ds) for ds in made] == [*KINDS]
    for ds in made:
        assert errors_of(ds) == [], kind_of(ds)


def test_same_uids_for_the_same_source_and_networks(read) -> None:
    files = mr_series.series(Drawn())
    series = read(files)
    first = [ds.SOPInstanceUID for ds in dicom_results(series, created=NOON)]
    assert first == [ds.SOPInstanceUID for ds in dicom_results(read(files[::-1]))]
    assert not {*first} & {ds.SOPInstanceUID for ds in dicom_results(read(files[:-1]))}
    other = replace(series, segmenter=series.segmenter.model_copy(update={"weights_sha256": "6" * 64}))
    assert not {*first} & {ds.SOPInstanceUID for ds in dicom_results(other)}
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in first)


@pytest.mark.parametrize("drawn", SERIES.values(), ids=SERIES)
def test_outline_comes_back_bit_for_bit(drawn: Drawn, read) -> None:
    """What highdicom reads, turned upright as the scan was, is the outline; on the source it covers the bright spot."""
    files = mr_series.series(drawn)
    series: ReadSeries = read(files)
    seg = highdicom.seg.Segmentation.from_dataset(stored(dicom_results(series, ["seg"])[0]))
    sources = [series.sources[entry.scan.sha256] for entry in series.scans if entry.scan]
    uids = [str(source.SOPInstanceUID) for source in sources]
    back = seg.get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)[..., 0]
    headers = [pydicom.dcmread(io.BytesIO(data)) for _, data in files]
    numbers = {header.SOPInstanceUID: header.InstanceNumber - 1 for header in headers}
    spots = 0
    for entry, source, outline, mask in zip(series.scans, sources, series.outlines, back, strict=True):
        assert mask.shape == drawn.shape
        upright = places.turned(mask, entry.scan.grid.turn) > 0  # type: ignore[union-attr]
        if drawn.spacing[0] == drawn.spacing[1]:
            np.testing.assert_array_equal(upright, outline.mask)
        spot = mr_series.pixels(drawn, numbers[source.SOPInstanceUID]) > 890
        assert overlap(spot, mask > 0) > 0.8 or not (spot.any() or mask.any())
        spots += bool(mask.any())
    assert spots == min(3, drawn.slices)


def test_outline_of_an_enhanced_file_refers_to_its_frames(read, errors_of) -> None:
    drawn = Drawn(mr_series.SAGITTAL, slices=5)
    series = read(mr_series.enhanced(drawn))
    made = by_modality(dicom_results(series))
    assert errors_of(made["SEG"]) == errors_of(made["SR"]) == []
    (source,) = series.sources.values()
    seg = highdicom.seg.Segmentation.from_dataset(stored(made["SEG"]))
    back = seg.get_pixels_by_source_frame(
        source.SOPInstanceUID, range(1, 6), assert_missing_frames_are_empty=True
    )
    for entry, outline in zip(series.scans, series.outlines, strict=True):
        upright = places.turned(back[entry.scan.grid.frame, ..., 0], entry.scan.grid.turn)
        np.testing.assert_array_equal(upright > 0, outline.mask)
    references = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert [item.ReferencedSOPInstanceUID for item in references] == [source.SOPInstanceUID]


def test_objects_lie_in_the_study_with_its_patient_and_nothing_else(read) -> None:
    files = mr_series.series(Drawn())
    source = pydicom.dcmread(io.BytesIO(files[0][1]))
    made = dicom_results(read(files), [*KINDS])
    for ds in made:
        for keyword in (
            "PatientName",
            "PatientID",
            "PatientBirthDate",
            "PatientSex",
            "StudyInstanceUID",
            "StudyDate",
        ):
            assert str(ds[keyword].value) == str(source[keyword].value)
        assert ds.SeriesInstanceUID != source.SeriesInstanceUID
        assert source.InstitutionName not in str(ds)
        assert "esearch and education only" in ds.SeriesDescription
    assert len({ds.SeriesInstanceUID for ds in made}) == len(made)


def test_no_segmentation_without_lesion(read, errors_of) -> None:
    series = read(mr_series.series(Drawn()))
    empty = [replace(outline, mask=np.zeros_like(outline.mask), area=0) for outline in series.outlines]
    made = dicom_results(replace(series, outlines=tuple(empty)))
    assert [ds.Modality for ds in made] == ["SR"]
    assert errors_of(made[0]) == []


def test_what_cannot_be_reported_is_refused_in_one_sentence(read, png_bytes) -> None:
    series = read(mr_series.series(Drawn()))
    refused = replace(
        series.entry, readings=tuple(replace(each, grade="refused") for each in series.entry.readings)
    )
    with pytest.raises(NotReportable, match="brain MRI"):
        dicom_results(replace(series, entry=replace(refused, slices=())))
    changes: tuple[dict[str, Any], ...] = (
        {"Modality": "CT", "SOPClassUID": CTImageStorage},
        {"FrameOfReferenceUID": ""},
        {"PixelSpacing": []},
        {"PixelSpacing": [1e300, 1]},
        {"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]},
        {"ImagePositionPatient": [0, 0, 1e300]},
    )
    for change in changes:
        changed = {key: copy.deepcopy(source) for key, source in series.sources.items()}
        for source in changed.values():
            for keyword, value in change.items():
                setattr(source, keyword, value)
        with pytest.raises(NotReportable):
            dicom_results(replace(series, sources=changed))
    with pytest.raises(NotReportable, match="MR images"):
        dicom_results(read([("scan.png", png_bytes(1))]))


def test_damaged_identifiers_are_left_empty(read, errors_of, caplog, recwarn) -> None:
    """Values that break the rules of their type do not get into an object, nor stop it."""
    series = read(mr_series.series(Drawn(slices=2)))
    series = replace(series, sources={key: copy.deepcopy(source) for key, source in series.sources.items()})
    for source in series.sources.values():
        source.PatientSex, source.StudyDate, source.StudyTime = "FEMALE", "2004.01.19", "9:12"
        del source.PatientBirthDate, source.AccessionNumber
    for ds in dicom_results(series):
        assert errors_of(ds) == []
        assert (ds.PatientSex, ds.StudyDate, ds.PatientBirthDate) == ("", "", "") or not ds.PatientSex
        assert ds.PatientName == mr_series.PATIENT
    assert "FEMALE" not in caplog.text and not any("FEMALE" in str(each.message) for each in recwarn)


def test_names_that_break_the_rules_are_copied_without_being_logged(read, caplog, recwarn) -> None:
    """The archive files by them, whatever they are."""
    series = read(mr_series.series(Drawn(slices=2)))
    series = replace(series, sources={key: copy.deepcopy(source) for key, source in series.sources.items()})
    long = "Secret" * 20
    with quiet():
        for source in series.sources.values():
            source.PatientName = source.PatientID = source.AccessionNumber = long
    for ds in dicom_results(series):
        assert ds.PatientName == ds.PatientID == long
    assert "Secret" not in caplog.text and not any("Secret" in str(each.message) for each in recwarn)
