"""Scans are read in the background, in order, each once; `clear` stops it, and a failing network costs one scan."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from utils.reading.background import FAILED, BackgroundReading
from utils.reading.worklist import Entry
from utils.scans.scan import Scan


class FakeReader:
    """Reads at once, or when `released` is set; fails on a scan named broken."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.released = threading.Event()
        self.released.set()
        self.has_given_memory_back = threading.Event()

    def read_many(self, scans, with_maps, inputs):
        assert self.released.wait(30)
        if any(scan.name == "broken" for scan in scans):
            raise RuntimeError("broken DOE^JANE shape mismatch")
        self.seen += [scan.name for scan in scans]
        return [SimpleNamespace(label="glioma", grade="ok", flags=(), confidence=0.9) for _ in scans]

    def release(self):
        self.has_given_memory_back.set()


def fresh() -> tuple[Any, dict[str, Entry], BackgroundReading]:
    return FakeReader(), {}, BackgroundReading()


def entry_of(name: str) -> Entry:
    return Entry(f"key of {name}", name, Scan(name, np.zeros((4, 4), np.float32), "PNG"))


def volume(name: str, slices: int) -> Entry:
    pieces = tuple(
        Entry(f"key of {name}", f"{name} {number}", Scan(f"{name} {number}", np.zeros((4, 4), np.float32), "NIfTI"),
              slice_count=slices)
        for number in range(slices)
    )  # fmt: skip
    return Entry(pieces[0].key, name, pieces[0].scan, slices=pieces, slice_count=slices)


def test_everything_is_read_once_and_in_order():
    reader, store, background = fresh()
    names = [f"scan {number}" for number in range(9)]
    background.add([entry_of(name) for name in names], [reader], store)
    assert background.wait(seconds=30)
    assert reader.seen == names and [entry.name for entry in store.values()] == names
    assert all(entry.is_read for entry in store.values()) and background.progress() is None
    assert reader.has_given_memory_back.wait(30)
    background.add([entry_of("later")], [reader], store)
    assert background.wait(seconds=30) and reader.seen == [*names, "later"]


def test_what_waits_stands_in_the_worklist_at_once_and_the_first_can_be_waited_for():
    reader, store, background = fresh()
    reader.released.clear()
    background.add([entry_of("a"), Entry("b", "b", None, reason="no scan")], [reader], store)
    assert store["key of a"].status == "waiting" and store["b"].status == "refused"
    progress = background.progress()
    assert progress is not None and (progress.done, progress.total, progress.seconds_left) == (0, 1, None)
    assert not background.wait(["key of a"], seconds=0.01)
    reader.released.set()
    assert background.wait(["key of a"], seconds=30) and store["key of a"].status == "agree"


def test_a_volume_is_put_in_when_its_last_slice_was_read():
    reader, store, background = fresh()
    readings = SimpleNamespace(
        label="glioma", grade="ok", flags=(), confidence=0.9, probability=lambda name: 0.5
    )
    reader.read_many = lambda scans, *others: [readings for _ in scans]
    background.add([volume("head", 5)], [reader], store)
    assert background.wait(seconds=30)
    assert len(store["key of head"].slices) == 5 and all(
        entry.is_read for entry in store["key of head"].slices
    )


def test_a_scan_on_which_a_network_fails_is_rejected_and_the_others_are_read():
    reader, store, background = fresh()
    background.add([entry_of("a"), entry_of("broken"), entry_of("b")], [reader], store)
    assert background.wait(seconds=30)
    assert [entry.is_accepted for entry in store.values()] == [True, False, True]
    assert store["key of broken"].reason == FAILED


def test_a_failure_is_logged_with_its_traceback_and_without_names(caplog):
    reader, store, background = fresh()
    with caplog.at_level(logging.ERROR):
        background.add([entry_of("a"), entry_of("broken")], [reader], store)
        assert background.wait(seconds=30)
    (record,) = caplog.records  # one for the scan, none for the batch that it was in
    text = caplog.text
    assert record.name == "utils.reading.background" and "while reading a scan" in text
    assert "builtins.RuntimeError" in text and "test_background.py" in text and "in read_many" in text
    assert "DOE^JANE" not in text and "shape mismatch" not in text and "key of broken" not in text


@pytest.mark.parametrize("again", [False, True])
def test_clearing_drops_what_waits_and_what_is_being_read(again):
    reader, store, background = fresh()
    reader.released.clear()
    background.add([entry_of(f"scan {number}") for number in range(6)], [reader], store)
    background.clear(store)
    assert store == {} and background.progress() is None and background.wait(seconds=1)
    if again:
        background.add([entry_of("new")], [reader], store)
    reader.released.set()
    assert background.wait(seconds=30)
    assert [entry.name for entry in store.values()] == (["new"] if again else [])
    assert all(entry.is_read for entry in store.values())


def test_a_scan_that_was_read_is_put_in_and_not_read_again():
    reader, store, background = fresh()
    readings: Any = (SimpleNamespace(label="glioma"),)
    known = replace(entry_of("known"), readings=readings)
    background.add([known, entry_of("new")], [reader], store)
    assert store["key of known"] is known and background.wait(["key of known"], 0)
    assert background.wait(seconds=30)
    assert reader.seen == ["new"] and store["key of known"] is known
