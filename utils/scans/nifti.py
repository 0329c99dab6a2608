"""NIfTI (.nii, .nii.gz) -> Decoded, with nibabel's header and orientation."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator

import nibabel
import numpy as np
from nibabel.orientations import apply_orientation, io_orientation

from utils.scans.decoded import Decoded, spacing_in_mm
from utils.scans.errors import UnreadableScan, damaged
from utils.scans.limits import LARGEST_FILE, MEGABYTE, check_stack

ISOTROPIC = 1.1  # coarsest over finest spacing, up to which slices are axial
MILLIMETRES = {1: 1000.0, 3: 0.001}  # of the unit codes metre and micrometre; everything else is mm
AXIAL = 2


def decode(data: bytes) -> Decoded:
    """Decode a NIfTI volume into slices across its coarsest axis, upright, right side of the body on the left.

    Of a 4-D file the first volume. Raises UnreadableScan.
    """
    try:
        return _decode(_inflated(data) if data[:2] == b"\x1f\x8b" else data)
    except (UnreadableScan, MemoryError):
        raise
    except Exception:  # nibabel raises almost anything on broken headers
        raise damaged("NIfTI file") from None


def _inflated(data: bytes) -> bytes:
    parts, left = [], LARGEST_FILE
    while data:  # some programs write one gzip stream after the other
        stream = zlib.decompressobj(wbits=31)
        parts.append(stream.decompress(data, left + 1))
        left -= len(parts[-1])
        if left < 0 or not stream.eof:
            break
        data = stream.unused_data.lstrip(b"\0")
    if left < 0:
        raise UnreadableScan(
            f"This file inflates to more than the {LARGEST_FILE // MEGABYTE} MB that are read; bring a part of it."
        )
    if not stream.eof:
        raise damaged("gzip file")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _decode(data: bytes) -> Decoded:
    header = nibabel.Nifti2Header(data[:540]) if data[4:6] == b"n+" else nibabel.Nifti1Header(data[:348])
    if bytes(header["magic"])[:2] == b"ni":
        text = "This is one half of a NIfTI pair (.hdr and .img); save it as a single .nii file."
        raise UnreadableScan(text)
    shape = (*(int(side) for side in header.get_data_shape()), 1, 1, 1)
    stored = header.get_data_dtype()
    if stored.kind not in "iuf":
        raise UnreadableScan("This NIfTI file holds colours or complex numbers; export its magnitude.")
    if min(shape) < 1 or max(shape) > 2**31:
        raise damaged("NIfTI file")
    whole, volumes = shape[:3], math.prod(shape[3:])
    orientation, known = _orientation(header)
    zooms = np.ones(3)
    zooms[: len(header.get_zooms()[:3])] = header.get_zooms()[:3]
    zooms = zooms[np.argsort(orientation[:, 0])] * MILLIMETRES.get(int(header["xyzt_units"]) & 7, 1.0)
    sides = np.asarray(whole)[np.argsort(orientation[:, 0])]
    across = _slice_axis(sides, zooms)
    column, row = [axis for axis in range(3) if axis != across]
    check_stack(int(sides[column]), int(sides[row]), int(sides[across]))
    voxels, offset = math.prod(whole), int(header.get_data_offset())
    if offset < 0 or offset + voxels * stored.itemsize > len(data):
        raise damaged("NIfTI file")
    volume = np.frombuffer(data, stored, voxels, offset).reshape(whole, order="F")
    volume = apply_orientation(volume, orientation)
    notes = [f"Only the first of {volumes} volumes in this file is read."] if volumes > 1 else []
    if not known:
        notes.append("This file does not say how the slices lie in the body; they are shown as stored.")
    if stored.kind == "f" and not np.isfinite(volume).all():
        notes.append("Some numbers in this file are not finite; they are shown black.")
    return Decoded(
        "NIfTI",
        int(sides[across]),
        _slices(volume, across, *header.get_slope_inter()),
        windowed=False,
        spacing=spacing_in_mm(float(zooms[row]), float(zooms[column])),
        notes=tuple(notes),
    )


def _orientation(header: nibabel.Nifti1Header) -> tuple[np.ndarray, bool]:
    """nibabel's (3, 2) turns to right-anterior-superior axes, and whether the file says them."""
    known = bool(header["qform_code"] or header["sform_code"])
    with np.errstate(all="ignore"):
        affine = header.get_best_affine()
        if known and np.isfinite(affine).all() and np.linalg.matrix_rank(affine[:3, :3]) == 3:
            return io_orientation(affine), True
    return np.asarray([(0, 1), (1, 1), (2, 1)], float), False


def _slice_axis(sides: np.ndarray, zooms: np.ndarray) -> int:
    """Across the axis with the coarsest spacing, axial if there is none; a single slice is what it is."""
    if (sides == 1).any():
        return int(np.argmin(sides))
    usable = np.isfinite(zooms).all() and zooms.min() > 0
    return int(np.argmax(zooms)) if usable and zooms.max() > ISOTROPIC * zooms.min() else AXIAL


def _slices(
    volume: np.ndarray, across: int, slope: float | None, inter: float | None
) -> Iterator[np.ndarray]:
    """The slices of a right-anterior-superior volume, from left, back or below, (H, W) float32.

    Top and left of each are superior and the body's right (axial: anterior and right; sagittal: superior and anterior).
    """
    for plane in np.moveaxis(volume, across, 0):
        with np.errstate(over="ignore", invalid="ignore"):
            pixels = np.ascontiguousarray(plane[::-1, ::-1].T, np.float32)
            yield pixels if slope is None or inter is None else pixels * np.float32(slope) + np.float32(inter)
