"""The size of the outlined tumour in a stack, in millilitres: outlines x distance of the slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from utils.evidence.location import place_in_body
from utils.evidence.outlines import largest_part

if TYPE_CHECKING:
    from utils.evidence.outlines import Outline
    from utils.reading.worklist import Entry

UNEVEN = (
    1.5  # times the median distance: a gap between slices from which on a volume is only a rough estimate
)


@dataclass(frozen=True)
class TumorVolume:
    """The outlines of a stack, of slices that are brain MRI.

    `ml`: of all outlines, `largest_ml`: of the largest connected part. `slices`: how many have an outline.
    `diameter_mm`: the longest in the plane of the slices, at `widest` (position in the stack; None without outline).
    `place` is that of the lesion in the body, on this slice, "" where unknown.
    `distance` of neighbouring slices in mm; `is_uneven`: it differs so much that the volume is a rough estimate.
    """

    ml: float
    largest_ml: float
    slices: int
    diameter_mm: float
    widest: int | None
    distance: float
    is_uneven: bool
    place: str = ""


def tumor_volume(stack: Entry) -> TumorVolume | None:
    """None where the file does not know the spacing or the places of the slices, or there is no segmentation."""
    distances = slice_distances(stack)
    outlines = [_outline(entry) for entry in stack.slices]
    first = stack.slices[0].scan if stack.slices else None
    if distances is None or first is None or first.spacing is None or any(each is None for each in outlines):
        return None
    known = [each for each in outlines if each is not None]
    extents = (np.concatenate([distances[:1], distances]) + np.concatenate([distances, distances[-1:]])) / 2
    voxel_ml = first.spacing[0] * first.spacing[1] * extents / 1000
    areas = np.asarray([each.area for each in known])
    diameters = [each.diameter_mm or 0.0 for each in known]
    widest = int(np.argmax(diameters)) if areas.any() else None
    typical = float(np.median(distances))
    return TumorVolume(
        ml=float((areas * voxel_ml).sum()),
        largest_ml=_largest([each.mask for each in known], voxel_ml, areas),
        slices=int((areas > 0).sum()),
        diameter_mm=max(diameters),
        widest=widest,
        distance=typical,
        is_uneven=bool(distances.max() > UNEVEN * typical),
        place="" if widest is None else _place(stack.slices[widest]),
    )


def slice_distances(stack: Entry) -> np.ndarray | None:
    """(N - 1,) mm between neighbouring slices of one size; None where the file does not say it."""
    places = [entry.scan.place if entry.scan else None for entry in stack.slices]
    shapes = {entry.scan.shape for entry in stack.slices if entry.scan}
    if len(places) < 2 or len(shapes) != 1 or any(place is None for place in places):
        return None
    distances = np.abs(np.diff(np.asarray(places, float)))
    return distances if (distances > 0).all() else None


def _outline(entry: Entry) -> Outline | None:
    """The outline of a slice; on one that is no brain MRI nothing is outlined."""
    if entry.segmentation is None:
        return None
    outline = entry.segmentation.outline
    if entry.grade != "refused":
        return outline
    return replace(outline, mask=np.zeros_like(outline.mask), area=0, diameter_mm=None, contours=())


def _place(entry: Entry) -> str:
    assert entry.scan is not None and entry.segmentation is not None
    return place_in_body(largest_part(entry.segmentation.outline.mask), entry.scan)


def _largest(masks: Sequence[np.ndarray], voxel_ml: np.ndarray, areas: np.ndarray) -> float:
    """ml of the largest part of the masks (H, W) bool that is connected through faces, edges or corners."""
    from scipy import ndimage  # half a second to import

    outlined = np.flatnonzero(areas)
    if not len(outlined):
        return 0.0
    inside = slice(outlined[0], outlined[-1] + 1)
    volume = np.stack(masks[inside])
    volume = volume[:, volume.any(axis=(0, 2))][:, :, volume.any(axis=(0, 1))]
    parts, _ = ndimage.label(volume, np.ones((3, 3, 3)))
    weights = np.broadcast_to(voxel_ml[inside, None, None], volume.shape)
    return float(np.bincount(parts.ravel(), weights.ravel())[1:].max())
