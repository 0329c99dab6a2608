"""How many test images of a protocol's split training has seen: the same image, copied or mirrored."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from utils.datasets.protocols import Protocol, split_samples
from utils.datasets.samples import load_samples
from utils.evaluation.measurement import today
from utils.records.leakage import LeakageRecord, SplitLeakage


def measure_leakage(data: Path, protocols: Iterable[Protocol], command: str) -> LeakageRecord:
    """The leakage of every protocol with fixed sets. data: the folder of the data sets, with their manifests.

    Raises DatasetError where a set is missing.
    """
    splits = {
        protocol.name: _leakage(data, protocol) for protocol in protocols if not protocol.takes_own_images
    }
    return LeakageRecord(**today(), command=command, splits=splits)


def _leakage(data: Path, protocol: Protocol) -> SplitLeakage:
    samples = split_samples(load_samples(data, protocol.sets), protocol.name)
    is_test = samples["part"] == "test"
    seen = samples.loc[is_test, "picture"].isin(samples.loc[~is_test, "picture"])
    return SplitLeakage(test=int(is_test.sum()), in_training=int(seen.sum()))
