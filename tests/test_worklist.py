"""The worklist: files become entries, entries get readings, and a word says how far they can be taken as read."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.worklist import STATUSES, Entry, file_key, open_file, read_entries


def test_readable_file_becomes_an_entry_without_readings(png_bytes) -> None:
    entry = open_file("a.png", png_bytes(1))
    assert entry.accepted and entry.readings == () and entry.reason is None
    assert entry.scan is not None and entry.scan.name == entry.name == "a.png"


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_unreadable_file_becomes_a_refused_entry_with_its_reason(data: bytes) -> None:
    entry = open_file("a.png", data)
    assert not entry.accepted and entry.status == "refused" and entry.answer == ""
    assert entry.reason and entry.reason.endswith(".")


@given(st.binary(max_size=300))
def test_any_bytes_are_accepted_or_refused_with_a_reason(data: bytes) -> None:
    entry = open_file("any", data)
    assert entry.accepted == (entry.reason is None)


def test_same_file_under_the_same_name_is_one_entry(png_bytes) -> None:
    assert file_key("a.png", png_bytes(1)) == file_key("a.png", png_bytes(1))
    keys = {file_key(name, png_bytes(seed)) for name in ("a.png", "b.png") for seed in (1, 2)}
    assert len(keys) == 4
    assert file_key("ab", b"c") != file_key("a", b"bc")


def test_every_accepted_entry_gets_one_reading_a_network_in_order(png_bytes, tiny_readers) -> None:
    entries = [
        open_file("a.png", png_bytes(1)),
        open_file("broken.png", b"no picture"),
        open_file("b.png", png_bytes(2)),
    ]
    read = read_entries(entries, tiny_readers)
    assert [entry.name for entry in read] == ["a.png", "broken.png", "b.png"]
    assert read[1] is entries[1]
    for before, after in ((entries[0], read[0]), (entries[2], read[2])):
        assert after.scan is before.scan and after.key == before.key
        assert [reading.network for reading in after.readings] == ["cnn", "vgg16"]
        assert after.scan is not None
        alone = tiny_readers[0].read(after.scan)
        assert after.readings[0].logits == pytest.approx(alone.logits, rel=1e-3, abs=1e-4)


def test_nothing_to_read(tiny_readers) -> None:
    refused = open_file("broken.png", b"no picture")
    assert read_entries([], tiny_readers) == []
    assert read_entries([refused], tiny_readers) == [refused]


@pytest.mark.parametrize(
    ("labels", "unsure", "status", "answer"),
    [
        (("glioma", "glioma"), False, "agree", "glioma"),
        (("no_tumor", "no_tumor"), False, "agree", "no tumour"),
        (("glioma", "glioma"), True, "unsure", "glioma"),
        (("glioma", "pituitary"), False, "disagree", "glioma or pituitary tumour"),
        (("meningioma", "no_tumor"), True, "disagree", "meningioma or no tumour"),
    ],
)
def test_status_and_answer(entry_saying, labels, unsure, status, answer) -> None:
    entry = entry_saying("a.png", labels, unsure=unsure)
    assert (entry.status, entry.answer) == (status, answer)
    assert entry.status in STATUSES
    assert entry.agreed == (status != "disagree")


def test_one_unsure_network_makes_the_scan_unsure(entry_saying) -> None:
    entry = entry_saying("a.png", ("glioma", "glioma"))
    first, second = entry.readings
    assert replace(entry, readings=(first, replace(second, flags=("unsure",)))).status == "unsure"


def test_entries_cannot_be_changed(png_bytes) -> None:
    entry = open_file("a.png", png_bytes(1))
    with pytest.raises(FrozenInstanceError):
        entry.reason = "other"  # type: ignore[misc]
    assert isinstance(entry, Entry)


@pytest.mark.parametrize(("grade", "status"), [("unusual", "unusual"), ("refused", "refused")])
def test_gate_of_one_network_decides_the_status(entry_saying, grade: str, status: str) -> None:
    entry = entry_saying("a.png", ("glioma", "pituitary"), grade=grade)
    assert entry.accepted and (entry.grade, entry.status) == (grade, status)
