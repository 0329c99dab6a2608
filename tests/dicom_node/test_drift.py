"""The node reports when its series differ from those of the site profile, once, without identifiers."""

from __future__ import annotations

import io
import json
from types import SimpleNamespace
from typing import Any

from utils.dicom_node.journal import Journal
from utils.dicom_node.node import Answer, Node


def test_a_departure_is_logged_once_and_is_a_metric() -> None:
    log = io.StringIO()
    journal = Journal(log)
    spool: Any = SimpleNamespace(bytes=0, open_series=0, waiting=0, begin=lambda batch: None)
    spool.put_results = lambda batch, results: None
    node = Node(spool, None, None, lambda: None, journal, 1.0)  # type: ignore[arg-type, return-value]
    batch: Any = SimpleNamespace(number=1, images=())
    states = []
    for departing in ((), ("cnn",), ("cnn",), ()):
        answer = Answer((), 3, (), departing)
        node._read(batch, lambda images, answer=answer: answer)  # type: ignore[misc]
        states.append(journal.registry.get_sample_value("brain_mri_drift"))
    events = [json.loads(line) for line in log.getvalue().splitlines()]
    assert states == [0, 1, 1, 0]
    drift = [(event["event"], event["departing"]) for event in events if "departing" in event]
    assert drift == [("series differ from those of the site profile", ["cnn"]), ("no drift any more", [])]
