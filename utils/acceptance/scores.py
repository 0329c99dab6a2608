"""What acceptance takes from read scans of known diagnosis: scores and labels. No image, name or file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from utils.acceptance.drift import Appearance, appearance
from utils.classes import CLASSES
from utils.metrics.ensemble import NO_TUMOR, labels_of, with_temperature
from utils.reading.study import INDETERMINATE, TUMOR, StackEvidence, StudyAnswer, fused, stack_evidence
from utils.reading.worklist import probabilities_of, representative
from utils.records.acceptance import AnswerRule, Distributions

if TYPE_CHECKING:
    from utils.reading.worklist import Entry
    from utils.records.study import StudyFusion


@dataclass(frozen=True)
class ScoredScan:
    """One case: an image, or the stacks of a study (`cases_of`); before that, one stack.

    Diagnosis, patient ("" where not known), and what `Scores` has of the image, or of the most suspicious slice.
    `labels`: network -> class. `appearances`: for the drift monitor, of each image or stack. `evidence`: of a stack,
    None of an image; `answer`: the patient-level answer of the stacks.
    """

    target: str
    patient: str
    joint: np.ndarray
    labels: Mapping[str, str]
    grade: str
    appearances: tuple[Appearance, ...]
    study: str = ""
    evidence: StackEvidence | None = None
    answer: StudyAnswer | None = None


@dataclass(frozen=True)
class Scores:
    """N cases. `targets` (N,) str: the diagnoses, CLASSES or OTHER_TUMOR; `groups` (N,): the patients.

    `joint` (N, C): the ensemble's probabilities as evaluated; `labels`: network -> (N,) int, its class; `grades` (N,)
    str: of the out-of-distribution detectors; `appearances`: of each case; `fused` (N,): the patient-level answers of
    stacks, None of images.
    """

    targets: np.ndarray
    groups: np.ndarray
    joint: np.ndarray
    labels: Mapping[str, np.ndarray]
    grades: np.ndarray
    appearances: np.ndarray
    fused: np.ndarray

    @classmethod
    def of(cls, scans: Sequence[ScoredScan]) -> Scores:
        """Those of cases that the same networks have read.

        Cases of one study are one patient's. A case of no known patient and study has a group of its own.
        """
        groups = [scan.patient or scan.study or f"\0{number}" for number, scan in enumerate(scans)]
        networks = list(scans[0].labels) if scans else []
        return cls(
            targets=np.asarray([scan.target for scan in scans], dtype=str),
            groups=np.unique(groups, return_inverse=True)[1] if scans else np.zeros(0, int),
            joint=np.asarray([scan.joint for scan in scans], dtype=float).reshape(-1, len(CLASSES)),
            labels={
                name: np.asarray([CLASSES.index(scan.labels[name]) for scan in scans]) for name in networks
            },
            grades=np.asarray([scan.grade for scan in scans], dtype=str),
            appearances=np.fromiter((scan.appearances for scan in scans), object, len(scans)),
            fused=np.fromiter((scan.answer for scan in scans), object, len(scans)),
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
            self.appearances[rows],
            self.fused[rows],
        )

    @property
    def is_tumor(self) -> np.ndarray:
        return self.targets != "no_tumor"

    @property
    def is_known(self) -> np.ndarray:
        """Whether the diagnosis is one that the networks can name."""
        return np.isin(self.targets, CLASSES)

    @property
    def is_stack(self) -> np.ndarray:
        """Whether a case has a patient-level answer."""
        return np.asarray([answer is not None for answer in self.fused], dtype=bool)

    @property
    def has_result(self) -> np.ndarray:
        """Whether the app shows a result: not of what looks like no brain MRI."""
        return self.grades != "refused"

    @property
    def distributions(self) -> Distributions:
        """For the drift monitor: of each image and stack."""
        scans = [each for appearances in self.appearances for each in appearances]
        names = [name for name in scans[0].novelty if all(name in scan.novelty for scan in scans)]
        return Distributions(
            tumor_probability=_sorted([scan.tumor_probability for scan in scans]),
            novelty={name: _sorted([scan.novelty[name] for scan in scans]) for name in names},
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
    """The answers by a rule, as the worklist gives them (`Entry.status` is "agree").

    Those of stacks are the patient-level ones, which no rule changes: a tumour of the favoured type with the
    probability of any tumour where a tumour is likely, else no tumour; not answered where they are indeterminate.
    """
    probabilities = with_temperature(scores.joint, rule.temperature).copy()
    labels = labels_of(probabilities, rule.tumor_threshold)
    thresholds = np.array([rule.referral_thresholds[name] for name in CLASSES])
    is_confident = probabilities[np.arange(len(labels)), labels] >= thresholds[labels]
    is_answered = is_confident & (scores.grades == "ok") & agreed(scores, labels)
    for row in np.flatnonzero(scores.is_stack):
        fused = scores.fused[row]
        favoured = CLASSES.index(fused.favoured)
        labels[row] = favoured if fused.kind == TUMOR else NO_TUMOR
        is_answered[row] = fused.kind != INDETERMINATE
        probabilities[row] = 0
        probabilities[row, [favoured, NO_TUMOR]] = fused.tumor_probability, 1 - fused.tumor_probability
    return Answers(labels, probabilities, is_answered)


def is_correct(scores: Scores, labels: np.ndarray) -> np.ndarray:
    """(N,) bool: whether an answer with these labels (N,) int is correct. That of a stack is tumour or no tumour."""
    is_class = np.asarray(CLASSES)[labels] == scores.targets
    return np.where(scores.is_stack, (labels != NO_TUMOR) == scores.is_tumor, is_class)


def agreed(scores: Scores, labels: np.ndarray) -> np.ndarray:
    """(N,) bool: all networks have the label (N,) int of the ensemble."""
    return np.all([network == labels for network in scores.labels.values()], axis=0)


def scored(entry: Entry, target: str, patient: str = "", fusion: StudyFusion | None = None) -> ScoredScan:
    """An image or stack that was read, without a site's rule. Without fusion a stack has no patient-level answer."""
    shown = representative(entry)
    return ScoredScan(
        target,
        patient,
        probabilities_of(shown),
        {reading.network: reading.label for reading in shown.readings},
        shown.grade,
        (appearance(entry),),
        shown.scan.study if shown.scan else "",
        stack_evidence(entry, fusion) if fusion and entry.slices else None,
    )


def cases_of(scans: Sequence[ScoredScan], fusion: StudyFusion | None) -> list[ScoredScan]:
    """Stacks of one study with the same diagnosis become one case; all others are cases of their own.

    Where no fusion was fitted, or a stack has too few slices, its most suspicious slice counts like an image.
    """
    groups: dict[object, list[ScoredScan]] = defaultdict(list)
    for number, scan in enumerate(scans):
        is_of_study = scan.evidence is not None and scan.study
        groups[(scan.study, scan.target) if is_of_study else number].append(scan)
    return [_case(group, fusion) for group in groups.values()]


def _case(stacks: Sequence[ScoredScan], fusion: StudyFusion | None) -> ScoredScan:
    shown = min(stacks, key=lambda stack: stack.joint[NO_TUMOR])
    evidence = [stack.evidence for stack in stacks if stack.evidence is not None]
    appearances = tuple(each for stack in stacks for each in stack.appearances)
    return replace(
        shown, appearances=appearances, answer=fused(evidence, fusion) if fusion and evidence else None
    )


def _sorted(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in np.sort(values))
