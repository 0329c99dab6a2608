"""NIfTI: slices upright, right side of the body on the left, one window for the volume."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from utils.scans.errors import UnreadableScan
from utils.scans.limits import LARGEST_FILE
from utils.scans.places import side_letters
from utils.scans.scan import Refusal, Stack
from utils.scans.upload import read_scan, read_stack, read_stacks

SIDES = (40, 44, 36)  # right-left, front-back, up-down


def head() -> np.ndarray:
    """A volume in right-anterior-superior order: bright towards the right, more so to the front, most to the top."""
    x, y, z = np.meshgrid(*(np.linspace(0, 1, side) for side in SIDES), indexing="ij")
    return (100 * x + 1000 * y + 10000 * z).astype(np.int16)


def stack_of(volume: np.ndarray, affine: np.ndarray | None = None) -> Stack:
    image = nibabel.Nifti1Image(volume, np.eye(4) if affine is None else affine)
    return read_stack(image.to_bytes(), "head.nii")


def rises(pixels: np.ndarray, axis: int) -> float:
    """+1 where the brightness grows along an axis, -1 where it falls."""
    return float(np.sign(np.diff(pixels.mean(axis=1 - axis)).mean()))


@pytest.mark.parametrize("turn", ["RAS", "LPS", "PIR", "SLA", "ASL"])
@pytest.mark.parametrize(
    "coarse,shape,planes", [(0, (36, 44), 40), (1, (36, 40), 44), (2, (44, 40), 36), (None, (44, 40), 36)]
)
def test_slices_are_upright_however_the_volume_is_stored(turn, coarse, shape, planes) -> None:
    affine = np.diag([*(3.0 if axis == coarse else 1.0 for axis in range(3)), 1.0])
    canonical = nibabel.Nifti1Image(head(), affine)
    turned = canonical.as_reoriented(
        nibabel.orientations.ornt_transform(
            nibabel.io_orientation(affine), nibabel.orientations.axcodes2ornt(turn)
        )
    )
    assert "".join(nibabel.aff2axcodes(turned.affine)) == turn
    stack = read_stack(turned.to_bytes(), "head.nii")
    assert [scan.slice for scan in stack.scans] == list(range(planes))
    assert all(scan.shape == shape and scan.format == "NIfTI" for scan in stack.scans)
    middle = stack.scans[planes // 2].pixels
    assert rises(middle, 0) == -1  # top and front are the brightest
    assert rises(middle, 1) == -1  # so are right and front
    means = [scan.pixels.mean() for scan in stack.scans]
    assert means == sorted(means) and means[0] < means[-1]
    sides = {0: "APSI", 1: "RLSI"}.get(coarse, "RLAP")
    assert side_letters(stack.scans[0].orientation) == tuple(sides)


def test_an_oblique_volume_names_both_directions_and_one_without_affine_none() -> None:
    tilt = np.radians(30)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    assert side_letters(stack_of(head(), affine).scans[0].orientation) == ("R", "L", "AS", "PI")
    image = nibabel.Nifti1Image(head(), None)
    image.header["sform_code"] = image.header["qform_code"] = 0
    assert read_stack(image.to_bytes(), "head.nii").scans[0].orientation == ()


def test_spacing_is_that_of_the_slices_own_axes() -> None:
    stack = stack_of(head(), np.diag([0.8, 0.8, 4.0, 1]))
    assert stack.scans[0].spacing == pytest.approx((0.8, 0.8))
    assert stack.notes == ()


def test_pixels_that_are_not_square_are_resampled_to_the_finer_spacing() -> None:
    stack = stack_of(head(), np.diag([0.8, 1.6, 4.0, 1]))
    assert stack.scans[0].spacing == pytest.approx((0.8, 0.8))
    assert stack.scans[0].shape == (2 * SIDES[1], SIDES[0])
    assert any("not square (1.6 x 0.8 mm)" in note for note in stack.notes)


def test_one_window_for_the_whole_volume() -> None:
    volume = head().astype(np.float32)
    pixels = np.stack([scan.pixels for scan in stack_of(volume).scans])
    low, high = np.percentile(volume, (0.5, 99.5))
    expected = np.clip((volume - low) / (high - low), 0, 1)[::-1, ::-1].transpose(2, 1, 0)
    np.testing.assert_allclose(pixels, expected, atol=1e-5)


def test_scaling_of_the_header_changes_nothing_that_is_seen() -> None:
    image = nibabel.Nifti1Image(head(), np.eye(4))
    image.header.set_slope_inter(3, -500)
    scaled = read_stack(image.to_bytes(), "head.nii").scans[9].pixels
    np.testing.assert_allclose(scaled, stack_of(head()).scans[9].pixels, atol=1e-4)


@pytest.mark.parametrize("dtype", [">i2", "<f8", "u1", ">f4"])
def test_number_types_and_both_versions_and_gzip(dtype) -> None:
    volume = (head() / 50).astype(dtype)
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        header = kind.header_class(endianness=">" if dtype[0] == ">" else "<")
        image = kind(volume, np.eye(4), header)
        image.set_data_dtype(dtype)
        data = image.to_bytes()
        plain = read_stack(data, "head").scans[20].pixels
        np.testing.assert_allclose(plain, stack_of(head() // 50).scans[20].pixels, atol=0.02)
        np.testing.assert_array_equal(read_stack(gzip.compress(data), "x").scans[20].pixels, plain)


def test_of_four_dimensions_the_first_volume_is_read() -> None:
    volume = head()
    stack = stack_of(np.stack([volume, volume[::-1], volume * 0], axis=-1))
    np.testing.assert_array_equal(stack.scans[9].pixels, stack_of(volume).scans[9].pixels)
    assert stack.notes == ("Only the first of 3 volumes in this file is read.",)


def test_a_single_slice_is_a_single_image() -> None:
    scan = read_scan(nibabel.Nifti1Image(head()[:, :, 20:21], np.eye(4)).to_bytes(), "one.nii")
    assert scan.slice is None and scan.shape == (44, 40)


def test_not_finite_numbers_are_black_and_reported() -> None:
    volume = head().astype(np.float32)
    volume[:, :, 5], volume[0, 0, 0] = np.nan, np.inf
    stack = stack_of(volume)
    assert all(np.isfinite(scan.pixels).all() for scan in stack.scans)
    assert stack.scans[5].pixels.max() == 0 and any("finite" in note for note in stack.notes)


def test_unknown_orientation_is_reported() -> None:
    data = bytearray(nibabel.Nifti1Image(head(), np.eye(4)).to_bytes())
    data[252:256] = bytes(4)  # qform_code and sform_code
    stack = read_stack(bytes(data), "head.nii")
    assert any("as stored" in note for note in stack.notes)


def reason(data: bytes) -> str:
    parts = read_stacks([("head.nii", data)])
    assert len(parts) == 1 and isinstance(parts[0], Refusal), parts
    return parts[0].reason


def test_what_cannot_be_read_is_refused_in_a_sentence() -> None:
    data = nibabel.Nifti1Image(head(), np.eye(4)).to_bytes()
    assert "cut short" in reason(data[:-10])
    assert "blank" in reason(nibabel.Nifti1Image(head() * 0, np.eye(4)).to_bytes())
    assert "blank" in reason(nibabel.Nifti1Image(head() * np.float32(np.nan), np.eye(4)).to_bytes())
    assert "complex" in reason(nibabel.Nifti1Image(head().astype(np.complex64), np.eye(4)).to_bytes())
    pair = bytearray(data)
    pair[344:348] = b"ni1\0"
    assert "pair" in reason(bytes(pair))
    assert "damaged" in reason(gzip.compress(data)[:-500])


@pytest.mark.parametrize("dims", [(30000, 30000, 30000), (-5, 40, 40), (512, 512, 1000), (32767, 64, 64)])
def test_a_header_that_promises_too_much_is_refused_before_it_is_read(dims) -> None:
    data = bytearray(nibabel.Nifti1Image(head(), np.eye(4)).to_bytes())
    data[42:48] = np.asarray(dims, "<i2").tobytes()
    assert reason(bytes(data)).endswith(".")


def test_a_gzip_bomb_is_refused() -> None:
    million = gzip.compress(bytes(1_000_000))
    assert "inflates to more" in reason(million * (LARGEST_FILE // 1_000_000 + 1))
    assert "not an image" not in reason(million)


def test_gzip_streams_one_after_the_other_are_one_file() -> None:
    data = nibabel.Nifti1Image(head(), np.eye(4)).to_bytes()
    both = gzip.compress(data[:1000]) + gzip.compress(data[1000:])
    assert len(read_stack(both, "head.nii.gz").scans) == SIDES[2]


def with_header(volume: np.ndarray, affine: np.ndarray, **fields) -> bytes:
    """A NIfTI file whose header has other values than nibabel would write."""
    image = nibabel.Nifti1Image(volume, affine)
    data = bytearray(image.to_bytes())
    header = nibabel.Nifti1Header(bytes(data[:348]))
    for name, value in fields.items():
        header[name] = value
    data[:348] = header.binaryblock
    return bytes(data)


def test_axes_and_spacing_come_from_the_affine_alone() -> None:
    """Some programs leave pixdim at 1 mm: slices 5 mm apart were cut across."""
    affine = np.diag([1.0, 5.0, 1.0, 1.0])
    right = read_stack(with_header(head(), affine), "a")
    for pixdim in ([1, 1, 1, 1, 1, 1, 1, 1], [1, 9, 1, 9, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0, 0, 0]):
        stack = read_stack(with_header(head(), affine, pixdim=pixdim, qform_code=0), "a")
        assert len(stack.scans) == SIDES[1] and stack.scans[0].spacing == pytest.approx((1, 1))
        np.testing.assert_array_equal(stack.scans[9].pixels, right.scans[9].pixels)


def test_a_useless_sform_falls_back_to_the_qform() -> None:
    affine = np.asarray([[0, -1.0, 0, 9], [1.0, 0, 0, 3], [0, 0, 4.0, 7], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(head(), affine)
    image.set_qform(affine, 1)
    right = read_stack(image.to_bytes(), "a")
    data = bytearray(image.to_bytes())
    data[280:328] = bytes(48)  # srow_x, srow_y, srow_z
    stack = read_stack(bytes(data), "a")
    assert stack.notes == () and stack.scans[0].spacing == pytest.approx((1, 1))
    np.testing.assert_array_equal(stack.scans[9].pixels, right.scans[9].pixels)


@pytest.mark.parametrize(
    "fields",
    [
        {"dim": [4, *SIDES, 0, 1, 1, 1]},
        {"dim": [5, *SIDES, 1, 0, 0, 0]},
        {"scl_slope": 1, "scl_inter": np.nan},
        {"scl_slope": np.nan, "scl_inter": np.nan},
        {"scl_slope": 0, "scl_inter": 5},
        {"scl_slope": np.inf, "scl_inter": 0},
    ],
)
def test_headers_that_other_programs_read_are_read(fields) -> None:
    stack = read_stack(with_header(head(), np.eye(4), **fields), "a")
    np.testing.assert_allclose(stack.scans[9].pixels, stack_of(head()).scans[9].pixels, atol=1e-5)


@pytest.mark.data
def test_nibabels_examples_look_as_nibabel_orients_them(data_root: Path) -> None:
    files = sorted((data_root / "nifti").iterdir())
    assert len(files) == 4
    for file in files:
        if file.name == "functional.nii":  # 17 x 21 voxels
            assert "at least 32 x 32" in reason(file.read_bytes())
            continue
        stack = read_stack(file.read_bytes(), file.name)
        volume = nibabel.as_closest_canonical(nibabel.load(file)).get_fdata()
        volume = volume[..., 0] if volume.ndim == 4 else volume
        low, high = np.percentile(volume, (0.5, 99.5))
        expected = np.clip((volume - low) / (high - low), 0, 1)[::-1, ::-1].transpose(
            2, 1, 0
        )  # all are axial
        np.testing.assert_allclose(np.stack([scan.pixels for scan in stack.scans]), expected, atol=2e-3)


def test_stack_is_no_single_image() -> None:
    with pytest.raises(UnreadableScan, match="stack of 36 slices"):
        read_scan(nibabel.Nifti1Image(head(), np.eye(4)).to_bytes(), "head.nii")


@pytest.mark.parametrize(("coarse", "distance"), [(0, 3.0), (1, 3.0), (2, 3.0), (None, 1.0)])
def test_slices_know_their_place_in_mm(coarse, distance) -> None:
    affine = np.diag([*(3.0 if axis == coarse else 1.0 for axis in range(3)), 1.0])
    stack = stack_of(head(), affine)
    assert [scan.place for scan in stack.scans[:3]] == [0.0, distance, 2 * distance]
    assert {scan.study for scan in stack.scans} == {""}  # a single file says nothing about its study
