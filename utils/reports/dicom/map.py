"""Parametric map: the evidence of each network for one class, float, on the grid of the source."""

from __future__ import annotations

import highdicom
import numpy as np
from pydicom.dataset import Dataset

from utils.networks.shipped import evidence_scale
from utils.reports.dicom import codes
from utils.reports.dicom.frames import point_to_files
from utils.reports.dicom.request import Request
from utils.scans.source_grid import to_source
from utils.wording import CLASS_TITLES

KIND = "map"


def build(request: Request) -> Dataset | None:
    """Grad-CAM in calibrated logits, for the class that the key image shows, one set of frames a network."""
    label = request.series.key.readings[0].shown_class
    maps = evidence(request, label)
    meanings = [
        [
            highdicom.pm.RealWorldValueMapping(
                lut_label=reading.title[:16],
                lut_explanation=f"{reading.title}: Grad-CAM for {CLASS_TITLES[label]}, calibrated logits"[
                    :64
                ],
                unit=codes.NO_UNITS,
                value_range=(0.0, max(float(maps.max()), 1.0)),
                slope=1.0,
                intercept=0.0,
            )
        ]
        for reading in request.series.key.readings
    ]
    scale = evidence_scale()
    made = highdicom.pm.ParametricMap(
        source_images=request.frames.images,
        pixel_array=maps,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=meanings,
        voi_lut_transformations=[
            highdicom.VOILUTTransformation(scale / 2, scale, voi_lut_function="LINEAR_EXACT")
        ],
        content_label="EVIDENCE",
        content_description="Research and education only",
        **request.header(KIND),
    )
    made.BodyPartExamined = "BRAIN"
    point_to_files(made, request.frames)
    return made


def evidence(request: Request, label: str) -> np.ndarray:
    """(N, rows, columns, networks) float32, calibrated logits; zero where a slice was rejected."""
    count = len(request.series.key.readings)
    maps = np.zeros((len(request.frames), *request.frames.shape, count), np.float32)
    for target, frame in zip(maps, request.frames, strict=True):
        for number, reading in enumerate(frame.entry.readings):
            if frame.entry.grade != "refused":
                target[..., number] = to_source(reading.strength(label, 1.0), frame.grid)
    return maps
