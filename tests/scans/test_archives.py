"""ZIP files: their members become scans, and bombs and damaged archives are refused."""

from __future__ import annotations

import io
import struct
import zipfile

from tests.support.corpus import dicom, dicom_bytes, zipped
from tests.support.uploads import reason
from utils.scans import images, limits
from utils.scans.scan import Refusal, Stack
from utils.scans.upload import read_stacks


def test_files_of_a_zip_are_named_by_their_base_name_and_kept_in_memory(
    png_bytes, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["../../up.png", "/etc/passwd.png", "C:\\windows\\w.png", "a/b/deep.png", "tab\there.png"]
    data = zipped({name: png_bytes(seed) for seed, name in enumerate(names)})
    parts = read_stacks([("all.zip", data)])
    assert [part.name for part in parts] == ["up.png", "passwd.png", "w.png", "deep.png", "tab here.png"]
    assert all(isinstance(part, Stack) for part in parts) and not list(tmp_path.iterdir())


def test_series_in_a_zip_is_one_stack_with_loose_files_of_it(png_bytes) -> None:
    files = {f"IM{number}": dicom_bytes(dicom(number, number)) for number in range(3)}
    data = zipped(files | {"__MACOSX/._x": b"junk", ".DS_Store": b"junk", "notes.txt": b"Dear colleague"})
    parts = read_stacks([("s.zip", data), ("more.dcm", dicom_bytes(dicom(3, 3))), ("a.png", png_bytes(1))])
    assert [type(part) for part in parts] == [Stack, Refusal, Stack]
    assert isinstance(parts[0], Stack)
    assert parts[0].name == "IM0 and 3 more" and [scan.slice for scan in parts[0].scans] == [0, 1, 2, 3]
    assert parts[1] == Refusal("notes.txt", images.NOT_AN_IMAGE)


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
