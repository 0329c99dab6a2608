"""Comprehensive 3D SR by TID 1500: the class of each network with its probability, and the size of the outline."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import highdicom.sr as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from utils.evidence.outlines import largest_part, longest_diameter
from utils.networks.shipped import evidence_scale
from utils.reading.conclusion import conclude
from utils.reading.volumes import SUSPICIOUS
from utils.reading.worklist import tumor_probabilities
from utils.reports import words
from utils.reports.dicom import codes, identity
from utils.reports.dicom.frames import Frame, Frames
from utils.reports.dicom.seg import masks
from utils.reports.dicom.series import ReadSeries
from utils.reports.reported import ReportedScan, Settings

TITLE = "Report"
NO_TUMOR = "No glioma, meningioma or pituitary tumour is predicted; other abnormalities are not looked for."


def build(series: ReadSeries, frames: Frames, created: datetime, segmentation: Dataset | None) -> Dataset:
    """`segmentation`: the object of `seg` that the measurements refer to; None where there is none."""
    key = next(frame for frame in frames.frames if frame.entry.scan is series.key.scan)
    groups: list[hd.ContentSequence] = [_conclusion(series, frames, key), *_readings(series, frames, key)]
    if segmentation is not None:
        groups += _outlines(series, frames, segmentation)
    report = hd.MeasurementReport(
        observation_context=hd.ObservationContext(observer_device_context=_observer(series)),
        procedure_reported=Code("24590-2", "LN", "MR Brain"),
        imaging_measurements=groups,
    )
    report[0].ContentSequence.append(_comment(identity.SENTENCE))
    return hd.Comprehensive3DSR(
        evidence=[*frames.instances, *([segmentation] if segmentation is not None else [])],
        content=report,
        is_complete=True,
        **identity.header(series, frames, "sr", TITLE, created),
    )


def _observer(series: ReadSeries) -> hd.ObserverContext:
    facts = hd.DeviceObserverIdentifyingAttributes(
        uid=identity.uid_of("\n".join(identity.versions(series))),
        name=identity.NAME,
        manufacturer_name=identity.NAME,
        model_name=", ".join(identity.versions(series)),
    )
    return hd.ObserverContext(standard.DCM.Device, facts)


def _conclusion(series: ReadSeries, frames: Frames, key: Frame) -> hd.MeasurementsAndQualitativeEvaluations:
    """What all networks amount to: a class, or indeterminate."""
    entry = series.key
    conclusion = conclude(entry, series.referral)
    finding = codes.INDETERMINATE if conclusion.is_indeterminate else codes.CLASSES[entry.readings[0].label]
    measurements = []
    if entry.is_concordant:
        mean = _number(codes.CERTAINTY, 100 * entry.confidence, codes.PERCENT, derivation=standard.SCT.Mean)
        measurements = [mean]
    group = hd.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(series, frames, "Conclusion"),
        finding_type=finding,
        finding_sites=[hd.FindingSite(codes.BRAIN)],
        measurements=measurements,
        source_images=[_image(key)],
    )
    reported = ReportedScan("Scan", entry, Settings(evidence_scale()), referral=series.referral)
    headline, remarks = words.verdict(reported)
    sentences = [f"{headline}.", *remarks]
    if not conclusion.is_indeterminate and entry.readings[0].label == "no_tumor":
        sentences.append(NO_TUMOR)
    if series.entry.slices:
        suspicion = tumor_probabilities(series.entry)
        read, suspicious = int(np.sum(~np.isnan(suspicion))), int(np.sum(suspicion >= SUSPICIOUS))
        sentences.append(
            f"Suspicious slices: {suspicious} of {read}. This is the most suspicious one; each is analysed alone."
        )
    group[0].ContentSequence.append(_comment(" ".join(sentences)))
    return group


def _readings(
    series: ReadSeries, frames: Frames, key: Frame
) -> list[hd.MeasurementsAndQualitativeEvaluations]:
    """The class of each network on the key image, with its calibrated probability."""
    return [
        hd.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking(series, frames, reading.title),
            finding_type=codes.CLASSES[reading.label],
            algorithm_id=hd.AlgorithmIdentification(reading.network, reading.version),
            finding_sites=[hd.FindingSite(codes.BRAIN)],
            measurements=[_number(codes.CERTAINTY, 100 * reading.confidence, codes.PERCENT)],
            source_images=[_image(key)],
        )
        for reading in series.key.readings
    ]


def _outlines(series: ReadSeries, frames: Frames, segmentation: Dataset) -> list[hd.ContentSequence]:
    """Area and longest diameter on the slice with the largest outline; of a stack also the volume."""
    assert series.segmenter is not None
    outlined = masks(series, frames)
    facts: dict[str, Any] = {
        "finding_type": codes.NEOPLASM,
        "algorithm_id": hd.AlgorithmIdentification(series.segmenter.name, series.segmenter.version),
        "finding_sites": [hd.FindingSite(codes.BRAIN)],
    }
    areas = outlined.sum(axis=(1, 2))
    largest = int(areas.argmax())
    frame = frames.frames[largest]
    pixel = frame.spacing[0] * frame.spacing[1]
    diameter = longest_diameter(largest_part(outlined[largest]), frame.spacing)
    planar = hd.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(series, frames, "Largest outline"),
        referenced_segment=hd.ReferencedSegmentationFrame(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            frame_number=1 + _order(frames, areas).index(largest),
            segment_number=1,
            source_image=hd.SourceImageForSegmentation(*_reference(frame)),
        ),
        measurements=[
            _number(standard.SCT.Area, areas[largest] * pixel, standard.UCUM.SquareMillimeter),
            _number(codes.DIAMETER, diameter, standard.UCUM.Millimeter),
        ],
        **facts,
    )
    for item in planar[0].ContentSequence:  # the standard allows a frame or a segment, highdicom writes both
        if item.name == standard.DCM.ReferencedSegmentationFrame:
            del item.ReferencedSOPSequence[0].ReferencedSegmentNumber
    if frames.distance is None:
        return [planar]
    volumetric = hd.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(series, frames, "Outline"),
        referenced_segment=hd.ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            segment_number=1,
            source_series=hd.SourceSeriesForSegmentation(frame.image.SeriesInstanceUID),
        ),
        measurements=[
            _number(standard.SCT.Volume, areas.sum() * pixel * frames.distance, standard.UCUM.CubicMillimeter)
        ],
        **facts,
    )
    return [planar, volumetric]


def _order(frames: Frames, areas: np.ndarray) -> list[int]:
    """The positions in the series of the frames of the segmentation: those with an outline, along the normal."""
    return [int(position) for position in np.argsort(frames.places) if areas[position]]


def _number(name: Code, value: float, unit: Code, derivation: Code | None = None) -> hd.Measurement:
    return hd.Measurement(name, float(f"{value:.6g}"), unit, derivation=derivation)


def _tracking(series: ReadSeries, frames: Frames, title: str) -> hd.TrackingIdentifier:
    return hd.TrackingIdentifier(identity.uid(series, frames, "sr", title), title)


def _image(frame: Frame) -> hd.SourceImageForMeasurementGroup:
    return hd.SourceImageForMeasurementGroup(*_reference(frame))


def _reference(frame: Frame) -> tuple[str, str, Sequence[int] | None]:
    return frame.sop_class, frame.sop_instance, None if frame.number is None else [frame.number]


def _comment(text: str) -> hd.TextContentItem:
    return hd.TextContentItem(
        standard.DCM.Comment, text, relationship_type=hd.RelationshipTypeValues.CONTAINS
    )
