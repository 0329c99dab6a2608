"""Hostile uploads: each is refused in a sentence, within the limits, and the next one is read."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.support.corpus import dicom, dicom_bytes, zipped
from tests.support.uploads import only, reason
from utils.scans import decoder_process, errors, limits
from utils.scans.decoded import Decoded
from utils.scans.errors import UnreadableScan
from utils.scans.scan import Refusal, Stack
from utils.scans.upload import read_scan_file, read_stacks


def test_many_files_and_large_files_are_refused(png_bytes, monkeypatch) -> None:
    monkeypatch.setattr("utils.scans.upload.MOST_FILES", 2)
    parts = read_stacks([(f"{seed}.png", png_bytes(seed)) for seed in range(4)])
    assert [type(part) for part in parts] == [Stack, Stack, Refusal] and parts[2].name == "2.png and 1 more"
    monkeypatch.setattr("utils.scans.limits.LARGEST_FILE", 1000)
    assert "MB" in reason(png_bytes(1))


def test_all_pixels_of_an_upload_are_bounded(png_bytes, tiff, monkeypatch) -> None:
    monkeypatch.setattr("utils.scans.upload.LARGEST_UPLOAD", 50_000)  # an image has 39,600
    parts = read_stacks([("a.png", png_bytes(1)), ("b.png", png_bytes(2)), ("c.tif", tiff)])
    assert [type(part) for part in parts] == [Stack, Refusal, Refusal]
    assert all("read at once" in part.reason for part in parts if isinstance(part, Refusal))


def _png(width: int, height: int, body: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chained_tiff() -> bytes:
    """A TIFF with 300,000 directories that lead to each other; the first is an image."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").save(buffer, "TIFF")
    chain = bytearray(buffer.getvalue())
    first = struct.unpack_from("<I", chain, 4)[0]
    entries = struct.unpack_from("<H", chain, first)[0]
    struct.pack_into("<I", chain, first + 2 + 12 * entries, len(chain))
    for _ in range(300_000):
        chain += struct.pack("<HHHIII", 1, 256, 3, 1, 64, len(chain) + 18)
    return bytes(chain)


def test_dicom_that_lies_about_lengths() -> None:
    plain = dicom_bytes(dicom())
    place = plain.rindex(b"\xe0\x7f\x10\x00OW") + 8
    assert reason(plain[:place] + bytes(4) + plain[place + 4 :])
    for length in (2**31, 2**32 - 2):  # what is there is taken, if it is enough
        longer = plain[:place] + struct.pack("<I", length) + plain[place + 4 :]
        assert isinstance(only(read_stacks([("long.dcm", longer)])), Stack) and reason(longer[:-100])
    nested = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 20_000
    assert reason(plain[:400] + nested)
    head = bytes(128) + b"DICM" + b"\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(deflate.compress(bytes(1_000_000)) for _ in range(1000)) + deflate.flush()
    assert reason(head + bomb)


def test_image_bombs() -> None:
    assert "million" in reason(_png(10_000, 10_000, zlib.compress(bytes(10_001 * 10_000), 1)))
    assert "blank" in reason(_png(5000, 4999, zlib.compress(bytes(5001 * 4999), 1)))
    assert reason(_png(60, 60, zlib.compress(bytes(50_000_000))))
    assert reason(chained_tiff())


def test_a_zip_whose_file_breaks_the_decoder_is_not_read_further(tiff, monkeypatch) -> None:
    def fail(*arguments) -> tuple[Decoded, float]:
        raise errors.DecoderFailed(decoder_process.FAILED)

    monkeypatch.setattr(decoder_process.DecoderProcess, "decode", fail)
    parts = read_stacks([("all.zip", zipped({f"{n}.tif": tiff for n in range(5)}))])
    assert [part.name for part in parts] == ["all.zip"]
    many = read_stacks([(f"{n}.tif", tiff) for n in range(limits.MOST_DECODER_FAILURES + 1)])
    assert isinstance(many[-1], Refusal) and "Too many files" in many[-1].reason


def test_files_that_cannot_be_opened(tmp_path: Path):
    with pytest.raises(UnreadableScan, match="cannot be opened"):
        read_scan_file(tmp_path / "missing.png")
    with pytest.raises(UnreadableScan, match="cannot be opened"):
        read_scan_file(tmp_path)


@pytest.mark.data
def test_real_scans_are_read(data_root):
    for file in sorted((data_root / "nickparvar" / "Testing").rglob("*.jpg"))[::100]:
        scan = read_scan_file(file)
        assert scan.name == str(file) and min(scan.shape) >= 32


def test_unexpected_exceptions_are_logged_without_what_they_say(png_bytes, monkeypatch, caplog) -> None:
    def fail(*arguments: object) -> None:
        try:
            raise KeyError("Secret^Patient")
        except KeyError as error:
            raise RuntimeError("ID-4711 in private-name.png") from error

    monkeypatch.setattr("utils.scans.images.decode_plain", fail)
    assert "cannot be read" in reason(png_bytes(1), "private-name.png")
    assert "RuntimeError" in caplog.text and "KeyError" in caplog.text and "in fail" in caplog.text
    assert not any(secret in caplog.text for secret in ("Secret", "4711", "private-name"))
