"""Stacks that were read, made by hand: tumour probability, outline and place of each slice are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from utils.evidence.outlines import OperatingPoint, outline
from utils.reading.joint import JointReading
from utils.reading.segmenter import Segmentation
from utils.reading.worklist import Entry, view_slice
from utils.records.study import StudyFusion
from utils.scans.preprocessing import Geometry
from utils.scans.scan import Scan

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
FUSION = StudyFusion(
    weights_sha256={},
    share=0.25,
    intercept=0.0,
    slope=1.0,
    tumor_threshold=0.8,
    no_tumor_threshold=0.3,
    fitted_on={"drawn": 9},
)


def stack(
    tumor: Sequence[float],
    name: str = "head.nii",
    spacing: tuple[float, float] | None = (1.0, 1.0),
    places: Sequence[float | None] | None = None,
    masks: Sequence[np.ndarray] = (),
    volume: np.ndarray | None = None,
    type_shares: Sequence[float] = (0.6, 0.3, 0.1),
    grades: Sequence[str] = (),
    **facts: Any,
) -> Entry:
    """A stack whose slices have these tumour probabilities (0..1).

    places: in mm, 5 mm apart where left out. masks: (H, W) bool, outlined. volume: (N, H, W) float, the pixels.
    type_shares: of glioma, meningioma and pituitary tumour. grades: of the slices, "ok" where left out. facts: of Scan.
    """
    places = [5.0 * number for number in range(len(tumor))] if places is None else places
    slices = []
    for number, probability in enumerate(tumor):
        pixels = volume[number] if volume is not None else np.full((64, 64), 0.5, np.float32)
        scan = Scan(
            name, pixels, facts.get("format", "NIfTI"), number, spacing, place=places[number],
            **{key: value for key, value in facts.items() if key != "format"},
        )  # fmt: skip
        glioma, meningioma, pituitary = (share * probability for share in type_shares)
        joint = JointReading(np.asarray([glioma, meningioma, 1 - probability, pituitary]))
        reading: Any = SimpleNamespace(
            grade=grades[number] if grades else "ok",
            label=joint.label,
            flags=(),
            title="CNN",
            network="cnn",
            novelty=None,
        )
        segmentation = _segmentation(masks[number], spacing) if len(masks) else None
        slices.append(
            Entry(name, f"{name} {number}", scan, (reading,), None, (), len(tumor), segmentation, joint)
        )
    return view_slice(Entry(name, name, slices[0].scan, slices=tuple(slices)), 0)


def square(side: int, shape: tuple[int, int] = (64, 64), corner: tuple[int, int] = (20, 20)) -> np.ndarray:
    """(H, W) bool with a square of this side, empty for 0."""
    mask = np.zeros(shape, bool)
    mask[corner[0] : corner[0] + side, corner[1] : corner[1] + side] = True
    return mask


def _segmentation(mask: np.ndarray, spacing: tuple[float, float] | None) -> Segmentation:
    height, width = mask.shape
    as_it_is = Geometry((height, width), 0, 0, height, width, max(height, width))
    point = OperatingPoint(0.5, 0.5)
    return Segmentation(outline(as_it_is.to_network(mask), as_it_is, point, spacing), 0.5)
