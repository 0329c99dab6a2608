"""NIfTI (.nii, .nii.gz once inflated) -> Decoded, with nibabel's header and orientation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, io_orientation

from utils.scans.decoded import Decoded, FrameFacts, spacing_in_mm
from utils.scans.errors import UnreadableScan, damaged
from utils.scans.labels import NIFTI_INTENT_LABEL, REFUSAL, is_label_map
from utils.scans.limits import check_stack

ISOTROPIC = 1.1  # coarsest over finest spacing, up to which slices are axial
MILLIMETRES = {1: 1000.0, 3: 0.001}  # of the unit codes metre and micrometre; everything else is mm
AXIAL = 2
UNKNOWN_ORIENTATION = "This file does not say how the slices lie in the body; they are shown as stored."
NOT_FINITE = "Some numbers in this file are not finite; they are shown black."


def decode(data: bytes | bytearray) -> Decoded:
    """Decode a NIfTI volume into slices across its coarsest axis, upright, right side of the body on the left.

    Of a 4-D file the first volume. Raises UnreadableScan.
    """
    try:
        return _decode(data)
    except (UnreadableScan, MemoryError):
        raise
    except Exception:  # nibabel raises almost anything on broken headers
        raise damaged("NIfTI file") from None


def _decode(data: bytes | bytearray) -> Decoded:
    header = (
        nibabel.Nifti2Header(bytes(data[:540]))
        if data[4:6] == b"n+"
        else nibabel.Nifti1Header(bytes(data[:348]))
    )
    if bytes(header["magic"])[:2] == b"ni":
        text = "This is one half of a NIfTI pair (.hdr and .img); save it as a single .nii file."
        raise UnreadableScan(text)
    shape = _shape(header)
    stored = header.get_data_dtype()
    if stored.kind not in "iuf":
        raise UnreadableScan("This NIfTI file holds colours or complex numbers; export its magnitude.")
    if int(header["intent_code"]) == NIFTI_INTENT_LABEL:
        raise UnreadableScan(REFUSAL)
    whole, volumes = shape[:3], math.prod(shape[3:])
    affine = _affine(header)
    orientation = np.asarray([(0, 1), (1, 1), (2, 1)], float) if affine is None else io_orientation(affine)
    zooms = _zooms(header) if affine is None else np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    zooms = zooms[np.argsort(orientation[:, 0])] * MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    sides = np.asarray(whole)[np.argsort(orientation[:, 0])]
    across = _slice_axis(sides, zooms)
    column, row = [axis for axis in range(3) if axis != across]
    check_stack(int(sides[column]), int(sides[row]), int(sides[across]))
    voxels, offset = math.prod(whole), int(header["vox_offset"])
    if offset < 0 or offset + voxels * stored.itemsize > len(data):
        raise damaged("NIfTI file")
    volume = np.frombuffer(data, stored, voxels, offset).reshape(whole, order="F")
    if is_label_map(volume):
        raise UnreadableScan(REFUSAL)
    volume = apply_orientation(volume, orientation)
    notes = [f"Only the first of {volumes} volumes in this file is read."] if volumes > 1 else []
    if affine is None:
        notes.append(UNKNOWN_ORIENTATION)
    if stored.kind == "f" and not np.isfinite(volume).all():
        notes.append(NOT_FINITE)
    facts = FrameFacts(
        () if affine is None else _cosines(affine, orientation, column, row),
        spacing=spacing_in_mm(float(zooms[row]), float(zooms[column])),
    )
    return Decoded(
        "NIfTI",
        int(sides[across]),
        _slices(volume, across, *_scaling(header)),
        tuple(_along(facts, int(sides[across]), float(zooms[across]))),
        windowed=False,
        notes=tuple(notes),
    )


def _along(facts: FrameFacts, count: int, distance: float) -> Iterator[FrameFacts]:
    """The facts of each slice; `distance` of neighbouring slices in mm."""
    is_known = spacing_in_mm(distance, distance) is not None
    for index in range(count):
        yield replace(facts, location=index * distance if is_known else None)


def _shape(header: nibabel.Nifti1Header) -> tuple[int, ...]:
    """The sides of the volume, at least three. Sides of 0 or less but for the first count as 1, as FSL and ITK do."""
    dimensions = [int(side) for side in header["dim"]]
    if not 1 <= dimensions[0] <= 7 or dimensions[1] < 1:
        raise damaged("NIfTI file")
    return (dimensions[1], *(max(side, 1) for side in dimensions[2 : dimensions[0] + 1]), 1, 1)


def _zooms(header: nibabel.Nifti1Header) -> np.ndarray:
    zooms = np.abs(np.asarray(header["pixdim"][1:4], float))
    return np.where(np.isfinite(zooms) & (zooms > 0), zooms, 1.0)


def _affine(header: nibabel.Nifti1Header) -> np.ndarray | None:
    """The sform, else the qform, (4, 4); None where the file has neither, or only useless ones."""
    candidates = []
    with np.errstate(all="ignore"):
        if header["sform_code"]:
            candidates.append(header.get_sform())
        if header["qform_code"]:
            try:
                candidates.append(header.get_qform())
            except Exception:  # a quaternion that is none
                candidates.append(np.full((4, 4), np.nan))
        for affine in candidates:
            if np.isfinite(affine).all() and np.linalg.matrix_rank(affine[:3, :3]) == 3:
                return affine
    return None


def _cosines(affine: np.ndarray, orientation: np.ndarray, column: int, row: int) -> tuple[float, ...]:
    """The direction cosines, as in DICOM, of the rows and columns of `_slices`, which run against the axes."""
    directions = []
    for axis in (column, row):
        stored = int(np.flatnonzero(orientation[:, 0] == axis)[0])
        right, anterior, superior = affine[:3, stored] / np.linalg.norm(affine[:3, stored])
        directions += [value * orientation[stored, 1] for value in (right, anterior, -superior)]
    return tuple(round(float(cosine), 4) + 0.0 for cosine in directions)


def _scaling(header: nibabel.Nifti1Header) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 and numbers that are not finite mean none, as in FSL and ITK."""
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    return slope, inter if math.isfinite(inter) else 0.0


def _slice_axis(sides: np.ndarray, zooms: np.ndarray) -> int:
    """Across the axis with the coarsest spacing, axial if there is none; a single slice is what it is."""
    if (sides == 1).any():
        return int(np.argmin(sides))
    usable = np.isfinite(zooms).all() and zooms.min() > 0
    return int(np.argmax(zooms)) if usable and zooms.max() > ISOTROPIC * zooms.min() else AXIAL


def _slices(volume: np.ndarray, across: int, slope: float, inter: float) -> Iterator[np.ndarray]:
    """The slices of a right-anterior-superior volume, from left, back or below, (H, W) float32.

    Top and left of each are superior and the body's right (axial: anterior and right; sagittal: superior and anterior).
    """
    for plane in np.moveaxis(volume, across, 0):
        with np.errstate(over="ignore", invalid="ignore"):
            pixels = np.ascontiguousarray(plane[::-1, ::-1].T, np.float32)
            yield pixels if (slope, inter) == (1, 0) else pixels * np.float32(slope) + np.float32(inter)
