"""DICOM: the image is the one that pydicom's own tables and windows give, and nothing else leaves the file."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, iter_pixels
from pydicom.sequence import Sequence

from tests.support.corpus import dicom, dicom_bytes, dicom_copy, drawing
from utils.scans import dicom as dicom_module
from utils.scans.errors import UnreadableScan
from utils.scans.limits import MOST_SLICES
from utils.scans.scan import Refusal, Scan, Stack
from utils.scans.upload import read_scan, read_stack, read_stacks

SECRETS = ("Secret", "script", "ID-4711", "19700102", "20200304", "Hidden", "1.2.826")
STORED = drawing().astype(np.float32) * 16  # what `dicom()` holds, 0..4000 of 12 bit
EIGHT_BIT: dict[str, Any] = {
    "BitsAllocated": 8,
    "BitsStored": 8,
    "HighBit": 7,
    "PixelData": drawing().tobytes(),
}


def read(ds: Dataset) -> Scan:
    return read_scan(dicom_bytes(ds), "scan.dcm")


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableScan) as caught:
        read_stack(data, "scan.dcm")
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text and not any(secret in text for secret in SECRETS)
    return text


def test_window_is_the_standards_linear_one() -> None:
    scan = read(dicom(WindowCenter=[1800, 90], WindowWidth=[2500, 80]))
    expected = np.clip((STORED - 1799.5) / 2499 + 0.5, 0, 1)  # PS3.3 C.11.2.1.2.1
    np.testing.assert_allclose(scan.pixels, expected, atol=1e-5)
    assert (scan.format, scan.spacing, scan.slice, scan.notes) == ("DICOM", (0.9, 0.9), None, ())


@pytest.mark.parametrize(
    "function,expected",
    [
        ("LINEAR_EXACT", lambda x: np.clip((x - 1800) / 2500 + 0.5, 0, 1)),
        ("SIGMOID", lambda x: 1 / (1 + np.exp(-4 * (x - 1800) / 2500))),
    ],
)
def test_other_window_functions(function, expected) -> None:
    scan = read(dicom(WindowCenter=1800, WindowWidth=2500, VOILUTFunction=function))
    np.testing.assert_allclose(scan.pixels, expected(STORED), atol=1e-5)


def test_rescale_comes_before_the_window() -> None:
    plain = read(dicom(WindowCenter=1800, WindowWidth=2501))
    scaled = read(dicom(WindowCenter=3500, WindowWidth=5001, RescaleSlope=2, RescaleIntercept=-100))
    np.testing.assert_allclose(scaled.pixels, plain.pixels, atol=1e-3)


def test_without_a_window_the_percentiles_are_one() -> None:
    low, high = np.percentile(STORED, (0.5, 99.5))
    np.testing.assert_allclose(read(dicom()).pixels, np.clip((STORED - low) / (high - low), 0, 1), atol=1e-5)


def test_monochrome1_is_inverted_with_and_without_a_window() -> None:
    options: dict[str, Any]
    for options in ({}, {"WindowCenter": 1800, "WindowWidth": 2500}):
        plain = read(dicom(**options)).pixels
        inverted = read(dicom(PhotometricInterpretation="MONOCHROME1", **options)).pixels
        np.testing.assert_allclose(inverted, 1 - plain, atol=1e-5)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_takes_no_part_in_the_window(photometric) -> None:
    values = STORED.astype(np.int16)
    values[:4] = -2000
    ds = dicom(PhotometricInterpretation=photometric, PixelRepresentation=1, BitsStored=16, HighBit=15)
    ds.PixelData, ds.PixelPaddingValue = values.tobytes(), -2000
    pixels = read(ds).pixels
    assert (pixels[:4] == 0).all()
    low, high = np.percentile(values[4:], (0.5, 99.5))
    expected = np.clip((values[4:] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(
        pixels[4:], 1 - expected if photometric == "MONOCHROME1" else expected, atol=1e-4
    )


def test_eight_bit_without_a_window_is_shown_as_it_is() -> None:
    np.testing.assert_allclose(read(dicom(**EIGHT_BIT)).pixels, drawing() / 255, atol=1e-6)


def test_voi_table_is_followed() -> None:
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = (65535 - 16 * np.arange(4096)).astype("<u2").tobytes()
    scan = read(dicom(VOILUTSequence=Sequence([table])))
    np.testing.assert_allclose(scan.pixels, (65535 - 16 * STORED) / 65535, atol=1e-4)


def test_float_pixels() -> None:
    ds = dicom(WindowCenter=0.5, WindowWidth=1.0, BitsAllocated=32)
    for name in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(ds, name)
    values = (drawing() / np.float32(255)).astype(np.float32)
    ds.FloatPixelData = values.tobytes()
    np.testing.assert_allclose(read(ds).pixels, values, atol=1e-6)
    values[0, 0], values[0, 1] = np.nan, np.inf
    ds.FloatPixelData = values.tobytes()
    assert np.isfinite(read(ds).pixels).all()


@pytest.mark.parametrize("syntax", [uid.ExplicitVRBigEndian, uid.ImplicitVRLittleEndian])
def test_colours_become_gray_with_a_note_also_through_a_palette(syntax) -> None:
    colours = np.stack([np.arange(256), 255 - np.arange(256), np.full(256, 40)]).astype(np.uint16)
    ds = dicom(**EIGHT_BIT, PhotometricInterpretation="PALETTE COLOR")
    for name, table in zip(("Red", "Green", "Blue"), colours, strict=True):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        order = ">u2" if syntax == uid.ExplicitVRBigEndian else "<u2"
        setattr(ds, f"{name}PaletteColorLookupTableData", (table * 257).astype(order).tobytes())
    ds.file_meta.TransferSyntaxUID = syntax
    ds["PixelData"].VR = "OB"
    scan = read(ds)
    expected = (colours / 255).T[drawing()] @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(scan.pixels, expected, atol=1e-4)
    assert any("colour" in note for note in scan.notes)


@pytest.mark.parametrize(
    "syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.DeflatedExplicitVRLittleEndian]
)
def test_compression_without_loss_changes_nothing(syntax) -> None:
    ds = dicom_copy(dicom())
    if syntax.is_compressed and syntax != uid.DeflatedExplicitVRLittleEndian:
        ds.compress(syntax, generate_instance_uid=False)
    else:
        ds.file_meta.TransferSyntaxUID = syntax
    np.testing.assert_array_equal(read(ds).pixels, read(dicom()).pixels)


def test_missing_codec_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = dicom_copy(dicom())
    ds.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    decoder = pydicom.pixels.get_decoder(uid.JPEG2000Lossless)
    monkeypatch.setattr(decoder, "_available", {})
    with pytest.raises(UnreadableScan, match="install pylibjpeg and pylibjpeg-openjpeg"):
        dicom_module.decode(dicom_bytes(ds))


def test_compressions_that_no_free_codec_reads_are_named() -> None:
    ds = dicom_copy(dicom())
    ds.compress(uid.RLELossless, generate_instance_uid=False)
    ds.file_meta.TransferSyntaxUID = uid.MPEG2MPML
    assert "MPEG2" in refusal(dicom_bytes(ds))
    ds.file_meta.TransferSyntaxUID = uid.JPEGExtended12Bit
    assert "12-bit JPEG" in refusal(dicom_bytes(ds))


@pytest.mark.parametrize(
    "kind,words",
    [
        ("1.2.840.10008.5.1.4.1.1.104.1", "PDF"),
        ("1.2.840.10008.5.1.4.1.1.88.11", "structured report"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "segmentation"),
    ],
)
def test_what_is_no_image_is_called_by_its_name(kind, words) -> None:
    ds = dicom(SOPClassUID=kind)
    assert words in refusal(dicom_bytes(ds))


def test_no_pixel_data_and_cut_short() -> None:
    ds = dicom()
    data = dicom_bytes(ds)
    del ds.PixelData
    assert "no image" in refusal(dicom_bytes(ds))
    assert refusal(data[:-200])
    assert refusal(data[: len(data) // 4])


@pytest.mark.parametrize("name,value", [("Rows", 60000), ("Columns", 65535), ("Rows", 8), ("Rows", 0)])
def test_sides_that_cannot_be(name, value) -> None:
    assert refusal(dicom_bytes(dicom(**{name: value})))


@pytest.mark.parametrize("frames", [MOST_SLICES + 1, 1_000_000])
def test_too_many_frames_are_refused_by_the_header(frames) -> None:
    assert f"{frames} slices" in refusal(dicom_bytes(dicom(NumberOfFrames=frames)))


def test_no_identifier_leaves_the_file() -> None:
    stack = read_stack(dicom_bytes(dicom()), "scan.dcm")
    texts = [json.dumps(stack.notes), *(json.dumps({**asdict(scan), "pixels": ""}) for scan in stack.scans)]
    assert not any(secret in text for secret in SECRETS for text in texts)
    decoded = dicom_module.decode(dicom_bytes(dicom()))
    assert not any(secret in repr(decoded) for secret in SECRETS)
    assert not any(secret in refusal(dicom_bytes(dicom())[:700]) for secret in SECRETS)


@pytest.mark.parametrize(
    "options,warned",
    [
        ({"BurnedInAnnotation": "YES"}, True),
        ({"BurnedInAnnotation": "NO"}, False),
        ({"Modality": "US"}, True),
        ({"Modality": "SC"}, True),
        ({}, False),
    ],
)
def test_text_burned_into_the_image_is_warned_of(options, warned) -> None:
    notes = read(dicom(**options)).notes
    sentence = "Text may be burned into this image; check it for names before you share it."
    assert (sentence in notes) == warned


def test_another_modality_is_reported() -> None:
    assert any("CT" in note for note in read(dicom(Modality="CT")).notes)
    assert not any("EVIL" in note for note in read(dicom(Modality="EVIL")).notes)


# Stacks


def frames(count: int, **changes: Any) -> Dataset:
    pixels = b"".join((drawing(seed).astype(np.uint16) * 16).tobytes() for seed in range(count))
    return dicom(NumberOfFrames=count, PixelData=pixels, **changes)


def single(seed: int) -> np.ndarray:
    return drawing(seed).astype(np.float32)


def looks_like(scan: Scan, seed: int) -> bool:
    return bool(np.corrcoef(scan.pixels.ravel(), single(seed).ravel())[0, 1] > 0.999)


def test_frames_are_a_stack_with_one_window() -> None:
    stack = read_stack(dicom_bytes(frames(3)), "many.dcm")
    assert [scan.slice for scan in stack.scans] == [0, 1, 2] and stack.name == "many.dcm"
    assert all(looks_like(scan, seed) for seed, scan in enumerate(stack.scans))
    with pytest.raises(UnreadableScan, match="stack of 3 slices"):
        read_scan(dicom_bytes(frames(3)), "many.dcm")


def test_frames_are_ordered_by_their_own_positions_and_windows() -> None:
    ds = frames(3)
    del ds.ImagePositionPatient, ds.ImageOrientationPatient, ds.PixelSpacing
    plane, measures = Dataset(), Dataset()
    plane.ImageOrientationPatient, measures.PixelSpacing = [0, 1, 0, 0, 0, -1], [0.5, 0.5]
    shared = Dataset()
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([plane]), Sequence([measures])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    groups = []
    for place, width in ((7, 4000), (-20, 2000), (30, 1000)):  # the normal is -x: largest x comes first
        position, window, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [place, 1, 1]
        window.WindowCenter, window.WindowWidth = 1000, width
        group.PlanePositionSequence, group.FrameVOILUTSequence = Sequence([position]), Sequence([window])
        groups.append(group)
    ds.PerFrameFunctionalGroupsSequence = Sequence(groups)
    stack = read_stack(dicom_bytes(ds), "enhanced.dcm")
    assert [scan.spacing for scan in stack.scans] == [(0.5, 0.5)] * 3
    for scan, (seed, width) in zip(stack.scans, ((2, 1000), (0, 4000), (1, 2000)), strict=True):
        expected = np.clip((16 * single(seed) - 999.5) / (width - 1) + 0.5, 0, 1)
        np.testing.assert_allclose(scan.pixels, expected, atol=1e-5)


def series(*places: float, **changes: Any) -> list[tuple[str, bytes]]:
    """A file a place along z, numbered backwards; the image's seed is the index."""
    return [
        (
            f"{index}.dcm",
            dicom_bytes(
                dicom(index, len(places) - index, **({"ImagePositionPatient": [0, 0, place]} | changes))
            ),
        )
        for index, place in enumerate(places)
    ]


