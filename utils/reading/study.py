"""The patient-level answer: the slices of one or several stacks of a study become one. docs/studies.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.classes import TUMORS
from utils.metrics import stack_fusion
from utils.networks.shipped import load_ensemble
from utils.paths import models_folder
from utils.reading.volumes import suspicious_runs
from utils.reading.worklist import tumor_probabilities
from utils.records.base import InvalidRecord, read_record
from utils.records.study import StudyFusion

if TYPE_CHECKING:
    from utils.reading.worklist import Entry

STUDY = "study.json"  # in the models folder
TUMOR, NO_TUMOR, INDETERMINATE = "tumor", "no_tumor", "indeterminate"


@dataclass(frozen=True)
class StudyAnswer:
    """`tumor_probability` (0..1) is calibrated; `kind` is TUMOR, NO_TUMOR or INDETERMINATE.

    `types`: the probability of each tumour type if there is a tumour, from the slices that count. `stacks` and `slices`
    went into the answer.
    """

    tumor_probability: float
    kind: str
    types: Mapping[str, float]
    stacks: int
    slices: int

    @property
    def favoured(self) -> str:
        """The most probable tumour type."""
        return max(self.types, key=lambda name: self.types[name])


@dataclass(frozen=True)
class StackEvidence:
    """Of one stack: its score (log-odds), the probability of each of TUMORS if there is a tumour, (T,), and its slices
    that count."""

    score: float
    types: np.ndarray
    slices: int


def load_study_fusion(models: Path | None = None) -> StudyFusion | None:
    """The record of the fusion; None where it was not fitted for the ensemble that the app reads with."""
    models = models or models_folder()
    ensemble = load_ensemble(models)
    try:
        record = read_record(models / STUDY, StudyFusion)
    except (OSError, InvalidRecord):
        return None
    return record if ensemble and record.weights_sha256 == ensemble.weights_sha256 else None


def study_answer(stacks: Sequence[Entry], fusion: StudyFusion) -> StudyAnswer | None:
    """The answer for the stacks of one study, or for one stack; None where no stack has enough slices for one.

    Slices that are no brain MRI do not count, nor do entries without the ensemble's answer. A site profile changes
    nothing: the fusion was fitted on answers as evaluated.
    """
    evidence = [stack_evidence(stack, fusion) for stack in stacks]
    return fused([each for each in evidence if each is not None], fusion)


def stack_evidence(stack: Entry, fusion: StudyFusion) -> StackEvidence | None:
    """What a stack contributes; None of a single image, or where it has too few slices with an answer."""
    scores = _log_odds(stack)
    score = stack_fusion.stack_score(scores, fusion.share)
    if np.isnan(score):
        return None
    return StackEvidence(score, _types(stack, scores, fusion.share), int(np.sum(~np.isnan(scores))))


def fused(stacks: Sequence[StackEvidence], fusion: StudyFusion) -> StudyAnswer | None:
    """The answer from what the stacks of one study contribute; None without any."""
    if not stacks:
        return None
    probability = stack_fusion.fused_probability(
        stack_fusion.study_score([stack.score for stack in stacks]), fusion.intercept, fusion.slope
    )
    types = np.mean([stack.types for stack in stacks], axis=0)
    return StudyAnswer(
        probability,
        _kind(probability, fusion),
        dict(zip(TUMORS, types.tolist(), strict=True)),
        len(stacks),
        sum(stack.slices for stack in stacks),
    )


def study_of(stack: Entry, entries: Sequence[Entry]) -> list[Entry]:
    """The stacks among the entries that were read and belong to the study of this one, which is among them."""
    name = stack.scan.study if stack.scan else ""
    same = [
        entry
        for entry in entries
        if entry.is_read and entry.slices and entry.scan and name == entry.scan.study
    ]
    return same if name else [stack]


def waiting_of(stack: Entry, entries: Sequence[Entry]) -> list[Entry]:
    """The stacks among the entries that belong to the study of this one and were not read yet."""
    name = stack.scan.study if stack.scan else ""
    return [
        entry
        for entry in entries
        if name and not entry.is_read and entry.slices and entry.scan and entry.scan.study == name
    ]


def key_slices(stack: Entry, most: int = 5) -> list[int]:
    """The positions of the most suspicious slice of each run of suspicious slices, in order."""
    return sorted(run.peak for run in suspicious_runs(tumor_probabilities(stack))[:most])


def _kind(probability: float, fusion: StudyFusion) -> str:
    if probability >= fusion.tumor_threshold:
        return TUMOR
    return NO_TUMOR if probability < fusion.no_tumor_threshold else INDETERMINATE


def _log_odds(stack: Entry) -> np.ndarray:
    """(N,) of the ensemble's tumour probability on each slice as evaluated, NaN where there is none."""
    is_read = ~np.isnan(tumor_probabilities(stack))
    joints = [entry.joint if known else None for entry, known in zip(stack.slices, is_read, strict=True)]
    return stack_fusion.log_odds(
        np.asarray([joint.as_evaluated.tumor_probability if joint else np.nan for joint in joints])
    )


def _types(stack: Entry, scores: np.ndarray, share: float) -> np.ndarray:
    """(T,) probabilities of TUMORS if there is a tumour: the mean over the slices that make the stack's score."""
    tumors = []
    for position in stack_fusion.top_slices(scores, share):
        joint = stack.slices[position].joint
        assert joint is not None
        tumors.append([joint.as_evaluated.probability(name) for name in TUMORS])
    shares = np.asarray(tumors) / np.maximum(np.sum(tumors, axis=1, keepdims=True), 1e-12)
    return np.asarray(shares.mean(axis=0))
