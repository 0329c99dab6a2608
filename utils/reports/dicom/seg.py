"""Segmentation: the outline of the segmentation network, binary, on the grid of the source."""

from __future__ import annotations

from datetime import datetime

import highdicom
import numpy as np
from pydicom.dataset import Dataset

from utils.evidence.outlines import COLOUR
from utils.reports.dicom import codes, identity
from utils.reports.dicom.frames import Frames, point_to_files
from utils.reports.dicom.series import ReadSeries
from utils.scans.source_grid import to_source

TITLE = "Outline"


def build(series: ReadSeries, frames: Frames, created: datetime) -> Dataset | None:
    """None where no lesion was segmented. Slices without outline have no frame."""
    outlined = masks(series, frames)
    if series.segmenter is None or not outlined.any():
        return None
    segment = highdicom.seg.SegmentDescription(
        segment_number=1,
        segment_label=f"Outline by {series.segmenter.title}",
        segmented_property_category=codes.ABNORMAL,
        segmented_property_type=codes.NEOPLASM,
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=identity.algorithm(series.segmenter.name, series.segmenter.version),
        tracking_uid=identity.uid(series, frames, "seg", "tracking"),
        tracking_id=TITLE,
        anatomic_regions=[codes.BRAIN],
        display_color=highdicom.color.CIELabColor.from_rgb(*COLOUR),
    )
    made = highdicom.seg.Segmentation(
        source_images=frames.images,
        pixel_array=outlined,
        segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        content_label="OUTLINE",
        content_description=identity.USE,
        **identity.header(series, frames, "seg", TITLE, created),
    )
    point_to_files(made, frames.frames)
    return made


def masks(series: ReadSeries, frames: Frames) -> np.ndarray:
    """(N, rows, columns) bool: the outlines on the grid of the source, empty without segmentation network."""
    if not series.outlines:
        return np.zeros((len(frames.frames), *frames.frames[0].grid.shape), bool)
    pairs = zip(series.outlines, frames.frames, strict=True)
    return np.stack([to_source(outline.mask, frame.grid) for outline, frame in pairs])