def test_files_of_a_series_are_one_stack_along_the_normal() -> None:
    parts = read_stacks(series(5, -10, 0))
    assert len(parts) == 1 and isinstance(parts[0], Stack)
    stack = parts[0]
    assert stack.name == "0.dcm and 2 more"
    assert [scan.slice for scan in stack.scans] == [0, 1, 2]
    assert [scan.name for scan in stack.scans] == ["1.dcm", "2.dcm", "0.dcm"]
    assert [looks_like(scan, seed) for scan, seed in zip(stack.scans, (1, 2, 0), strict=True)] == [True] * 3


def test_without_positions_the_numbers_decide() -> None:
    files = []
    for index in range(3):
        ds = dicom(index, 3 - index)
        del ds.ImagePositionPatient
        files.append((f"{index}.dcm", dicom_bytes(ds)))
    stack = read_stacks(files)[0]
    assert isinstance(stack, Stack) and [scan.name for scan in stack.scans] == ["2.dcm", "1.dcm", "0.dcm"]


def test_a_series_without_a_window_has_one_for_all() -> None:
    dim = dicom(1, 2, ImagePositionPatient=[0, 0, 9])
    dim.PixelData = (drawing(1).astype(np.uint16)).tobytes()  # a sixteenth as bright
    parts = read_stacks([*series(0), ("dim.dcm", dicom_bytes(dim))])[0]
    assert isinstance(parts, Stack)
    bright, dark = parts.scans
    assert dark.pixels.mean() < bright.pixels.mean() / 8


