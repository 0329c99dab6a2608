"""Hostile uploads: each ends in a sentence, inside the limits, and the next one works. ZIPs, bombs, dying decoders."""

from __future__ import annotations

import io
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.corpus import dicom, dicom_bytes, endless_jpeg, zipped
from utils.scans import decoder_process, errors, images, limits
from utils.scans.decoded import Decoded
from utils.scans.scan import Refusal, Stack
from utils.scans.upload import read_stacks

HANG = 60  # seconds by the clock: a guard, not a measurement


@pytest.fixture
def tiff(brain) -> bytes:
    """A picture that goes through the decoder process."""
    buffer = io.BytesIO()
    Image.fromarray(np.rint(brain * 255).astype(np.uint8)).save(buffer, "TIFF")
    return buffer.getvalue()


def only(found: list[Stack | Refusal]) -> Stack | Refusal:
    assert len(found) == 1
    return found[0]


def reason(data: bytes, name: str = "file") -> str:
    started = time.monotonic()
    one = only(read_stacks([(name, data)]))
    assert isinstance(one, Refusal), one
    assert one.reason.endswith(".") and "\n" not in one.reason and time.monotonic() - started < HANG
    return one.reason


# ZIP


def test_files_of_a_zip_are_named_by_their_base_name_and_kept_in_memory(
    png_bytes, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["../../up.png", "/etc/passwd.png", "C:\\windows\\w.png", "a/b/deep.png", "tab\there.png"]
    data = zipped({name: png_bytes(seed) for seed, name in enumerate(names)})
    found = read_stacks([("all.zip", data)])
    assert [one.name for one in found] == ["up.png", "passwd.png", "w.png", "deep.png", "tab here.png"]
    assert all(isinstance(one, Stack) for one in found) and not list(tmp_path.iterdir())


def test_series_in_a_zip_is_one_stack_with_loose_files_of_it(png_bytes) -> None:
    files = {f"IM{number}": dicom_bytes(dicom(number, number)) for number in range(3)}
    data = zipped(files | {"__MACOSX/._x": b"junk", ".DS_Store": b"junk", "notes.txt": b"Dear colleague"})
    found = read_stacks([("s.zip", data), ("more.dcm", dicom_bytes(dicom(3, 3))), ("a.png", png_bytes(1))])
    assert [type(one) for one in found] == [Stack, Refusal, Stack]
    assert isinstance(found[0], Stack)
    assert found[0].name == "IM0 and 3 more" and [scan.slice for scan in found[0].scans] == [0, 1, 2, 3]
    assert found[1] == Refusal("notes.txt", images.NOT_AN_IMAGE)


def test_zips_that_are_refused_as_a_whole(png_bytes) -> None:
    assert "inside a ZIP" in reason(zipped({"inner.zip": zipped({"a.png": png_bytes(1)})}))
    assert "no file" in reason(zipped({}))
    assert "damaged" in reason(zipped({"a.png": png_bytes(1)})[:-30])
    assert "more than 1024 files" in reason(zipped({f"{n}": b"x" for n in range(limits.MOST_FILES + 1)}))


def test_members_that_cannot_be_unpacked(png_bytes) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.png", png_bytes(1))
    assert "unusual way" in reason(buffer.getvalue())
    locked = bytearray(zipped({"a.png": png_bytes(1)}))
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(signature) + place] |= 1
    assert "password" in reason(bytes(locked))


def test_zip_bombs(monkeypatch) -> None:
    assert "more than a scan may take" in reason(zipped({"zeros": bytes(20_000_000)}))
    monkeypatch.setattr("utils.scans.archives.LARGEST_UNPACKED", 30_000_000)
    assert "unpacks to 36 MB; at most 30 MB" in reason(zipped({f"{n}": bytes(9_000_000) for n in range(4)}))
    liar = bytearray(zipped({"zeros": bytes(20_000_000)}))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):  # says that it unpacks to 100 bytes
        struct.pack_into("<I", liar, liar.index(signature) + place, 100)
    assert reason(bytes(liar))


# Bombs and odd pictures


def test_many_files_and_large_files_are_refused(png_bytes, monkeypatch) -> None:
    monkeypatch.setattr("utils.scans.upload.MOST_FILES", 2)
    found = read_stacks([(f"{seed}.png", png_bytes(seed)) for seed in range(4)])
    assert [type(one) for one in found] == [Stack, Stack, Refusal] and found[2].name == "2.png and 1 more"
    monkeypatch.setattr("utils.scans.limits.LARGEST_FILE", 1000)
    assert "MB" in reason(png_bytes(1))


def test_all_pixels_of_an_upload_are_bounded(png_bytes, tiff, monkeypatch) -> None:
    monkeypatch.setattr("utils.scans.upload.LARGEST_UPLOAD", 50_000)  # a picture has 39,600
    found = read_stacks([("a.png", png_bytes(1)), ("b.png", png_bytes(2)), ("c.tif", tiff)])
    assert [type(one) for one in found] == [Stack, Refusal, Refusal]
    assert all("read at once" in one.reason for one in found if isinstance(one, Refusal))


