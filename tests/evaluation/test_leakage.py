"""utils.evaluation.leakage: the images of a test part that training has seen are counted."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from utils.datasets.protocols import PROTOCOLS
from utils.evaluation import leakage
from utils.evaluation.leakage import measure_leakage
from utils.paths import REPOSITORY
from utils.results.leakage import load_leakage


def test_copies_in_training_and_validation_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = pd.DataFrame(
        {"part": ["train", "validation", "test", "test", "test"], "picture": [1, 2, 1, 2, 3]}
    )
    monkeypatch.setattr(leakage, "load_samples", lambda data, sets: samples)
    monkeypatch.setattr(leakage, "split_samples", lambda rows, protocol: rows)
    protocols = [PROTOCOLS["published"], PROTOCOLS["folder"]]
    record = measure_leakage(Path("data"), protocols, "a command")
    assert list(record.splits) == ["published"] and record.command == "a command"
    assert (record.splits["published"].test, record.splits["published"].in_training) == (3, 2)
    assert record.splits["published"].share == pytest.approx(2 / 3)


@pytest.mark.data
def test_the_shipped_record_is_that_of_the_data(data_root: Path) -> None:
    stored = load_leakage(REPOSITORY / "models" / "evaluation")
    names = ("published", "sartaj", "feltrin44-random")
    fresh = measure_leakage(data_root, map(PROTOCOLS.__getitem__, names), "")
    assert stored is not None and fresh.splits == {name: stored.splits[name] for name in names}