def test_localizers_and_other_series_stand_alone() -> None:
    files = series(0, 5)
    files.insert(1, ("sagittal.dcm", dicom_bytes(dicom(8, 8, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]))))
    files.append(("other.dcm", dicom_bytes(dicom(9, 9, SeriesInstanceUID="1.2.826.0.1.99"))))
    parts = read_stacks(files)
    assert [part.name for part in parts] == ["0.dcm and 1 more", "sagittal.dcm", "other.dcm"]
    single_image = parts[1]
    assert isinstance(single_image, Stack) and single_image.scans[0].slice is None


def test_of_places_imaged_twice_the_first_is_kept_with_a_note() -> None:
    files = []
    for index, place in enumerate((0, 5, 0, 5)):
        files.append((f"{index}.dcm", dicom_bytes(dicom(index, index, ImagePositionPatient=[0, 0, place]))))
    stack = read_stacks(files)[0]
    assert isinstance(stack, Stack) and [scan.name for scan in stack.scans] == ["0.dcm", "1.dcm"]
    assert any("2 of 4" in note for note in stack.notes)


def test_a_broken_file_of_a_series_does_not_take_the_others_with_it() -> None:
    files = series(0, 5, 10)
    files[1] = ("1.dcm", files[1][1][:-1000])
    parts = read_stacks(files)
    assert [type(part) for part in parts] == [Stack, Refusal]
    assert isinstance(parts[0], Stack) and len(parts[0].scans) == 2


