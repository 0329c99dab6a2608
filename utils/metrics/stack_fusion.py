"""From the tumour scores of single slices to one score of a stack, and of a study with several stacks.

A stack's score is the mean of the highest quarter of its slices' log-odds: the highest alone grows with the number of
slices and follows a single wrong slice, the mean of all dilutes a small tumour. A study's score is the mean of the
scores of its stacks. docs/studies.md compares these rules.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.metrics.ensemble import score_log_odds

TOP_SHARE = 0.25  # of the slices of a stack
LEAST_SLICES = 3  # with fewer a stack has no score: the fusion was fitted on stacks of three and more
MARGIN = 1e-9  # probabilities are kept this far from 0 and 1


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """(...,) probabilities (0..1) -> their log-odds; NaN stays."""
    return score_log_odds(probabilities, MARGIN)


def top_slices(scores: np.ndarray, share: float = TOP_SHARE) -> np.ndarray:
    """The positions of the highest share of (N,) scores, at least one, the highest first; NaN counts as no slice."""
    scores = np.asarray(scores, np.float64)
    known = int(np.sum(~np.isnan(scores)))
    order = np.argsort(-scores, kind="stable")  # NaN comes last
    return order[: min(known, max(1, int(np.ceil(share * known))))]


def stack_score(scores: np.ndarray, share: float = TOP_SHARE) -> float:
    """The mean of the highest share of (N,) log-odds; NaN where fewer than LEAST_SLICES are known."""
    scores = np.asarray(scores, np.float64)
    if np.sum(~np.isnan(scores)) < LEAST_SLICES:
        return float("nan")
    return float(scores[top_slices(scores, share)].mean())


def study_score(scores: Sequence[float]) -> float:
    """The mean of the scores of a study's stacks; NaN where none has a score."""
    known = [score for score in scores if not np.isnan(score)]
    return float(np.mean(known)) if known else float("nan")


def fused_probability(score: float, intercept: float, slope: float) -> float:
    """The calibrated probability (0..1) of a tumour."""
    return float(1 / (1 + np.exp(-(intercept + slope * score))))
