"""What each kind of object says, read back with pydicom and highdicom's own readers."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import highdicom
import numpy as np
import pydicom
import pypdf
import pytest
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard

from tests.support import mr_series
from tests.support.mr_series import Drawn
from tests.support.stacks import FUSION
from utils.classes import SEQUENCES
from utils.reading.conclusion import Referral
from utils.reading.joint import JointReading
from utils.reading.sequences import Recognition
from utils.reading.worklist import Entry, view_slice
from utils.reports.dicom import codes
from utils.reports.dicom.kinds import KINDS
from utils.reports.dicom.request import SENTENCE
from utils.reports.dicom.results import dicom_results, file_of, kind_of
from utils.reports.dicom.series import ReadSeries
from utils.scans.source_grid import to_source

DRAWN = Drawn(mr_series.SAGITTAL, spacing=(0.8, 0.8), distance=4.0)


def stored(series: ReadSeries, *kinds: str) -> dict[str, Dataset]:
    """The objects as a reader gets them from their files, by kind."""
    made = dicom_results(series, kinds)
    return {str(kind_of(ds)): pydicom.dcmread(io.BytesIO(file_of(ds))) for ds in made}


def relabelled(entry: Entry, labels: tuple[str, str], probability: float = 0.8) -> Entry:
    """The entry with other labels on all slices; a probability below 0.5 is low confidence."""

    def change(part: Entry) -> Entry:
        readings = []
        for reading, label in zip(part.readings, labels, strict=True):
            probabilities = np.full(4, (1 - probability) / 3, np.float32)
            probabilities[reading.classes.index(label)] = probability
            flags = ("unsure",) if probability < 0.5 else ()
            readings.append(replace(reading, label=label, probabilities=probabilities, flags=flags))
        return replace(part, readings=tuple(readings), joint=None)

    return replace(change(entry), slices=tuple(map(change, entry.slices)))


def recognition(sequence: str) -> Recognition:
    """That sequence with 90 %."""
    shares = np.where(np.asarray(SEQUENCES) == sequence, 0.9, 0.1 / (len(SEQUENCES) - 1))
    return Recognition(shares, np.asarray([1.0, 0, 0]), 0.5, 0.5)


@pytest.fixture
def series(read: Callable[..., ReadSeries]) -> ReadSeries:
    series = read(mr_series.series(DRAWN))
    return replace(series, entry=relabelled(series.entry, ("glioma", "glioma")))


def groups_of(report: Dataset) -> dict[str, Any]:
    """The measurement groups by their tracking identifier."""
    content: Any = highdicom.sr.Comprehensive3DSR.from_dataset(report).content
    groups = [
        *content.get_image_measurement_groups(),
        *content.get_planar_roi_measurement_groups(),
        *content.get_volumetric_roi_measurement_groups(),
    ]
    return {group.tracking_identifier: group for group in groups}


def texts_of(item: Any) -> list[str]:
    """All texts in a content tree."""
    texts = [str(item.TextValue)] if "TextValue" in item else []
    return texts + [text for child in item.get("ContentSequence", []) for text in texts_of(child)]


def test_report_names_class_probability_network_and_key_image(series) -> None:
    report = stored(series, "sr")["sr"]
    groups = groups_of(report)
    reading = series.key.readings[0]
    group = groups[reading.title]
    assert group.finding_type == codes.CLASSES["glioma"]
    (certainty,) = group.get_measurements(codes.CERTAINTY)
    assert (certainty.value, certainty.unit) == (80.0, standard.UCUM.Percent)
    assert {reading.network, reading.version} <= {*texts_of(group[0])}
    (image,) = group.source_images
    assert image.referenced_sop_instance_uid == series.sources[series.key.scan.sha256].SOPInstanceUID
    assert groups["Conclusion"].finding_type == codes.CLASSES["glioma"]
    assert SENTENCE in texts_of(report)
    assert report.CompletionFlag == "COMPLETE" and report.VerificationFlag == "UNVERIFIED"


@pytest.mark.parametrize(
    ("labels", "probability"), [(("glioma", "meningioma"), 0.8), (("pituitary", "pituitary"), 0.4)]
)
def test_discordant_and_uncertain_readings_are_indeterminate(labels, probability, series) -> None:
    entry = relabelled(series.entry, labels, probability)
    groups = groups_of(stored(replace(series, entry=entry), "sr")["sr"])
    assert groups["Conclusion"].finding_type == codes.INDETERMINATE
    assert groups[entry.readings[1].title].finding_type == codes.CLASSES[labels[1]]
    assert any("ndeterminate" in text for text in texts_of(groups["Conclusion"][0]))


def test_no_tumour_says_what_was_not_looked_for(series) -> None:
    entry = relabelled(series.entry, ("no_tumor", "no_tumor"))
    conclusion = groups_of(stored(replace(series, entry=entry), "sr")["sr"])["Conclusion"]
    assert conclusion.finding_type == codes.CLASSES["no_tumor"]
    assert any("other abnormalities are not looked for" in text for text in texts_of(conclusion[0]))


def test_conclusion_of_a_stack_has_the_patients_answer_and_the_volume(series, monkeypatch) -> None:
    monkeypatch.setattr("utils.reports.dicom.sr.load_study_fusion", lambda: FUSION)
    joint = JointReading(np.asarray([0.7, 0.15, 0.1, 0.05]))
    slices = tuple(replace(part, joint=joint) for part in series.entry.slices)
    entry = replace(series.entry, joint=joint, slices=slices)
    conclusion = groups_of(stored(replace(series, entry=entry), "sr")["sr"])["Conclusion"]
    words = " ".join(texts_of(conclusion[0]))
    assert "Tumour likely (90 %), favours glioma. Patient-level answer from" in words
    assert "Outlined volume" in words and "ml on" in words


def test_sequence_and_plane_are_those_of_the_whole_stack(series) -> None:
    """The file defines both, or the slices show them together: the last is of T2, all together of FLAIR."""
    words = " ".join(texts_of(groups_of(stored(series, "sr")["sr"])["Conclusion"][0]))
    assert "Sequence and plane: T1, sagittal (from the file)." in words
    recognised = [recognition(sequence) for sequence in ("FLAIR", "FLAIR", "FLAIR", "T2")]
    slices = tuple(
        replace(
            part,
            scan=replace(part.scan, sequence=""),
            segmentation=replace(part.segmentation, recognition=shown),
        )
        for part, shown in zip(series.entry.slices, recognised, strict=True)
    )
    entry = view_slice(replace(series.entry, slices=slices), 0)
    made = stored(replace(series, entry=entry), "sr", "pdf")
    words = " ".join(texts_of(groups_of(made["sr"])["Conclusion"][0]))
    assert "FLAIR (recognised from the image), sagittal (from the file)." in words


def test_site_profile_is_named_in_every_kind_with_an_answer(series) -> None:
    referral = Referral(site_profile="Klinik Süd, version 2026-11-26 17:00 UTC")
    made = stored(replace(series, referral=referral), "sr", "capture", "pdf")
    named = "Site profile: Klinik Süd, version 2026-11-26 17:00 UTC."
    assert named in " ".join(texts_of(groups_of(made["sr"])["Conclusion"][0]))
    assert named in made["capture"].DerivationDescription
    pages = pypdf.PdfReader(io.BytesIO(made["pdf"].EncapsulatedDocument)).pages
    assert named in " ".join(" ".join(page.extract_text() for page in pages).split())
    without = stored(series, "sr", "capture", "pdf")
    for kind, ds in without.items():
        assert ds.SOPInstanceUID != made[kind].SOPInstanceUID, "another object"
    assert (without["capture"].pixel_array[-22:] != made["capture"].pixel_array[-22:]).any(), (
        "in the last line"
    )


def test_measurements_are_those_of_the_outline(series) -> None:
    made = stored(series, "seg", "sr")
    groups = groups_of(made["sr"])
    areas = [outline.area_mm2 for outline in series.outlines]
    planar, volumetric = groups["Largest outline"], groups["Outline"]
    (area,) = planar.get_measurements(standard.SCT.Area)
    (diameter,) = planar.get_measurements(codes.DIAMETER)
    (volume,) = volumetric.get_measurements(standard.SCT.Volume)
    largest = int(np.argmax(areas))
    assert area.value == pytest.approx(areas[largest], rel=1e-5)
    assert diameter.value == pytest.approx(series.outlines[largest].diameter_mm, rel=1e-5)
    assert volume.value == pytest.approx(sum(areas) * DRAWN.distance, rel=1e-5)
    frame = planar.referenced_segmentation_frame
    seg = highdicom.seg.Segmentation.from_dataset(made["seg"])
    assert frame.referenced_sop_instance_uid == seg.SOPInstanceUID
    (number,) = frame.referenced_frame_numbers
    assert int(seg.get_stored_frame(number).sum()) == series.outlines[largest].area
    assert volumetric.referenced_segment.referenced_sop_instance_uid == seg.SOPInstanceUID


def test_report_without_segmentation_is_another_object(series) -> None:
    alone, both = stored(series, "sr")["sr"], stored(series, "seg", "sr")["sr"]
    assert alone.SOPInstanceUID != both.SOPInstanceUID
    assert not groups_of(alone).keys() & {"Outline", "Largest outline"}


def test_segmentation_names_its_network_and_the_series(series) -> None:
    seg = stored(series, "seg")["seg"]
    (segment,) = seg.SegmentSequence
    (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("unet", "5" * 64)
    source = next(iter(series.sources.values()))
    (reference,) = seg.ReferencedSeriesSequence
    assert reference.SeriesInstanceUID == source.SeriesInstanceUID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID


def test_map_comes_back_on_the_grid_of_the_source(series) -> None:
    image = highdicom.Image.from_dataset(stored(series, "map")["map"])
    frames = image.get_frames(apply_real_world_transform=False).astype(np.float32)
    label = series.key.readings[0].shown_class
    expected = [
        to_source(entry.readings[number].strength(label, 1.0), entry.scan.grid)  # type: ignore
        for number in range(2)
        for entry in in_file_order(series, image)
    ]
    np.testing.assert_array_equal(frames, np.stack(expected))
    assert image.ContentQualification == "RESEARCH"


def in_file_order(series: ReadSeries, image: highdicom.Image) -> list[Entry]:
    """The slices in the order of the frames of the first network, by the images that these refer to."""
    by_uid = {
        str(series.sources[entry.scan.sha256].SOPInstanceUID): entry for entry in series.scans if entry.scan
    }
    count = len(series.scans)
    return [
        by_uid[group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID]
        for group in list(image.PerFrameFunctionalGroupsSequence)[:count]
    ]


def test_capture_shows_the_key_image_in_colour(series) -> None:
    capture = stored(series, "capture")["capture"]
    pixels = capture.pixel_array
    height, width = DRAWN.shape
    assert pixels.shape[1] >= 3 * width and pixels.shape[0] > height
    is_coloured = (pixels[..., 0] != pixels[..., 2]).any(axis=0)
    pane = pixels.shape[1] // 3
    assert is_coloured[pane:].any() and not is_coloured[:pane].any()  # the original image comes first
    assert capture.PatientOrientation == ["P", "F"] and capture.BurnedInAnnotation == "NO"
    (reference,) = capture.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == series.sources[series.key.scan.sha256].SOPInstanceUID


def test_pdf_is_the_report_without_identity(series) -> None:
    made = stored(series, "pdf")["pdf"]
    document = made.EncapsulatedDocument[: made.EncapsulatedDocumentLength]
    assert document.startswith(b"%PDF-") and document.rstrip().endswith(b"%%EOF")
    assert b"Drawn" not in document and made.MIMETypeOfEncapsulatedDocument == "application/pdf"


def test_burned_in_text_of_the_source_is_passed_on(series) -> None:
    sources = {key: copy.deepcopy(source) for key, source in series.sources.items()}
    for source in sources.values():
        source.BurnedInAnnotation = "YES"
    made = stored(replace(series, sources=sources), "capture", "pdf")
    assert made["capture"].BurnedInAnnotation == made["pdf"].BurnedInAnnotation == "YES"


def test_kinds_have_series_of_their_own(series) -> None:
    made = dicom_results(series, [*KINDS])
    assert [ds.SeriesNumber for ds in made] == [kind.series for kind in KINDS.values()]
    assert len({ds.SeriesInstanceUID for ds in made}) == len(KINDS)
    assert kind_of(Dataset()) is None
