"""Scans are read behind the page, in order, each once; clearing stops it, and what breaks a network costs one scan."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from utils.reading.background import BackgroundReading
from utils.reading.worklist import Entry
from utils.scans.scan import Scan


class FakeReader:
    """Answers at once, or when `gate` opens; breaks on a scan called broken."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def read_many(self, scans):
        assert self.gate.wait(30)
        if any(scan.name == "broken" for scan in scans):
            raise RuntimeError("the network broke")
        self.seen += [scan.name for scan in scans]
        return [SimpleNamespace(label="glioma", grade="ok", flags=(), confidence=0.9) for _ in scans]


def fresh() -> tuple[Any, dict[str, Entry], BackgroundReading]:
    return FakeReader(), {}, BackgroundReading()


def entry(name: str) -> Entry:
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
    background.add([entry(name) for name in names], [reader], store)
    assert background.wait(seconds=30)
    assert reader.seen == names and [one.name for one in store.values()] == names
    assert all(one.read for one in store.values()) and background.progress() is None
    background.add([entry("later")], [reader], store)
    assert background.wait(seconds=30) and reader.seen == [*names, "later"]


def test_what_waits_stands_in_the_worklist_at_once_and_the_first_can_be_waited_for():
    reader, store, background = fresh()
    reader.gate.clear()
    background.add([entry("a"), Entry("b", "b", None, reason="no scan")], [reader], store)
    assert store["key of a"].status == "waiting" and store["b"].status == "refused"
    progress = background.progress()
    assert progress is not None and (progress.done, progress.total, progress.seconds_left) == (0, 1, None)
    assert not background.wait(["key of a"], seconds=0.01)
    reader.gate.set()
    assert background.wait(["key of a"], seconds=30) and store["key of a"].status == "agree"


def test_a_volume_is_put_in_when_its_last_slice_was_read():
    reader, store, background = fresh()
    readings = SimpleNamespace(
        label="glioma", grade="ok", flags=(), confidence=0.9, probability=lambda name: 0.5
    )
    reader.read_many = lambda scans: [readings for _ in scans]
    background.add([volume("head", 5)], [reader], store)
    assert background.wait(seconds=30)
    assert len(store["key of head"].slices) == 5 and all(piece.read for piece in store["key of head"].slices)


def test_one_broken_scan_costs_no_other():
    reader, store, background = fresh()
    background.add([entry("a"), entry("broken"), entry("b")], [reader], store)
    assert background.wait(seconds=30)
    assert [one.accepted for one in store.values()] == [True, False, True]
    reason = store["key of broken"].reason
    assert reason is not None and "failed on this picture" in reason


@pytest.mark.parametrize("again", [False, True])
def test_clearing_drops_what_waits_and_what_is_being_read(again):
    reader, store, background = fresh()
    reader.gate.clear()
    background.add([entry(f"scan {number}") for number in range(6)], [reader], store)
    background.clear(store)
    assert store == {} and background.progress() is None and background.wait(seconds=1)
    if again:
        background.add([entry("new")], [reader], store)
    reader.gate.set()
    assert background.wait(seconds=30)
    assert [one.name for one in store.values()] == (["new"] if again else [])
    assert all(one.read for one in store.values())
