"""Comprehensive 3D SR by TID 1500: the class of each network with its probability, and the size of the outline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highdicom.sr as hd
import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as standard
from pydicom.sr.coding import Code

from utils.evidence.outlines import largest_part, longest_diameter
from utils.reading.conclusion import conclude
from utils.reading.study import load_study_fusion
from utils.reading.study_conclusion import study_sentences
from utils.reading.volumes import SUSPICIOUS
from utils.reading.worklist import tumor_probabilities
from utils.reports import words
from utils.reports.dicom import codes
from utils.reports.dicom.frames import Frame
from utils.reports.dicom.kinds import MANUFACTURER
from utils.reports.dicom.request import SENTENCE, Request, uid_of

KIND = "sr"
Group = (
    hd.MeasurementsAndQualitativeEvaluations
    | hd.PlanarROIMeasurementsAndQualitativeEvaluations
    | hd.VolumetricROIMeasurementsAndQualitativeEvaluations
)
NO_TUMOR = "No glioma, meningioma or pituitary tumour is predicted; other abnormalities are not looked for."


def build(request: Request) -> Dataset | None:
    groups: list[Group] = [_conclusion(request), *_readings(request)]
    evidence = request.frames.instances
    if request.segmentation is not None:
        groups += _outlines(request, request.segmentation)
        evidence.append(request.segmentation)
    report = hd.MeasurementReport(
        observation_context=hd.ObservationContext(observer_device_context=_observer(request)),
        procedure_reported=Code("24590-2", "LN", "MR Brain"),
        imaging_measurements=groups,
    )
    report[0].ContentSequence.append(_comment(SENTENCE))
    return hd.Comprehensive3DSR(evidence=evidence, content=report, is_complete=True, **request.header(KIND))


def _observer(request: Request) -> hd.ObserverContext:
    facts = hd.DeviceObserverIdentifyingAttributes(
        uid=uid_of("\n".join(request.versions)),
        name=MANUFACTURER,
        manufacturer_name=MANUFACTURER,
        model_name=", ".join(request.versions),
    )
    return hd.ObserverContext(standard.DCM.Device, facts)


def _conclusion(request: Request) -> hd.MeasurementsAndQualitativeEvaluations:
    """What all networks amount to: a class, or indeterminate."""
    entry = request.series.key
    conclusion = conclude(entry, request.series.referral)
    finding = codes.INDETERMINATE if conclusion.is_indeterminate else codes.CLASSES[entry.readings[0].label]
    measurements = []
    if entry.is_concordant:
        derivation = None if entry.joint else standard.SCT.Mean
        measurements = [_number(codes.CERTAINTY, 100 * entry.confidence, codes.PERCENT, derivation)]
    group = hd.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(request, "Conclusion"),
        finding_type=finding,
        finding_sites=[hd.FindingSite(codes.BRAIN)],
        measurements=measurements,
        source_images=[_image(request.key)],
    )
    headline, remarks = words.verdict(request.reported)
    sentences = [f"{headline}.", *remarks, *words.site_profile(request.reported)]
    if not conclusion.is_indeterminate and entry.readings[0].label == "no_tumor":
        sentences.append(NO_TUMOR)
    if request.series.entry.slices:
        suspicion = tumor_probabilities(request.series.entry)
        read, suspicious = int(np.sum(~np.isnan(suspicion))), int(np.sum(suspicion >= SUSPICIOUS))
        sentences.append(
            f"Suspicious slices: {suspicious} of {read}. The class above is that of the most suspicious slice."
        )
        sentences += study_sentences([request.series.entry], request.series.entry, load_study_fusion())
    group[0].ContentSequence.append(_comment(" ".join(sentences)))
    group[0].ContentSequence.append(
        _comment(f"Sequence and plane: {request.series.entry.acquisition.in_words}.")
    )
    return group


def _readings(request: Request) -> list[hd.MeasurementsAndQualitativeEvaluations]:
    """The class of each network on the key image, with its calibrated probability."""
    return [
        hd.MeasurementsAndQualitativeEvaluations(
            tracking_identifier=_tracking(request, reading.title),
            finding_type=codes.CLASSES[reading.label],
            algorithm_id=hd.AlgorithmIdentification(reading.network, reading.version),
            finding_sites=[hd.FindingSite(codes.BRAIN)],
            measurements=[_number(codes.CERTAINTY, 100 * reading.confidence, codes.PERCENT)],
            source_images=[_image(request.key)],
        )
        for reading in request.series.key.readings
    ]


def _outlines(request: Request, segmentation: Dataset) -> list[Group]:
    """Area and longest diameter on the slice with the largest outline; of a stack also the volume."""
    segmenter, outlined = request.series.segmenter, request.masks
    assert segmenter is not None
    facts: dict[str, Any] = {
        "finding_type": codes.NEOPLASM,
        "algorithm_id": hd.AlgorithmIdentification(segmenter.name, segmenter.version),
        "finding_sites": [hd.FindingSite(codes.BRAIN)],
    }
    areas = outlined.sum(axis=(1, 2))
    largest = int(areas.argmax())
    frame = request.frames[largest]
    pixel = frame.spacing[0] * frame.spacing[1]
    diameter = longest_diameter(largest_part(outlined[largest]), frame.spacing)
    planar = hd.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(request, "Largest outline"),
        referenced_segment=hd.ReferencedSegmentationFrame(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            frame_number=1 + _order(request, areas).index(largest),
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
    if request.frames.distance is None:
        return [planar]
    volumetric = hd.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=_tracking(request, "Outline"),
        referenced_segment=hd.ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            segment_number=1,
            source_series=hd.SourceSeriesForSegmentation(frame.image.SeriesInstanceUID),
        ),
        measurements=[
            _number(
                standard.SCT.Volume,
                areas.sum() * pixel * request.frames.distance,
                standard.UCUM.CubicMillimeter,
            )
        ],
        **facts,
    )
    return [planar, volumetric]


def _order(request: Request, areas: np.ndarray) -> list[int]:
    """The positions in the series of the frames of the segmentation: those with an outline, along the normal."""
    return [int(position) for position in np.argsort(request.frames.places) if areas[position]]


def _number(name: Code, value: float, unit: Code, derivation: Code | None = None) -> hd.Measurement:
    return hd.Measurement(name, float(f"{value:.6g}"), unit, derivation=derivation)


def _tracking(request: Request, title: str) -> hd.TrackingIdentifier:
    return hd.TrackingIdentifier(request.uid(KIND, title), title)


def _image(frame: Frame) -> hd.SourceImageForMeasurementGroup:
    return hd.SourceImageForMeasurementGroup(*_reference(frame))


def _reference(frame: Frame) -> tuple[str, str, Sequence[int] | None]:
    return frame.sop_class, frame.sop_instance, None if frame.number is None else [frame.number]


def _comment(text: str) -> hd.TextContentItem:
    return hd.TextContentItem(
        standard.DCM.Comment, text, relationship_type=hd.RelationshipTypeValues.CONTAINS
    )
