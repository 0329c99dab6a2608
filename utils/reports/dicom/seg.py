"""Segmentation: the outline of the segmentation network, binary, on the grid of the source."""

from __future__ import annotations

import highdicom
from pydicom.dataset import Dataset

from utils.evidence.outlines import COLOUR
from utils.reports.dicom import codes
from utils.reports.dicom.frames import point_to_files
from utils.reports.dicom.request import Request, algorithm

KIND = "seg"


def build(request: Request) -> Dataset | None:
    """None where no lesion was segmented. Slices without outline have no frame."""
    segmenter = request.series.segmenter
    if segmenter is None or not request.masks.any():
        return None
    segment = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label=f"Outline by {segmenter.title}",
        segmented_property_category=codes.ABNORMAL,
        segmented_property_type=codes.NEOPLASM,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=algorithm(segmenter.name, segmenter.version),
        tracking_uid=request.uid(KIND, "tracking"),
        tracking_id="Outline",
        anatomic_regions=[codes.BRAIN],
        display_color=highdicom.color.CIELabColor.from_rgb(*COLOUR),
    )
    made = highdicom.seg.Segmentation(
        source_images=request.frames.images,
        pixel_array=request.masks,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        content_label="OUTLINE",
        content_description="Research and education only",
        **request.header(KIND),
    )
    point_to_files(made, request.frames)
    return made
