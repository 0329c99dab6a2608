"""How often a model was correct on test scans with the same label and a similar probability, in counts and words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.metrics.calibration import wilson_interval
from utils.records.explanations import ExplanationsRecord
from utils.records.segmentation import OutlineRecord
from utils.results.records import Evaluation, MeasuredModel, of_known_type
from utils.wording import CLASS_TITLES, percent, value_with_interval

TRUST_BINS = (0.0, 0.5, 0.7, 0.9, 0.97, 1.0)  # of a calibrated probability
LEAST_SCANS = 10  # fewer similar scans say nothing about a scan


def evaluation_of(evaluations: Iterable[Evaluation], network: str, version: str) -> Evaluation | None:
    """The evaluation of a network's weights (version: SHA-256) on the app's protocol; None where there is none.

    A record that does not name its weights counts as theirs.
    """
    for evaluation in evaluations:
        is_of_network = evaluation.model == network and evaluation.protocol.is_shipped
        if is_of_network and evaluation.record.weights_sha256 in (None, version):
            return evaluation
    return None


def trust_sentence(model: MeasuredModel | None, label: str, probability: float) -> str:
    """One sentence: the predictive value of a label with a probability like this (0..1, calibrated), held-out patients.

    model: an evaluation (`evaluation_of`) or an ensemble (`ensemble.measured_ensemble`), whose concordant scans count.
    """
    if model is None or model.predictions is None:
        return "Not yet measured on held-out patients."
    predictions, condition = model.predictions, ""
    if "agreed" in predictions:
        predictions, condition = predictions[predictions["agreed"]], ", models concordant"
    low, high = trust_bin(probability)
    confidence = f"{100 * low:.0f}-{percent(high)}" if low and high < 1 else f"{percent(low)} or more"
    confidence = confidence if low else f"less than {percent(high)}"
    counts = trust_statement(predictions, label, probability)
    if counts is None:
        return (
            f"Fewer than {LEAST_SCANS} held-out scans with {CLASS_TITLES[label]} at {confidence}{condition}: "
            "no track record."
        )
    correct, of, groups = counts
    share = value_with_interval(correct / of, _cluster_interval(correct / of, groups), 0, label="95 % CI ")
    value = "NPV" if label == "no_tumor" else f"PPV for {CLASS_TITLES[label]}"
    return f"{value} at {confidence}{condition}, held-out patients: {correct} of {of}, {share}."


def trust_statement(predictions: pd.DataFrame, label: str, probability: float) -> tuple[int, int, int] | None:
    """On how many similar test scans the label was correct: (correct, of all, groups), or None under LEAST_SCANS.

    Similar: with this label and a calibrated probability in the same of TRUST_BINS (low end included). A tumour of a
    type that is no class counts where the label is no tumour. predictions: the table of an Evaluation.
    """
    if label not in predictions.columns:
        return None
    rows = predictions if label == "no_tumor" else of_known_type(predictions)
    rows = rows[rows["label"] == label]
    inner = TRUST_BINS[1:-1]
    similar = rows[np.digitize(rows[label].to_numpy(dtype=float), inner) == np.digitize(probability, inner)]
    if len(similar) < LEAST_SCANS:
        return None
    groups = similar["group"].nunique() if "group" in similar else len(similar)
    return int((similar["target"] == label).sum()), len(similar), groups


def _cluster_interval(share: float, groups: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (0..1), with as many independent cases as there are patients (groups)."""
    low, high = wilson_interval(np.array([share * groups]), np.array([groups]))
    return float(low[0]), float(high[0])


def referral_statement(
    predictions: pd.DataFrame, thresholds: Mapping[str, float]
) -> tuple[float, float] | None:
    """The effect of referring the scans below the threshold of their class: (share not referred, accuracy on it).

    Both 0..1, over scans of a known class. None where there are no probabilities, or every scan is referred.
    predictions: the table of an Evaluation; of an ensemble's all discordant scans are referred.
    """
    if not set(CLASSES) <= set(predictions.columns):
        return None
    known = of_known_type(predictions)
    is_confident = known[list(CLASSES)].max(axis=1) >= known["label"].map(thresholds)
    answered = known[is_confident & known.get("agreed", True)]
    if answered.empty:
        return None
    return len(answered) / len(known), float((answered["label"] == answered["target"]).mean())


def pointing_sentence(record: ExplanationsRecord | None, method: str, label: str) -> str:
    """One sentence: how often the peak activation of a method's map was inside the tumour of that class."""
    if label == "no_tumor":
        return "The saliency map for no tumour has no single location."
    figures = record.methods.get(method) if record else None
    part = figures.classes.get(label) if figures else None
    if part is None or not part.n or part.pointing is None:
        return "Not yet measured whether this map points at tumours."
    share, title = percent(part.pointing), CLASS_TITLES[label]
    return f"Peak activation inside the tumour on {share} of {part.n} held-out scans with {title}."


def outline_sentence(record: OutlineRecord | None) -> str:
    """One sentence: how well outlines fit the reference segmentations."""
    if record is None or record.dice is None:
        return "Not yet measured on held-out patients."
    false = record.false_outlines_per_100
    rate = "" if false is None else f"; false-positive rate {false:.0f} %"
    return f"On held-out patients: Dice (0-1) {record.dice:.2f}{rate}."


def trust_bin(probability: float) -> tuple[float, float]:
    """The limits of the one of TRUST_BINS that holds a probability."""
    number = int(np.digitize(probability, TRUST_BINS[1:-1]))
    return TRUST_BINS[number], TRUST_BINS[number + 1]
