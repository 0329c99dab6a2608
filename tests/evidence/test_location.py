"""The side of a lesion: that of the body, however the file stores the image, and none where it is not known.

Heads are drawn in the patient's own directions (mm to the left, to the back and to the head, as DICOM has them; NIfTI
counts to the right, to the front and to the head), so that nothing here depends on how the decoders turn images.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import nibabel
import numpy as np
import pytest

from tests.support.mr_series import AXIAL, CORONAL, OBLIQUE, SAGITTAL, TURNED, Drawn, corner, enhanced, series
from utils.evidence.location import place_in_body
from utils.scans.preprocessing import foreground
from utils.scans.scan import Scan, Stack
from utils.scans.upload import read_stack, read_stacks

HALF = np.asarray([68.0, 85.0, 70.0])  # of the head, in mm
LEFT_FRONT, RIGHT_BACK, MIDDLE = (28.0, -38.0, 5.0), (-28.0, 38.0, 5.0), (3.0, -38.0, 5.0)
LESIONS = [
    (LEFT_FRONT, "on the patient's left, anterior"),
    (RIGHT_BACK, "on the patient's right, posterior"),
    (MIDDLE, "near the midline, anterior"),
]


def brightness(points: np.ndarray, lesion: Sequence[float]) -> np.ndarray:
    """(...,) uint16 at points (..., 3): to the left, back and head from the middle of the head, in mm.

    The lesion is dark, so that no window hides it.
    """
    is_head = np.square(points / HALF).sum(axis=-1) < 1
    is_lesion = np.linalg.norm(points - np.asarray(lesion), axis=-1) < 12
    noise = np.random.default_rng(0).integers(0, 40, is_head.shape)
    return (np.where(is_head & ~is_lesion, 450, 0) + noise).astype(np.uint16)


def place(scans: Sequence[Scan]) -> str:
    """That of the lesion on the slice that shows most of it."""
    masks = [dark_part(scan.pixels) for scan in scans]
    largest = int(np.argmax([mask.mean() for mask in masks]))
    assert masks[largest].any()
    return place_in_body(masks[largest], scans[largest])


def dark_part(pixels: np.ndarray) -> np.ndarray:
    """(H, W) bool: what is dark inside of a head; nothing on a slice of noise alone."""
    head = foreground(pixels)
    inside = cv2.erode(head.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return inside & (head.mean() < 0.6) & (cv2.blur(pixels, (3, 3)) < 0.3)


def in_plane(words: str, plane: str) -> str:
    """A coronal slice does not show front and back, a sagittal one no side."""
    return "" if plane == "sagittal" else words.partition(",")[0] if plane == "coronal" else words


def nifti(lesion: Sequence[float], coarse: int, codes: str) -> bytes:
    """The head in voxels of 4 mm, 8 mm along one axis (0 from side to side), stored along `codes`."""
    zooms = np.asarray([8.0 if axis == coarse else 4.0 for axis in range(3)])
    shape = tuple(int(side) for side in 220 // zooms)
    affine = np.diag([*zooms, 1.0])
    affine[:3, 3] = -zooms * (np.asarray(shape) - 1) / 2
    to_right, to_front, to_head = nibabel.affines.apply_affine(
        affine, np.moveaxis(np.indices(shape), 0, -1)
    ).T
    points = np.stack([-to_right, -to_front, to_head]).T
    image = nibabel.Nifti1Image(brightness(points, lesion).astype(np.int16), affine)
    turn = nibabel.orientations.ornt_transform(
        nibabel.io_orientation(affine), nibabel.orientations.axcodes2ornt(codes)
    )
    stored = image.as_reoriented(turn)
    assert "".join(nibabel.aff2axcodes(stored.affine)) == codes
    return stored.to_bytes()


@pytest.mark.parametrize(("lesion", "words"), LESIONS)
@pytest.mark.parametrize("codes", ["RAS", "LAS", "LPS", "RPI", "PIR", "SLA"])
@pytest.mark.parametrize("plane", ["sagittal", "coronal", "axial"])
def test_side_in_nifti_is_that_of_the_body_however_it_is_stored(lesion, words, codes, plane) -> None:
    coarse = ["sagittal", "coronal", "axial"].index(plane)
    stack = read_stack(nifti(lesion, coarse, codes), "head.nii")
    assert place(stack.scans) == in_plane(words, plane)


def test_a_mirrored_affine_is_the_other_side_and_none_is_no_side() -> None:
    image = nibabel.Nifti1Image.from_bytes(nifti(LEFT_FRONT, 2, "RAS"))
    pixels = np.asarray(image.dataobj)
    for flip, words in (
        ((1, 1, 1), "on the patient's left, anterior"),
        ((-1, 1, 1), "on the patient's right, anterior"),
        ((1, -1, 1), "on the patient's left, posterior"),
        ((-1, -1, -1), "on the patient's right, posterior"),
    ):
        mirrored = nibabel.Nifti1Image(pixels, np.diag([*flip, 1]) @ image.affine)
        assert place(read_stack(mirrored.to_bytes(), "head.nii").scans) == words
    unknown = nibabel.Nifti1Image(pixels, None)
    unknown.header["sform_code"] = unknown.header["qform_code"] = 0
    assert place(read_stack(unknown.to_bytes(), "head.nii").scans) == ""


def dicom(lesion: Sequence[float], orientation: Sequence[float], form=series) -> list[tuple[str, bytes]]:
    """The head as a DICOM series whose slices lie in `orientation`."""
    drawn = Drawn(orientation, slices=13, shape=(60, 56), spacing=(4.0, 4.0), distance=10.0)
    row, column = np.reshape(np.asarray(orientation, float), (2, 3))
    down, right = np.indices(drawn.shape)[..., None] * 4.0
    places = [corner(drawn, number) + right * row + down * column for number in range(drawn.slices)]
    middle = np.mean(places, axis=(0, 1, 2))
    return form(drawn, [brightness(points - middle, lesion) for points in places])


@pytest.mark.parametrize(("lesion", "words"), LESIONS)
@pytest.mark.parametrize(
    ("orientation", "plane"),
    [
        (AXIAL, "axial"),
        (TURNED, "axial"),
        (OBLIQUE, "axial"),
        ((-1.0, 0, 0, 0, 1, 0), "axial"),
        ((1.0, 0, 0, 0, -1, 0), "axial"),
        ((-1.0, 0, 0, 0, -1, 0), "axial"),
        (CORONAL, "coronal"),
        ((-1.0, 0, 0, 0, 0, -1), "coronal"),
        ((1.0, 0, 0, 0, 0, 1), "coronal"),
        (SAGITTAL, "sagittal"),
    ],
)
def test_side_in_dicom_is_that_of_the_body_however_it_is_stored(lesion, words, orientation, plane) -> None:
    (stack,) = read_stacks(dicom(lesion, orientation))
    assert isinstance(stack, Stack)
    assert place(stack.scans) == in_plane(words, plane)


def test_frames_of_one_file_have_the_side_too() -> None:
    (stack,) = read_stacks(dicom(LEFT_FRONT, (-1.0, 0, 0, 0, 1, 0), enhanced))
    assert isinstance(stack, Stack)
    assert place(stack.scans) == "on the patient's left, anterior"


def test_there_is_no_side_where_the_middle_of_the_head_is_not_known() -> None:
    pixels = np.zeros((90, 90), np.float32)
    pixels[5:85, :70] = 0.5
    mask = np.zeros((90, 90), bool)
    mask[40:50, 50:60] = True
    scan = Scan("a", pixels, "DICOM", orientation=AXIAL)
    assert place_in_body(mask, scan) == ""  # cut off on one side
    assert place_in_body(mask, Scan("a", np.ones((90, 90), np.float32), "DICOM", orientation=AXIAL)) == ""
    whole = np.zeros((90, 90), np.float32)
    whole[5:85, 10:80] = 0.5
    assert place_in_body(mask, Scan("a", whole, "DICOM", orientation=AXIAL)) == "on the patient's left"
    assert place_in_body(mask, Scan("a", whole, "PNG")) == ""
