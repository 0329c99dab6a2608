"""Figures of answers on scans of known diagnosis, with intervals over patients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from utils.acceptance.scores import Answers, Scores, is_correct
from utils.classes import CLASSES
from utils.metrics.calibration import reliability
from utils.metrics.classification import confidence_bins
from utils.metrics.ensemble import NO_TUMOR
from utils.metrics.proportions import share
from utils.records.acceptance import AcceptanceFigures

BINS = 10  # of the calibration error and the reliability diagram
RESAMPLES = 1000


def figures(scores: Scores, answers: Answers) -> AcceptanceFigures:
    """Sensitivity, specificity, type and calibration over the cases that the app shows a result of; the rest over all.

    A tumour of a type that the networks cannot name counts for sensitivity, and not for the type.
    """
    groups, has_result = scores.groups, scores.has_result
    is_class = np.asarray(CLASSES)[answers.labels] == scores.targets
    correct = is_correct(scores, answers.labels)
    is_reported = answers.labels != NO_TUMOR
    tumors, healthy = has_result & scores.is_tumor, has_result & ~scores.is_tumor
    known = has_result & scores.is_known
    answered = answers.is_answered & scores.is_known
    confidence = answers.confidence[known]
    return AcceptanceFigures(
        n=len(scores),
        sensitivity=share(is_reported[tumors], groups[tumors]),
        specificity=share(~is_reported[healthy], groups[healthy]),
        correct_type=share(is_class[known], groups[known]),
        answered=share(answers.is_answered, groups),
        correct_answers=share(correct[answered], groups[answered]),
        ece=_calibration_error(confidence, correct[known]),
        chance_ece=_chance(confidence),
        unusual=share(scores.grades != "ok", groups),
        rejected=share(~has_result, groups),
    )


def network_figures(scores: Scores) -> dict[str, AcceptanceFigures]:
    """Network -> what its own class is worth, without referral and calibration."""
    result = {}
    for name, labels in scores.labels.items():
        alone = Answers(labels, np.eye(len(CLASSES))[labels], np.ones(len(labels), bool))
        result[name] = figures(scores, alone).model_copy(update={"ece": None, "chance_ece": None})
    return result


def reliability_table(scores: Scores, answers: Answers) -> pd.DataFrame:
    """For the reliability diagram: `calibration.reliability` of the scans that have a result; empty without any."""
    rows = scores.has_result & scores.is_known
    if not rows.any():
        return pd.DataFrame()
    correct = is_correct(scores, answers.labels)[rows]
    # as two classes, because the label is not always the most probable class: correct or not, at its probability
    confidence = answers.confidence[rows]
    return reliability(np.column_stack([confidence, np.zeros(len(confidence))]), (~correct).astype(int), BINS)


def _calibration_error(confidence: np.ndarray, correct: np.ndarray) -> float | None:
    """The expected calibration error; None without a scan."""
    if not len(confidence):
        return None
    gaps = np.bincount(confidence_bins(confidence, BINS), confidence - correct, BINS)
    return round(float(np.abs(gaps).sum() / len(confidence)), 4)


def _chance(confidence: np.ndarray, seed: int = 0) -> float | None:
    """What 95 % of the calibration errors stay below where each confidence is the chance of being correct.

    Source: consistency resampling, Bröcker and Smith, Weather and Forecasting 22 (2007).
    """
    if not len(confidence):
        return None
    drawn = np.random.default_rng(seed).random((RESAMPLES, len(confidence))) < confidence
    gaps = (confidence - drawn) @ np.eye(BINS)[confidence_bins(confidence, BINS)]
    return round(float(np.quantile(np.abs(gaps).sum(axis=1) / len(confidence), 0.95)), 4)
