"""The worklist: files become entries, entries get readings, and a status summarises them."""

from __future__ import annotations

import hashlib
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.reading.worklist import (
    STATUSES,
    Entry,
    by_priority,
    merge_slices,
    most_suspicious,
    open_files,
    open_stack,
    read_entries,
    representative,
    tumor_probabilities,
    view_slice,
    viewed_position,
    with_referral_thresholds,
)
from utils.scans.scan import Scan, Stack


def open_file(name: str, data: bytes) -> Entry:
    (entry,) = open_files([(name, data)])
    return entry


def stack_of(draw_brain, count: int = 6) -> Stack:
    """A head that is largest in the middle; its first slice shows air."""
    scans = []
    for number in range(count):
        pixels = np.zeros((64, 64), np.float32)
        side = 0 if number == 0 else 40 - 4 * abs(number - count // 2)
        if side:
            pixels[:side, :side] = 0.2 + 0.8 * draw_brain(side, side, seed=number)
        pixels.setflags(write=False)
        scans.append(Scan(f"slice {number}", pixels, "NIfTI", slice=number))
    return Stack("head.nii", tuple(scans))


def test_readable_file_becomes_an_entry_without_readings(png_bytes) -> None:
    entry = open_file("a.png", png_bytes(1))
    assert entry.is_accepted and entry.readings == () and entry.reason is None
    assert entry.scan is not None and entry.scan.name == entry.name == "a.png"


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_unreadable_file_becomes_a_refused_entry_with_its_reason(data: bytes) -> None:
    entry = open_file("a.png", data)
    assert not entry.is_accepted and entry.status == "refused" and entry.answer == ""
    assert entry.reason and entry.reason.endswith(".")


@given(st.binary(max_size=300))
def test_any_bytes_are_accepted_or_refused_with_a_reason(data: bytes) -> None:
    entry = open_file("any", data)
    assert entry.is_accepted == (entry.reason is None)


def test_same_file_under_the_same_name_is_one_entry(png_bytes) -> None:
    assert open_file("a.png", png_bytes(1)).key == open_file("a.png", png_bytes(1)).key
    keys = {open_file(name, png_bytes(seed)).key for name in ("a.png", "b.png") for seed in (1, 2)}
    assert len(keys) == 4
    assert open_file("a.png", b"").key != open_file("b.png", b"").key


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
def test_status_and_answer(make_entry, labels, unsure, status, answer) -> None:
    entry = make_entry("a.png", labels, unsure=unsure)
    assert (entry.status, entry.answer) == (status, answer)
    assert entry.status in STATUSES
    assert entry.is_concordant == (status != "disagree")


def test_one_unsure_network_makes_the_scan_unsure(make_entry) -> None:
    entry = make_entry("a.png", ("glioma", "glioma"))
    first, second = entry.readings
    assert replace(entry, readings=(first, replace(second, flags=("unsure",)))).status == "unsure"


def test_an_own_threshold_takes_the_place_of_the_cards(make_entry) -> None:
    sure = make_entry("a.png", ("glioma", "glioma"), 0.9)
    assert (
        with_referral_thresholds(sure, {"glioma": 0.95}).status == "unsure"
        and with_referral_thresholds(sure, {"glioma": 0.85}).status == "agree"
    )
    unsure = make_entry("a.png", ("glioma", "glioma"), 0.9, unsure=True, grade="unusual")
    assert with_referral_thresholds(unsure, {"glioma": 0.5}).readings[0].flags == ("unusual",)
    assert sure.status == "agree", "the entry itself stays"


def test_entries_are_in_the_order_of_priority(make_entry) -> None:
    waiting = replace(make_entry("w", ("glioma", "glioma")), readings=())
    ordered = [
        make_entry("apart", ("glioma", "no_tumor"), 0.9),
        make_entry("odd", ("glioma", "glioma"), 0.9, grade="unusual"),
        make_entry("unsure", ("glioma", "glioma"), 0.4, unsure=True),
        make_entry("less sure", ("glioma", "glioma"), 0.8),
        make_entry("sure", ("glioma", "glioma"), 0.95),
        waiting,
    ]
    assert [entry.name for entry in by_priority(ordered[::-1])] == [entry.name for entry in ordered]


def test_a_file_is_known_by_its_bytes_not_by_its_name(png_bytes) -> None:
    first, renamed, other = (
        open_files([(name, png_bytes(seed))])[0] for name, seed in (("a.png", 1), ("b.png", 1), ("a.png", 2))
    )
    assert first.sha256 == renamed.sha256 == hashlib.sha256(png_bytes(1)).hexdigest() != other.sha256


def test_entries_cannot_be_changed(png_bytes) -> None:
    entry = open_file("a.png", png_bytes(1))
    with pytest.raises(FrozenInstanceError):
        entry.reason = "other"  # type: ignore[misc]
    assert isinstance(entry, Entry)


def test_a_volume_is_one_entry_whose_slices_without_brain_are_left_out(draw_brain) -> None:
    volume = open_stack(stack_of(draw_brain))
    assert [entry.scan and entry.scan.slice for entry in volume.slices] == [
        1,
        2,
        3,
        4,
        5,
    ] and volume.slice_count == 6
    assert {entry.key for entry in (volume, *volume.slices)} == {volume.key}
    assert volume.name == "head.nii, slice 4 of 6" and viewed_position(volume) == 2
    other = view_slice(volume, 0)
    assert (viewed_position(other), other.name, other.slices) == (0, "head.nii, slice 2 of 6", volume.slices)


def test_a_read_volume_shows_its_most_suspicious_slice_first(draw_brain, tiny_readers) -> None:
    volume = merge_slices(read_entries(open_stack(stack_of(draw_brain)).slices, tiny_readers))
    suspicion = tumor_probabilities(volume)
    assert (
        suspicion.shape == (5,) and viewed_position(volume) == most_suspicious(volume) == suspicion.argmax()
    )
    elsewhere = view_slice(volume, (most_suspicious(volume) + 1) % 5)
    assert representative(elsewhere).scan is volume.scan and representative(volume).answer == volume.answer
    assert volume.readings[0].logits == pytest.approx(
        tiny_readers[0].read(volume.scan).logits, rel=1e-3, abs=1e-4
    )


def test_slices_that_broke_a_network_are_left_out(draw_brain, tiny_readers) -> None:
    slices = list(read_entries(open_stack(stack_of(draw_brain)).slices, tiny_readers))
    broken = Entry(slices[1].key, slices[1].name, None, reason="The networks failed.")
    volume = merge_slices([slices[0], broken, *slices[2:]])
    assert broken not in volume.slices and len(volume.slices) == 4
    assert merge_slices([broken]) is broken


def test_a_volume_without_answers_has_no_most_suspicious_slice(draw_brain) -> None:
    volume = open_stack(stack_of(draw_brain))
    assert np.isnan(tumor_probabilities(volume)).all() and most_suspicious(volume) == 2


@pytest.mark.parametrize(("grade", "status"), [("unusual", "unusual"), ("refused", "refused")])
def test_gate_of_one_network_decides_the_status(make_entry, grade: str, status: str) -> None:
    entry = make_entry("a.png", ("glioma", "pituitary"), grade=grade)
    assert entry.is_accepted and (entry.grade, entry.status) == (grade, status)
