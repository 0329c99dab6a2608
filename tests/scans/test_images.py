"""JPEG, PNG, BMP, TIFF and WebP: every mode, damaged files, limits."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from utils.scans import images, upload
from utils.scans.errors import UnreadableScan
from utils.scans.limits import LARGEST_IMAGE, PLAIN_PIXELS
from utils.scans.scan import Scan
from utils.scans.upload import read_scan


def encode(image: Image.Image, image_format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def gray(brain: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(brain * 255).astype(np.uint8))


def refusal(data: bytes) -> str:
    with pytest.raises(UnreadableScan) as caught:
        read_scan(data, "scan")
    text = str(caught.value)
    assert text.endswith(".") and "\n" not in text
    return text


MODES = {
    "PNG": ["L", "RGB", "RGBA", "LA", "P", "I;16"],
    "TIFF": ["L", "RGB", "RGBA", "LA", "P", "I;16", "CMYK"],
    "JPEG": ["L", "RGB", "CMYK"],
    "BMP": ["L", "RGB", "P"],
    "WEBP": ["RGB", "RGBA"],
}


@pytest.mark.parametrize(
    "image_format,mode", [(form, mode) for form, modes in MODES.items() for mode in modes]
)
def test_every_mode_gives_the_same_image(brain, image_format, mode):
    if mode == "I;16":
        image = Image.fromarray((brain * 65535).astype(np.uint16))
    elif mode == "P":
        image = gray(brain).convert("RGB").quantize(256)
    else:
        image = gray(brain).convert("RGB").convert(mode)
    assert image.mode == mode
    data = encode(image, image_format)
    scan = read_scan(data, "scan")
    expected = brain / brain.max() if mode == "I;16" else brain
    assert scan.pixels.shape == brain.shape == scan.shape
    assert scan.pixels.dtype == np.float32
    assert scan.format == image_format
    assert np.abs(scan.pixels - expected).mean() < 0.02
    assert scan.notes == ()


def test_black_and_white(brain):
    scan = read_scan(encode(gray(brain).convert("1")), "scan")
    assert set(np.unique(scan.pixels)) == {0.0, 1.0}


def test_sixteen_bit_signed_and_float_images_are_stretched(brain):
    for image in (
        Image.fromarray((brain * 3000 - 1000).astype(np.int32)),
        Image.fromarray(brain * 7 - 2),
    ):
        pixels = read_scan(encode(image, "TIFF"), "scan").pixels
        assert pixels.min() == 0 and pixels.max() == pytest.approx(1)
        assert np.corrcoef(pixels.ravel(), brain.ravel())[0, 1] > 0.999


def test_numbers_that_are_not_finite_are_black_with_a_note(brain):
    brain[3, 4], brain[5, 6] = np.nan, np.inf
    scan = read_scan(encode(Image.fromarray(brain), "TIFF"), "scan")
    assert scan.pixels[3, 4] == scan.pixels[5, 6] == 0 and np.isfinite(scan.pixels).all()
    assert scan.pixels.max() == 1 and any("finite" in note for note in scan.notes)
    assert "blank" in refusal(encode(Image.fromarray(brain * np.float32(np.nan)), "TIFF"))


def deep_png(channels: np.ndarray, kind: int) -> bytes:
    """A 16-bit PNG, (H, W, C) uint16; kind 2 is RGB, 4 gray with alpha, 6 RGB with alpha."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in channels)
    header = struct.pack(">IIBBBBB", channels.shape[1], channels.shape[0], 16, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("largest", [255, 4095, 65535])
@pytest.mark.parametrize("kind,channels", [(2, 3), (4, 1), (6, 3)])
def test_sixteen_bits_of_several_channels_keep_their_depth(brain, largest, kind, channels):
    gray_values = np.rint(brain / brain.max() * largest).astype(np.uint16)
    layers = [gray_values] * channels + ([np.full(brain.shape, 65535, np.uint16)] if kind > 2 else [])
    scan = read_scan(deep_png(np.dstack(layers), kind), "deep.png")
    expected = (gray_values - gray_values.min()) / np.ptp(gray_values)
    np.testing.assert_allclose(scan.pixels, expected, atol=1e-4)
    assert len(np.unique(scan.pixels)) == len(np.unique(gray_values)) and scan.notes == ()


def test_deep_transparent_pixels_are_black_and_deep_colour_has_a_note(brain):
    values = np.rint(brain * 4000).astype(np.uint16)
    alpha = np.full(brain.shape, 65535, np.uint16)
    alpha[:100] = 0
    assert read_scan(deep_png(np.dstack([values, alpha]), 4), "a").pixels[:100].max() == 0
    coloured = np.dstack([values, values // 5, values // 3])
    assert any("colour" in note for note in read_scan(deep_png(coloured, 2), "a").notes)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_deep_images_follow_exif(brain, orientation):
    values = np.rint(brain * 4000).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    body = exif.tobytes()[6:]
    plain = deep_png(np.dstack([values] * 3), 2)
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    turned = read_scan(plain[:33] + chunk + plain[33:], "a").pixels
    expected = {1: 0, 3: 2, 6: 3, 8: 1}[orientation]
    np.testing.assert_array_equal(turned, np.rot90(read_scan(plain, "a").pixels, expected))


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
def test_a_truncated_deep_image_is_refused(brain, kept):
    data = deep_png(np.dstack([np.rint(brain * 4000).astype(np.uint16)] * 3), 2)
    assert refusal(data[: int(len(data) * kept)])


def test_sixteen_bit_colour_tiff_keeps_its_depth(brain):
    values = np.rint(brain * 4000).astype(np.uint16)
    for compression in (1, 5):  # none, LZW
        data = cv2.imencode(".tiff", np.dstack([values] * 3), [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1]
        scan = read_scan(data.tobytes(), "a.tif")
        assert len(np.unique(scan.pixels)) == len(np.unique(values)) > 1000


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_white_is_zero_is_inverted_at_every_depth(brain, dtype):
    largest = 1 if dtype is np.float32 else np.iinfo(dtype).max
    stored = (largest - np.rint(brain * largest) if largest > 1 else 1 - brain).astype(dtype)
    plain = encode(Image.fromarray(stored), "TIFF")
    data = bytearray(plain)  # Pillow writes BlackIsZero: the tag is changed in the file
    at = data.index(struct.pack("<HHI", 262, 3, 1)) + 8
    data[at : at + 2] = struct.pack("<H", 0)
    pixels = read_scan(bytes(data), "a.tif").pixels
    assert np.corrcoef(pixels.ravel(), brain.ravel())[0, 1] > 0.999


def test_transparent_pixels_count_as_black(brain):
    opaque = np.full(brain.shape, 255, np.uint8)
    opaque[:100] = 0
    layers = [np.full(brain.shape, 200, np.uint8)] * 3 + [opaque]
    pixels = read_scan(encode(Image.fromarray(np.dstack(layers))), "scan").pixels
    assert pixels[:100].max() == 0 and pixels[100:].min() == pytest.approx(200 / 255)


def test_a_colour_image_carries_a_note(brain):
    coloured = np.dstack([brain, brain * 0.2, 1 - brain])
    scan = read_scan(encode(Image.fromarray((coloured * 255).astype(np.uint8))), "scan")
    assert any("colour" in note for note in scan.notes)


def test_only_the_first_of_several_images_is_read(brain, draw_brain):
    pages = [gray(brain), gray(draw_brain(seed=1))]
    scan = read_scan(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "scan")
    assert np.allclose(scan.pixels, brain, atol=1 / 255)
    assert any("first" in note for note in scan.notes)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_followed(brain, orientation):
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # Image.Transpose
    stored = gray(brain) if undo is None else gray(brain).transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    scan = read_scan(encode(stored, "PNG", exif=exif), "scan")
    assert scan.shape == brain.shape
    assert np.allclose(scan.pixels, brain, atol=1 / 255)


def test_the_bytes_decide_the_format_and_not_the_name(brain):
    assert read_scan(encode(gray(brain), "JPEG"), "scan.png").format == "JPEG"


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(brain, image_format, kept):
    data = encode(gray(brain), image_format)
    assert refusal(data[: int(len(data) * kept)])


def test_what_is_no_image_is_refused():
    assert "empty" in refusal(b"")
    assert "not an image" in refusal(b"Dear colleague, please find attached")
    assert "not an image" in refusal(b"%PDF-1.7\n" + bytes(500))
    assert "DICOM" in refusal(bytes(128) + b"DICM" + bytes(200))
    assert "NIfTI" in refusal(bytes(344) + b"n+1\0" + bytes(200))
    assert "NIfTI" in refusal(b"\x1f\x8b\x08" + bytes(200))
    assert "ZIP" in refusal(b"PK\x03\x04" + bytes(200))


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("width,height", [(9000, 9000), (60_000, 60_000), (2_000_000, 2_000_000)])
def test_a_header_that_promises_too_much_is_refused_before_it_is_decoded(width, height):
    assert width * height > LARGEST_IMAGE
    assert "million" in refusal(_png_header(width, height))


@pytest.mark.parametrize("size", [(31, 200), (200, 31), (1, 1)])
def test_too_small_a_image_is_refused(size):
    assert "at least 32" in refusal(encode(Image.new("L", size, 90)))


def test_a_strip_is_refused():
    assert "strip" in refusal(encode(Image.new("L", (400, 40))))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_image_is_refused(level):
    assert "blank" in refusal(encode(Image.new("L", (64, 64), level)))
    assert "blank" in refusal(encode(Image.fromarray(np.full((64, 64), level * 200, np.uint16))))


def test_pixels_cannot_be_written(brain):
    scan = read_scan(encode(gray(brain)), "scan")
    with pytest.raises(ValueError):
        scan.pixels[0, 0] = 1


MAGIC = [b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"II*\0", b"MM\0*", b"RIFF\x40\0\0\0WEBPVP8 "]


def check_scan_or_refusal(data: bytes) -> None:
    try:
        scan = read_scan(data, "scan")
    except UnreadableScan:
        return
    assert isinstance(scan, Scan)
    assert np.isfinite(scan.pixels).all() and 0 <= scan.pixels.min() < scan.pixels.max() <= 1


@settings(max_examples=150)
@given(st.sampled_from(MAGIC), st.binary(max_size=600))
def test_arbitrary_bytes_give_a_scan_or_a_refusal(magic, rest):
    check_scan_or_refusal(magic + rest)


@settings(max_examples=150)
@given(
    st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_files_give_a_scan_or_a_refusal(image_format, changes):
    ramp = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    data = bytearray(encode(Image.fromarray(ramp), image_format))
    for where, value in changes:
        data[int(where * (len(data) - 1))] = value
    check_scan_or_refusal(bytes(data))


def test_a_large_image_is_made_gray_in_bands_that_leave_no_seam(brain):
    small = np.dstack([brain, brain * 0.3, 1 - brain])
    large = np.kron((small * 255).astype(np.uint8), np.ones((11, 13, 1), np.uint8))
    assert large.shape[0] * large.shape[1] > PLAIN_PIXELS
    layers = np.dstack([large, np.full(large.shape[:2], 255, np.uint8)])
    for image in (Image.fromarray(large), Image.fromarray(layers)):
        scan = read_scan(encode(image, "PNG", compress_level=1), "scan")
        expected = (large.astype(np.float32) / 255) @ np.asarray([0.299, 0.587, 0.114], np.float32)
        assert np.abs(scan.pixels - expected).max() < 1e-6
        assert any("colour" in note for note in scan.notes)


def test_numbers_beyond_any_brightness_are_refused(brain):
    huge = np.where(brain > 0.5, np.float32(3e38), np.float32(-3e38))
    assert "beyond" in refusal(encode(Image.fromarray(huge), "TIFF"))


def test_plain_images_need_no_decoder_process(brain, monkeypatch):
    def never():
        raise AssertionError("a plain image went to the decoder process")

    monkeypatch.setattr(upload, "decoder", never)
    for image_format in ("PNG", "JPEG"):
        assert read_scan(encode(gray(brain), image_format), "scan").format == image_format


def test_a_jpeg_of_very_many_passes_is_not_decoded_in_this_process(brain):
    data = encode(gray(brain), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:last] + data[last:-2] * 200_000 + data[-2:]
    assert len(bomb) > 1_000_000
    check_scan_or_refusal(bomb)
    assert images.decode_plain(data[:last] + data[last:-2] * 100 + data[-2:]) is None