def _png(width: int, height: int, body: bytes) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_picture_bombs() -> None:
    assert "million" in reason(_png(10_000, 10_000, zlib.compress(bytes(10_001 * 10_000), 1)))
    assert "blank" in reason(_png(5000, 4999, zlib.compress(bytes(5001 * 4999), 1)))
    assert reason(_png(60, 60, zlib.compress(bytes(50_000_000))))
    assert reason(chained_tiff())


def chained_tiff() -> bytes:
    """A TIFF with 300,000 directories that lead to each other; the first is a picture."""
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


# The decoder process


def test_decoder_that_dies_is_one_sentence_and_the_next_file_works(tiff) -> None:
    assert isinstance(only(read_stacks([("a.tif", tiff)])), Stack)
    pid = decoder_process.decoder().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))  # in the middle of its work
    killer.start()
    assert "decoder fail" in reason(tiff)
    killer.join()
    assert isinstance(only(read_stacks([("a.tif", tiff)])), Stack)
    assert decoder_process.decoder().pid not in (None, pid)


def test_decoder_that_died_idle_is_not_noticed(tiff) -> None:
    read_stacks([("a.tif", tiff)])
    pid = decoder_process.decoder().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert isinstance(only(read_stacks([("a.tif", tiff)])), Stack)


def test_decoder_that_hangs_is_ended(tiff, monkeypatch) -> None:
    read_stacks([("a.tif", tiff)])
    pid = decoder_process.decoder().pid
    assert pid is not None
    monkeypatch.setattr(decoder_process, "WAITING", 0)
    os.kill(pid, signal.SIGSTOP)
    assert "decoder fail" in reason(tiff)
    assert decoder_process.decoder().pid is None


def test_processor_time_is_bounded(tiff) -> None:
    read_stacks([("a.tif", tiff)])
    with pytest.raises(errors.DecoderFailed):
        decoder_process.decoder().decode(endless_jpeg(), 0.1)
    assert isinstance(only(read_stacks([("a.tif", tiff)])), Stack)


def test_a_zip_whose_file_breaks_the_decoder_is_not_read_further(tiff, monkeypatch) -> None:
    def fail(*arguments) -> tuple[Decoded, float]:
        raise errors.DecoderFailed(decoder_process.FAILED)

    monkeypatch.setattr(decoder_process.DecoderProcess, "decode", fail)
    found = read_stacks([("all.zip", zipped({f"{n}.tif": tiff for n in range(5)}))])
    assert [one.name for one in found] == ["all.zip"]
    many = read_stacks([(f"{n}.tif", tiff) for n in range(limits.MOST_DECODER_FAILURES + 1)])
    assert isinstance(many[-1], Refusal) and "Too many files" in many[-1].reason


def test_decoder_writes_no_file_no_core_and_has_a_memory_limit(tiff) -> None:
    read_stacks([("a.tif", tiff)])
    pid = decoder_process.decoder().pid
    assert pid is not None
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert 0 < resource.prlimit(pid, resource.RLIMIT_AS)[0] < 2_500_000_000
    assert "tensorflow" not in Path(f"/proc/{pid}/maps").read_text()


def test_many_threads_share_the_decoder(tiff) -> None:
    results: list[Stack | Refusal] = []
    threads = [
        threading.Thread(target=lambda: results.extend(read_stacks([("a.tif", tiff)]))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert len(results) == 8 and all(isinstance(one, Stack) for one in results)
    assert len({one.scans[0].pixels.tobytes() for one in results if isinstance(one, Stack)}) == 1


def test_the_decoder_ends_with_its_program() -> None:
    code = (
        "import io, os\nfrom PIL import Image\nfrom utils.scans.decoder_process import decoder\nbuffer = io.BytesIO()\n"
        "Image.linear_gradient('L').save(buffer, 'TIFF')\ndecoder().decode(buffer.getvalue())\n"
        "print(decoder().pid, flush=True)\nos._exit(0)"  # without a farewell
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}/status").exists() or "zombie" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.1)
    raise AssertionError("it runs on")


# The limits stand in one place


def test_readme_and_configuration_name_the_limits() -> None:
    repository = Path(__file__).resolve().parents[2]
    section = (
        repository.joinpath("README.md").read_text().split("## What can be dropped in")[1].split("\n## ")[0]
    )
    for words in (
        f"| {limits.LARGEST_FILE // limits.MEGABYTE} MB |",
        f"| {limits.LARGEST_PICTURE // 10**6} million |",
        f"| {limits.MOST_SLICES} |",
        f"| {limits.LARGEST_STACK // 10**6} million |",
        f"| {limits.MOST_FILES:,} |",
        f"| {limits.LARGEST_UPLOAD // 10**6} million |",
        f"| {limits.LARGEST_UNPACKED // limits.MEGABYTE} MB, {limits.LARGEST_RATIO} : 1 |",
        f"| {limits.SMALLEST_SIDE} x {limits.SMALLEST_SIDE}, {limits.LARGEST_ASPECT} : 1 |",
        f"| {limits.DECODER_SECONDS} s, {limits.DECODER_MEMORY // limits.MEGABYTE} MB |",
    ):
        assert words in section, words
    configuration = repository.joinpath(".streamlit", "config.toml").read_text()
    assert f"maxUploadSize = {limits.LARGEST_FILE // limits.MEGABYTE} " in configuration