def test_more_slices_than_a_stack_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("utils.scans.limits.MOST_SLICES", 2)
    parts = read_stacks(series(0, 5, 10))
    assert isinstance(parts[0], Refusal) and "at most 2" in parts[0].reason


# The test files of pydicom


def rendered(ds: Dataset, frame: np.ndarray) -> np.ndarray:
    """Brightness as pydicom's own tables give it."""
    if not ds.PhotometricInterpretation.startswith("MONOCHROME"):
        if ds.PhotometricInterpretation == "PALETTE COLOR":
            if ds.file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian:
                return apply_color_lut(frame, ds).byteswap() / 65535 @ [0.299, 0.587, 0.114]
            return apply_color_lut(frame, ds) / 65535 @ [0.299, 0.587, 0.114]
        return frame / (2**ds.BitsStored - 1) @ [0.299, 0.587, 0.114]
    values = apply_modality_lut(frame, ds)
    if "WindowCenter" in ds:
        shown = apply_voi_lut(values, ds)
        low, high = apply_voi_lut(np.asarray([-1e9, 1e9]), ds)
    elif "VOILUTSequence" in ds:
        shown = apply_voi_lut(values, ds)
        low, high = 0, 2 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
    elif ds.get("BitsStored", 16) <= 8:
        shown, (low, high) = values, (0, 2**ds.BitsStored - 1)
    else:
        shown = values.astype(float)
        low, high = np.percentile(shown, (0.5, 99.5))
    result = np.clip((shown.astype(float) - low) / (high - low), 0, 1)
    return 1 - result if ds.PhotometricInterpretation == "MONOCHROME1" else result


