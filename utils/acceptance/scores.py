"""What acceptance takes from read scans of known diagnosis: scores and labels. No image, name or file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from utils.classes import CLASSES
from utils.metrics.ensemble import labels_of, with_temperature
from utils.reading.worklist import probabilities_of, representative
from utils.records.acceptance import AnswerRule, Distributions

if TYPE_CHECKING:
    from utils.reading.worklist import Entry


@dataclass(frozen=True)
class ScoredScan:
    """One scan: diagnosis, patient ("" where not known), and what `Scores` has of it. `labels`: network -> class."""

    target: str
    patient: str
    joint: np.ndarray
    labels: Mapping[str, str]
    grade: str
    novelty: Mapping[str, float]


@dataclass(frozen=True)
class Scores:
    """N scans. `targets` (N,) str: the diagnoses, CLASSES or OTHER_TUMOR; `groups` (N,): the patients.

    `joint` (N, C): the ensemble's probabilities as evaluated; `labels`: network -> (N,) int, its class; `grades` (N,)
    str: of the out-of-distribution detectors; `novelty`: network -> (N,) distance to its training scans.
    """

    targets: np.ndarray
    groups: np.ndarray
    joint: np.ndarray
    labels: Mapping[str, np.ndarray]
    grades: np.ndarray
    novelty: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, scans: Sequence[ScoredScan]) -> Scores:
        """Those of scans that the same networks have read. A scan of no known patient has a group of its own."""
        groups = [scan.patient or f"\0{number}" for number, scan in enumerate(scans)]
        networks = list(scans[0].labels) if scans else []
        with_novelty = [name for name in networks if all(name in scan.novelty for scan in scans)]
        return cls(
            targets=np.asarray([scan.target for scan in scans], dtype=str),
            groups=np.unique(groups, return_inverse=True)[1] if scans else np.zeros(0, int),
            joint=np.asarray([scan.joint for scan in scans], dtype=float).reshape(-1, len(CLASSES)),
            labels={
                name: np.asarray([CLASSES.index(scan.labels[name]) for scan in scans]) for name in networks
            },
            grades=np.asarray([scan.grade for scan in scans], dtype=str),
            novelty={name: np.asarray([scan.novelty[name] for scan in scans]) for name in with_novelty},
        )

    def __len__(self) -> int:
        return len(self.targets)

    def rows(self, rows: np.ndarray) -> Scores:
        """Some of the scans: (N,) bool, or indices."""
        return Scores(
            self.targets[rows],
            self.groups[rows],
            self.joint[rows],
            {name: labels[rows] for name, labels in self.labels.items()},
            self.grades[rows],
            {name: values[rows] for name, values in self.novelty.items()},
        )

    @property
    def is_tumor(self) -> np.ndarray:
        return self.targets != "no_tumor"

    @property
    def is_known(self) -> np.ndarray:
        """Whether the diagnosis is one that the networks can name."""
        return np.isin(self.targets, CLASSES)

    @property
    def has_result(self) -> np.ndarray:
        """Whether the app shows a result: not of what looks like no brain MRI."""
        return self.grades != "refused"

    @property
    def distributions(self) -> Distributions:
        """For the drift monitor."""
        return Distributions(
            tumor_probability=_sorted(1 - self.joint[:, CLASSES.index("no_tumor")]),
            novelty={name: _sorted(values) for name, values in self.novelty.items()},
        )


@dataclass(frozen=True)
class Answers:
    """What a rule makes of N scans: `labels` (N,) int, `probabilities` (N, C), and whether the answer counts, (N,)."""

    labels: np.ndarray
    probabilities: np.ndarray
    is_answered: np.ndarray

    @property
    def confidence(self) -> np.ndarray:
        """(N,) the probability of the label."""
        return self.probabilities[np.arange(len(self.labels)), self.labels]


def answers(scores: Scores, rule: AnswerRule) -> Answers:
    """The answers by a rule, as the worklist gives them (`Entry.status` is "agree")."""
    probabilities = with_temperature(scores.joint, rule.temperature)
    labels = labels_of(probabilities, rule.tumor_threshold)
    thresholds = np.array([rule.referral_thresholds[name] for name in CLASSES])
    is_confident = probabilities[np.arange(len(labels)), labels] >= thresholds[labels]
    is_usual = scores.grades == "ok"
    return Answers(labels, probabilities, is_confident & is_usual & agreed(scores, labels))


def agreed(scores: Scores, labels: np.ndarray) -> np.ndarray:
    """(N,) bool: all networks have the label (N,) int of the ensemble."""
    return np.all([network == labels for network in scores.labels.values()], axis=0)


def scored(entry: Entry, target: str, patient: str = "") -> ScoredScan:
    """A scan that was read; a stack counts as one scan, by its most suspicious slice."""
    shown = representative(entry)
    return ScoredScan(
        target,
        patient,
        probabilities_of(shown),
        {reading.network: reading.label for reading in shown.readings},
        shown.grade,
        {reading.network: reading.novelty for reading in shown.readings if reading.novelty is not None},
    )


def _sorted(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in np.sort(values))
