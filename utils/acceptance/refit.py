"""Temperature, tumour threshold and referral thresholds of a site, and figures that were not fitted on their scans."""

from __future__ import annotations

import numpy as np

from utils.acceptance.scores import Answers, Scores, agreed, answers
from utils.classes import CLASSES
from utils.metrics.calibration import fit_temperature, lowest_confidence
from utils.metrics.detection import threshold_at
from utils.metrics.ensemble import MOST_MISSED, NO_TUMOR, labels_of, with_temperature
from utils.records.acceptance import AnswerRule

FOLDS = 10
FEWEST_ANSWERS = 20  # concordant scans that a class needs for a referral threshold of its own


def fit_rule(scores: Scores) -> AnswerRule:
    """The rule that suits the images among these cases; there must be some with and some without a tumour that have a
    result. Stacks do not count: no rule changes their answers.

    The temperature minimises the loss; the tumour threshold has 95 % specificity on the scans without tumour; each
    referral threshold 98 % accuracy on the concordant scans of its class.
    """
    used = scores.rows(_is_fitted(scores))
    known = used.is_known
    targets = np.array([CLASSES.index(target) for target in used.targets[known]])
    temperature = round(fit_temperature(np.log(np.maximum(used.joint[known], 1e-12)), targets), 4)
    joint = with_temperature(used.joint, temperature)
    tumor_threshold = min(threshold_at(1 - joint[~used.is_tumor, NO_TUMOR]), 1.0)
    return AnswerRule(
        temperature=temperature,
        tumor_threshold=tumor_threshold,
        referral_thresholds=_referral(used, joint, labels_of(joint, tumor_threshold)),
    )


def cross_validated(scores: Scores, folds: int = FOLDS, seed: int = 0) -> Answers:
    """The answers of each case by a rule that was fitted on images of other patients."""
    from sklearn.model_selection import StratifiedGroupKFold  # a second to import

    images, stacks = np.flatnonzero(~scores.is_stack), np.flatnonzero(scores.is_stack)
    is_tumor, groups = scores.is_tumor[images], scores.groups[images]
    parts = min(folds, len(np.unique(groups[is_tumor])), len(np.unique(groups[~is_tumor])))
    labels, is_answered = np.zeros(len(scores), int), np.zeros(len(scores), bool)
    probabilities = np.zeros_like(scores.joint)
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    for train, held_out in splitter.split(images, is_tumor, groups):
        test = np.append(images[held_out], stacks)
        part = answers(scores.rows(test), fit_rule(scores.rows(images[train])))
        labels[test], is_answered[test] = part.labels, part.is_answered
        probabilities[test] = part.probabilities
    return Answers(labels, probabilities, is_answered)


def can_be_fitted(scores: Scores) -> bool:
    """Whether every part of the cross-validation can have images with and without a tumour to fit on."""
    used = scores.rows(_is_fitted(scores))
    patients = [np.unique(used.groups[used.is_tumor == kind]) for kind in (True, False)]
    return min(map(len, patients)) >= 2


def _is_fitted(scores: Scores) -> np.ndarray:
    """(N,) bool: images that have a result."""
    return scores.has_result & ~scores.is_stack


def _referral(scores: Scores, joint: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """By class; classes with few concordant scans share a threshold."""
    confidence = joint[np.arange(len(labels)), labels]
    correct = np.asarray(CLASSES)[labels] == scores.targets
    is_concordant = agreed(scores, labels) & scores.is_known
    rows = {name: is_concordant & (labels == place) for place, name in enumerate(CLASSES)}
    few = [name for name in CLASSES if rows[name].sum() < FEWEST_ANSWERS]
    shared = np.any([rows[name] for name in few], axis=0) if few else np.zeros(len(labels), bool)
    is_enough = shared.sum() >= FEWEST_ANSWERS
    rows |= {name: shared if is_enough else np.zeros(len(labels), bool) for name in few}
    thresholds = {name: lowest_confidence(confidence[rows[name]], correct[rows[name]]) for name in CLASSES}
    missed = np.where(agreed(scores, labels) & (labels == NO_TUMOR), joint[:, NO_TUMOR], 0.0)[scores.is_tumor]
    least = float(np.quantile(missed, 1 - MOST_MISSED, method="inverted_cdf"))
    thresholds["no_tumor"] = max(thresholds["no_tumor"], least)
    return {name: round(value, 4) for name, value in thresholds.items()}