NO_IMAGE = {  # and the segmentations, liver*.dcm
    "emri_small_jpeg_2k_lossless_too_short.dcm": "cut short",
    "0.dcm": "a mosaic of slices",
    "1.dcm": "a mosaic of slices",
}


@pytest.mark.data
def test_pydicoms_own_files_look_as_pydicom_renders_them(data_root: Path) -> None:
    files = sorted((data_root / "dicom").rglob("*.dcm"))
    assert len(files) == 70
    wrong = []
    for file in files:
        parts = read_stacks([(file.name, file.read_bytes())])
        assert len(parts) == 1
        if file.name.startswith("liver") or file.name in NO_IMAGE:
            words = NO_IMAGE.get(file.name, "segmentation")
            assert isinstance(parts[0], Refusal) and words in parts[0].reason
            continue
        assert isinstance(parts[0], Stack), (file.name, parts[0])
        ds = pydicom.dcmread(file, force=True)
        if "TransferSyntaxUID" not in ds.file_meta:
            ds.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
        plugin = (
            "pyjpegls" if "JPEG-LS" in ds.file_meta.TransferSyntaxUID.name else ""
        )  # gdcm cannot read all
        frames = list(iter_pixels(ds, decoding_plugin=plugin))
        assert len(frames) == len(parts[0].scans)
        if "SharedFunctionalGroupsSequence" in ds or "PixelPaddingValue" in ds or len(frames) == 10:
            # a window for the whole stack, values of functional groups: the image is the same up to contrast
            for scan, frame in zip(parts[0].scans, frames, strict=True):
                inside = (scan.pixels > 0) & (scan.pixels < 1)
                if np.corrcoef(scan.pixels[inside], frame[inside])[0, 1] < 0.999:
                    wrong.append(file.name)
            continue
        if any("not square" in note for note in parts[0].notes):
            rows, columns = ds.get("PixelSpacing") or ds.PixelAspectRatio
            expected = np.divide(
                frames[0].shape[:2], (min(rows, columns) / rows, min(rows, columns) / columns)
            )
            assert parts[0].scans[0].shape == pytest.approx(expected, abs=1)
            continue
        if ds.get("ImageOrientationPatient") == [1, 0, 0, 0, -1, 0]:  # stored upside down
            frames = [frame[::-1] for frame in frames]
        for scan, frame in zip(parts[0].scans, frames, strict=True):
            if np.abs(scan.pixels - rendered(ds, frame)).max() > 2e-3:
                wrong.append(file.name)
    assert not wrong


@pytest.mark.data
def test_the_two_brain_slices_are_mosaics_and_else_one_series(data_root: Path) -> None:
    paths = sorted((data_root / "dicom" / "brain_mr").iterdir())
    refused = read_stacks([(path.name, path.read_bytes()) for path in paths])
    assert all(isinstance(part, Refusal) and "a mosaic of slices" in part.reason for part in refused)
    files = []
    for path in paths:
        ds = pydicom.dcmread(path)
        ds.ImageType = [kind for kind in ds.ImageType if kind != "MOSAIC"]
        files.append((path.name, dicom_bytes(ds)))
    parts = read_stacks(files)
    assert len(parts) == 1 and isinstance(parts[0], Stack) and len(parts[0].scans) == len(files) == 2
    assert parts[0].scans[0].spacing == (1.796875, 1.796875)


def test_the_app_does_not_import_pydicom_for_plain_images() -> None:
    import subprocess

    code = "import sys, utils.scans.upload; sys.exit('pydicom' in sys.modules or 'nibabel' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
