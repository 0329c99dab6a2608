"""Drift: do the scans that are read still resemble those of the acceptance? docs/acceptance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from utils.reading.worklist import as_evaluated, representative, tumor_probability
from utils.records.acceptance import Distributions

if TYPE_CHECKING:
    from utils.reading.worklist import Entry

LOOKS = (20, 30, 40, 50)  # numbers of scans after which a window is tested
WINDOW = LOOKS[-1]  # then the next window begins
THRESHOLD = 0.0015  # of the smallest p-value; measured: fewer than 1 % false alarms in a window
ANSWERS = "tumor_probability"  # a feature; the others are names of networks, for their novelty


@dataclass(frozen=True)
class Appearance:
    """What is compared of one scan: the probability of any tumour (0..1) as evaluated, and network -> novelty."""

    tumor_probability: float
    novelty: Mapping[str, float]


@dataclass(frozen=True)
class Drift:
    """The last test. `scans`: of the window; `p_values`: feature -> that of the two-sample test."""

    scans: int
    p_values: Mapping[str, float]

    @property
    def departing(self) -> tuple[str, ...]:
        """The features whose distribution departs from that of the acceptance; empty where none does."""
        return tuple(name for name, value in self.p_values.items() if value < THRESHOLD)


def appearance(entry: Entry) -> Appearance:
    """That of an entry which was read; of a stack that of its most suspicious slice."""
    shown = representative(as_evaluated(entry))
    novelty = {reading.network: reading.novelty for reading in shown.readings if reading.novelty is not None}
    return Appearance(tumor_probability(shown), novelty)


def values_of(profile: Distributions, scans: Sequence[Appearance]) -> dict[str, np.ndarray]:
    """Feature of the profile -> (N,) values of the scans; without those that a scan lacks."""
    read = {ANSWERS: np.asarray([scan.tumor_probability for scan in scans])}
    for name in profile.novelty:
        if all(name in scan.novelty for scan in scans):
            read[name] = np.asarray([scan.novelty[name] for scan in scans])
    return read


def latest_drift(profile: Distributions, read: Mapping[str, np.ndarray]) -> Drift | None:
    """The test at the last of LOOKS in the window that the latest scan is in; None before the first.

    An alarm stays until the next window has its first test. read: feature -> (N,) values in the order of reading.
    """
    count = min((len(values) for values in read.values()), default=0)
    start = count // WINDOW * WINDOW
    if count - start < LOOKS[0]:
        start -= WINDOW
    if start < 0:
        return None
    tests = [
        compared(profile, {name: values[start : start + look] for name, values in read.items()})
        for look in LOOKS
        if look <= count - start
    ]
    return next((test for test in tests if test.departing), tests[-1])


def drift_of_all(profile: Distributions, read: Mapping[str, np.ndarray]) -> Drift | None:
    """One test of all scans, for those that are read at once; None where they are fewer than the first test takes."""
    count = min((len(values) for values in read.values()), default=0)
    return compared(profile, read) if count >= LOOKS[0] else None


def compared(profile: Distributions, read: Mapping[str, np.ndarray]) -> Drift:
    """The Kolmogorov-Smirnov test of each feature of these scans against the profile."""
    from scipy.stats import ks_2samp  # half a second to import

    known = {ANSWERS: profile.tumor_probability, **profile.novelty}
    p_values = {
        name: float(ks_2samp(known[name], values).pvalue) for name, values in read.items() if name in known
    }
    return Drift(max((len(values) for values in read.values()), default=0), p_values)
