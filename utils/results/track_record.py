"""How often a network was right on test scans when it spoke as it does now, in counts and words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.results.records import Evaluation, of_known_type
from utils.wording import CLASS_TITLES

TRUST_BINS = (0.0, 0.5, 0.7, 0.9, 0.97, 1.0)  # of a calibrated probability
LEAST_SCANS = 10  # fewer like it tell nothing about a scan


def evaluation_of(evaluations: Iterable[Evaluation], network: str, version: str) -> Evaluation | None:
    """The patient-disjoint evaluation of a network's weights (version: SHA-256); None where they were not measured.

    A record that does not name its weights is taken for theirs.
    """
    for evaluation in evaluations:
        fits = evaluation.model == network and evaluation.protocol.is_shipped
        if fits and evaluation.figures.get("weights_sha256", version) == version:
            return evaluation
    return None


def trust_sentence(evaluation: Evaluation | None, label: str, probability: float) -> str:
    """One sentence: how often a network was right on unseen patients when it spoke like this.

    evaluation: its own (`evaluation_of`), or that of several together (`together.evaluation_together`), which speak
    where they agree; label and probability (0..1, calibrated): what it says now.
    """
    if evaluation is None or evaluation.predictions is None:
        return "Not yet measured on unseen patients."
    predictions, who, was = evaluation.predictions, "it", "was"
    if "agreed" in predictions:
        predictions, who, was = predictions[predictions["agreed"]], "they together", "were"
    low, high = trust_bin(probability)
    how = f"{100 * low:.0f} to {100 * high:.0f} %" if low and high < 1 else f"{100 * low:.0f} % or more"
    said = f"{CLASS_TITLES[label]} with {how if low else f'less than {100 * high:.0f} %'}"
    counted = trust_statement(predictions, label, probability)
    if counted is None:
        return f"On scans of unseen patients {who} hardly ever said {said}: no track record."
    right, of = counted
    return f"On scans of unseen patients {who} said {said} {of} times and {was} right {right} times."


def trust_statement(predictions: pd.DataFrame, label: str, probability: float) -> tuple[int, int] | None:
    """How often the network was right on test scans like this one: (right, of all), or None under LEAST_SCANS.

    Like this one: called `label` with a calibrated probability in the same of TRUST_BINS (low end included). A tumour
    of a type without a name counts where it was called healthy. predictions: the table of an Evaluation.
    """
    if label not in predictions.columns:
        return None
    told = predictions if label == "no_tumor" else of_known_type(predictions)
    called = told[told["label"] == label]
    inner = TRUST_BINS[1:-1]
    alike = called[np.digitize(called[label].to_numpy(dtype=float), inner) == np.digitize(probability, inner)]
    if len(alike) < LEAST_SCANS:
        return None
    return int((alike["target"] == label).sum()), len(alike)


def referral_statement(predictions: pd.DataFrame, threshold: float) -> tuple[float, float] | None:
    """What it costs and buys to refer scans with less confidence: (share answered, accuracy on them), each 0..1.

    Over scans of a type that the networks know. None where there are no probabilities, or no scan is answered.
    predictions: the table of an Evaluation; of several networks together those alone are answered on which they agree.
    """
    if not set(CLASSES) <= set(predictions.columns):
        return None
    known = of_known_type(predictions)
    answered = known[(known[list(CLASSES)].max(axis=1) >= threshold) & known.get("agreed", True)]
    if answered.empty:
        return None
    return len(answered) / len(known), float((answered["label"] == answered["target"]).mean())


def pointing_sentence(record: dict | None, method: str, label: str) -> str:
    """One sentence: how often the strongest place of a method's map lay in the tumour of that class.

    record: what `evaluations.load_explanations` gives about the network.
    """
    if label == "no_tumor":
        return "What speaks for no tumour has no one place."
    told = record["methods"].get(method, {}).get("classes", {}).get(label) if record else None
    if not told or not told["n"]:
        return "Not yet measured whether this map points at tumours."
    return (
        f"On scans of unseen patients its strongest place lay in the tumour in {100 * told['pointing']:.0f} % of "
        f"{told['n']} scans with {CLASS_TITLES[label]}."
    )


def outline_sentence(record: dict | None) -> str:
    """One sentence: how far outlines were right. record: what `evaluations.load_outlines` gives about the network."""
    if record is None:
        return "Not yet measured on unseen patients."
    said = f"On scans of unseen patients outlines overlapped the tumour by {record['dice']:.2f} (Dice, 1 is all of it)"
    false = record["false_outlines_per_100"]
    return said + (f"; {false:.0f} of 100 scans without tumour got one." if false is not None else ".")


def trust_bin(probability: float) -> tuple[float, float]:
    """The ends of the one of TRUST_BINS that a probability lies in."""
    number = int(np.digitize(probability, TRUST_BINS[1:-1]))
    return TRUST_BINS[number], TRUST_BINS[number + 1]
