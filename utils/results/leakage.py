"""How far the split of a protocol leaks: read back, and in words."""

from __future__ import annotations

from pathlib import Path

from utils.records.base import InvalidRecord, read_record
from utils.records.leakage import LeakageRecord
from utils.wording import percent


def load_leakage(folder: Path | str) -> LeakageRecord | None:
    """What `benchmarks.accuracy.leakage` counted; None where there is no valid record. folder: the evaluations."""
    try:
        return read_record(Path(folder) / "leakage.json", LeakageRecord)
    except (OSError, InvalidRecord):
        return None


def leakage_sentence(record: LeakageRecord | None, protocol: str) -> str:
    """One sentence on the test images of a protocol that training has seen; "" where there are none, or no record."""
    split = record.splits.get(protocol) if record else None
    if split is None or not split.in_training:
        return ""
    return (
        f"{percent(split.share)} of its test images ({split.in_training:,} of {split.test:,}) show an image of its "
        "training part."
    )
