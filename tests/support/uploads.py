"""What a test expects of `read_stacks`: a single result, or a refusal in one sentence."""

from __future__ import annotations

import time

from utils.scans.scan import Refusal, Stack
from utils.scans.upload import read_stacks

HANG = 60  # seconds by the clock: a guard, not a measurement


def only(parts: list[Stack | Refusal]) -> Stack | Refusal:
    assert len(parts) == 1
    return parts[0]


def reason(data: bytes, name: str = "file") -> str:
    started = time.monotonic()
    part = only(read_stacks([(name, data)]))
    assert isinstance(part, Refusal), part
    assert part.reason.endswith(".") and "\n" not in part.reason and time.monotonic() - started < HANG
    return part.reason
