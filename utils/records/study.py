"""models/study.json: how the slices of a study become one answer, what that was fitted on and how good it is."""

from __future__ import annotations

from collections.abc import Mapping

from utils.records.base import Record
from utils.records.measures import DetectionFigures


class RuleFigures(Record):
    """Detection on patients by the fused score, and by the highest tumour probability of any slice.

    `tumors` and `healthy` of the figures count patients. `stacks`, `slices`: how many they have in all.
    """

    stacks: int
    slices: int
    fused: DetectionFigures
    single_slice: DetectionFigures


class StudyFusion(Record):
    """A logistic regression of the score of `utils.metrics.stack_fusion`.

    `share`: of the slices that make a stack's score. A study has a tumour from the probability `tumor_threshold` on,
    and none below `no_tumor_threshold`; between them it is indeterminate. `weights_sha256`: of the networks that it was
    fitted for. `fitted_on`: source -> stacks. Figures by name of the set of patients; `sparse` are stacks in which at
    most 30 % of the slices show tumour.
    """

    weights_sha256: Mapping[str, str]
    share: float
    intercept: float
    slope: float
    tumor_threshold: float
    no_tumor_threshold: float
    fitted_on: Mapping[str, int]
    figures: Mapping[str, RuleFigures] = {}
    command: str = ""
    date: str = ""
    commit: str = ""
