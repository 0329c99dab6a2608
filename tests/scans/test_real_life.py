"""DICOM files that leave out attributes, hide the image or come in other containers: read, or named."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile

import numpy as np
import pytest
from pydicom import uid
from pydicom.sequence import Sequence

from tests.support.corpus import dicom, dicom_bytes, dicom_copy, drawing
from tests.support.uploads import only, reason
from utils.scans.dicom_pixels import BITS_DISAGREE, SLOPE_ZERO
from utils.scans.scan import Scan
from utils.scans.upload import read_scan, read_stacks


def plain() -> Scan:
    return read_scan(dicom_bytes(dicom()), "plain.dcm")


# Unused bits


@pytest.mark.parametrize(
    "syntax", [uid.ExplicitVRLittleEndian, uid.RLELossless, uid.JPEG2000Lossless, uid.JPEGLSLossless]
)
@pytest.mark.parametrize("is_signed", [False, True])
def test_overlays_in_unused_bits_are_cleared_in_every_transfer_syntax(syntax, is_signed) -> None:
    """PS3.5 8.1.1: the bits above BitsStored are not part of the value; old files keep overlays there."""
    stored = drawing().astype(np.uint16) * (8 if is_signed else 16)
    overlay = (np.arange(stored.size).reshape(stored.shape) % 3 == 0).astype(np.uint16) << 12
    ds = dicom_copy(dicom(BitsStored=16, HighBit=15, PixelData=(stored | overlay).tobytes()))
    if syntax.is_compressed:
        ds.compress(syntax, generate_instance_uid=False)
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, int(is_signed)
    pixels = read_scan(dicom_bytes(ds), "a.dcm").pixels
    assert np.corrcoef(pixels.ravel(), stored.ravel())[0, 1] > 0.9999


def test_contradicting_bits_are_left_with_a_note() -> None:
    scan = read_scan(dicom_bytes(dicom(HighBit=15)), "a.dcm")
    assert BITS_DISAGREE in scan.notes
    np.testing.assert_array_equal(scan.pixels, plain().pixels)


# Attributes that are missing or empty


@pytest.mark.parametrize(
    "keyword",
    [
        "PhotometricInterpretation",
        "PixelRepresentation",
        "SamplesPerPixel",
        "BitsStored",
        "HighBit",
        "BitsAllocated",
        "InstanceNumber",
        "Modality",
        "SOPClassUID",
    ],
)
@pytest.mark.parametrize("is_empty", [False, True])
def test_what_a_file_leaves_out_has_the_usual_value(keyword, is_empty) -> None:
    ds = dicom()
    ds["PixelData"].VR = "OW"  # pydicom derives it from the attributes that are missing here
    if is_empty:
        setattr(ds, keyword, None)
    else:
        delattr(ds, keyword)
    scan = read_scan(_written(ds), "a.dcm")
    np.testing.assert_allclose(scan.pixels, plain().pixels, atol=1e-6)
    assert scan.notes == ()


def _written(ds) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_colour_without_its_attributes_is_read() -> None:
    eight = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "SamplesPerPixel": 3}
    ds = dicom(**eight, PixelData=drawing(2, 3).tobytes(), PhotometricInterpretation="RGB")
    right = dicom(**eight, PixelData=ds.PixelData, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    del ds.PhotometricInterpretation
    scans = [read_scan(dicom_bytes(each), "a.dcm") for each in (ds, right)]
    np.testing.assert_array_equal(scans[0].pixels, scans[1].pixels)


def test_a_slope_of_zero_is_ignored_with_a_note() -> None:
    scan = read_scan(dicom_bytes(dicom(RescaleSlope=0, RescaleIntercept=0)), "a.dcm")
    np.testing.assert_allclose(scan.pixels, plain().pixels, atol=1e-6)
    assert scan.notes == (SLOPE_ZERO,)


def test_a_window_with_decimal_commas_is_read() -> None:
    data = dicom_bytes(dicom(WindowCenter=1800.0, WindowWidth=2500.0))
    assert data.count(b"1800.0") == data.count(b"2500.0") == 1
    data = data.replace(b"1800.0", b"1800,5").replace(b"2500.0", b"2500,0")
    right = read_scan(dicom_bytes(dicom(WindowCenter=1800.5, WindowWidth=2500)), "a")
    np.testing.assert_allclose(read_scan(data, "a").pixels, right.pixels, atol=1e-6)


def test_acr_nema_files_are_read() -> None:
    """The format before DICOM: no preamble, no meta information, no UIDs, few attributes."""
    stored = drawing().astype("<u2") * 16

    def element(group: int, number: int, value: bytes) -> bytes:
        return struct.pack("<HHI", group, number, len(value)) + value

    def short(number: int) -> bytes:
        return struct.pack("<H", number)

    body = (
        element(0x0008, 0x0010, b"ACR-NEMA 2.0")
        + element(0x0008, 0x0060, b"MR")
        + element(0x0028, 0x0010, short(stored.shape[0]))
        + element(0x0028, 0x0011, short(stored.shape[1]))
        + element(0x0028, 0x0100, short(16))
        + element(0x0028, 0x0101, short(12))
        + element(0x0028, 0x0102, short(11))
        + element(0x0028, 0x0103, short(0))
        + element(0x7FE0, 0x0010, stored.tobytes())
    )
    for start in (b"", element(0x0008, 0x0000, struct.pack("<I", 40))):
        np.testing.assert_allclose(read_scan(start + body, "old").pixels, plain().pixels, atol=1e-6)


# Other containers


def test_dicom_in_gzip_is_read() -> None:
    data = dicom_bytes(dicom())
    np.testing.assert_array_equal(read_scan(gzip.compress(data), "a.dcm.gz").pixels, plain().pixels)


def test_what_is_not_read_is_named() -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as stream:
        entry = tarfile.TarInfo("a.dcm")
        data = dicom_bytes(dicom())
        entry.size = len(data)
        stream.addfile(entry, io.BytesIO(data))
    mgh = b"\0\0\0\1" + struct.pack(">4i", 40, 40, 40, 1) + bytes(264) + bytes(64_000)
    for data, words in (
        (archive.getvalue(), "tar archive"),
        (mgh, "FreeSurfer"),
        (b"NRRD0004\n" + bytes(500), "NRRD"),
        (b"\x89HDF\r\n\x1a\n" + bytes(500), "MINC"),
    ):
        assert words in reason(data) and words in reason(gzip.compress(data))
    assert "gzip file contains neither" in reason(gzip.compress(b"Dear colleague" * 50))


def test_a_mosaic_is_called_a_mosaic() -> None:
    data = dicom_bytes(dicom(ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]))
    assert "a mosaic of slices" in reason(data)


def test_malformed_attributes_do_not_damage_an_image() -> None:
    """Text where numbers belong, in attributes that the image does not need."""
    data = dicom_bytes(dicom(EchoTime=15.0, SliceLocation=4, WindowCenter=1800.0, WindowWidth=2500.0))
    for before, after in ((b"DS\x04\x0015.0", b"DS\x04\x00none"), (b"1800.0", b"softly")):
        assert data.count(before) == 1
        data = data.replace(before, after)
    np.testing.assert_allclose(read_scan(data, "a").pixels, plain().pixels, atol=1e-6)


def test_large_compressed_stacks_have_time_for_their_pixels(monkeypatch) -> None:
    """Processor time follows the pixels that have been decoded, not only the bytes of the file."""
    frame = np.where(np.kron(drawing(), np.ones((8, 8), np.uint16)) > 200, 4000, 0).astype(np.uint16)
    ds = dicom(NumberOfFrames=60, PixelData=frame.tobytes() * 60, Rows=frame.shape[0], Columns=frame.shape[1])
    ds = dicom_copy(ds)
    ds.compress(uid.JPEG2000Lossless, generate_instance_uid=False)
    monkeypatch.setattr("utils.scans.upload.DECODER_SECONDS", 0.5)
    part = only(read_stacks([("a.dcm", dicom_bytes(ds))]))
    assert len(getattr(part, "scans", ())) == 60, part


def test_sequences_that_are_empty_are_as_if_missing() -> None:
    ds = dicom(SharedFunctionalGroupsSequence=Sequence([]), VOILUTSequence=Sequence([]))
    np.testing.assert_array_equal(read_scan(dicom_bytes(ds), "a").pixels, plain().pixels)
