"""Damaged files of every format give scans or refusals. `benchmarks/fuzzing/uploads.py` is the long run."""

from __future__ import annotations

import random
import time
from collections import Counter

from benchmarks.fuzzing.uploads import judge
from tests.support.corpus import corpus, mutated
from utils.scans.upload import read_stacks

INPUTS = 1000
SECONDS = 15  # by the clock, after which a slow machine stops


def test_damaged_files_give_scans_or_refusals() -> None:
    files = corpus()
    for name, data in files.items():
        parts = read_stacks([(name, data)])
        assert judge(parts, Counter(), Counter()) == "", name
    outcome: Counter[str] = Counter()
    stop = time.monotonic() + SECONDS
    for number in range(INPUTS):
        name, data = mutated(random.Random(f"test-{number}"), files)
        assert judge(read_stacks([(name, data)]), outcome, Counter()) == "", (number, name)
        if time.monotonic() > stop and number > 100:
            break
    assert outcome["scans"] and outcome["refusals"]
