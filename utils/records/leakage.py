"""What `benchmarks.accuracy.leakage` writes about the splits of the protocols: leakage.json."""

from __future__ import annotations

from utils.records.base import Record


class SplitLeakage(Record):
    """Of `test` test images, `in_training` show an image of training or validation, mirrored copies included."""

    test: int
    in_training: int

    @property
    def share(self) -> float:
        """The share of test images that training has seen, 0..1."""
        return self.in_training / self.test


class LeakageRecord(Record):
    """The leakage of each protocol's split, by its name."""

    date: str
    commit: str
    command: str
    splits: dict[str, SplitLeakage]
