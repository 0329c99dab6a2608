"""Two networks on the same test scans: a paired test of their accuracy, and how often they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.results.records import MeasuredModel, of_known_type
from utils.wording import percent

SIGNIFICANT = 0.05  # a p-value below it is reported as a difference


@dataclass(frozen=True)
class PairedTest:
    """`first_alone`, `second_alone`: scans that only that network classified correctly, of `n` in `groups` groups.

    `p`: two-sided; 1 where they differ nowhere.
    """

    n: int
    groups: int
    first_alone: int
    second_alone: int
    p: float


def clustered_mcnemar(first: np.ndarray, second: np.ndarray, groups: Sequence | np.ndarray) -> PairedTest:
    """McNemar's test for scans in groups (a patient's slices), which the plain test would take as independent.

    first, second: (N,) bool, correct or not; groups: (N,). The statistic, chi-squared with one degree of freedom, is
    the squared sum of the groups' differences over the sum of their squares; with one scan a group it is McNemar's.
    Source: Yang, Sun and Hardin, "A note on the tests for clustered matched-pair binary data", Biometrical Journal 52
    (2010), the modified test of Obuchowski.
    """
    from scipy.stats import chi2

    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if not len(first) == len(second) == len(groups) or not len(first):
        raise ValueError(f"{len(first)}, {len(second)} labels and {len(groups)} groups do not fit.")
    group_of = pd.factorize(np.asarray(groups))[0]
    differences = np.bincount(group_of, weights=first.astype(float) - second)
    spread = float(np.sum(differences**2))
    statistic = float(differences.sum()) ** 2 / spread if spread else 0.0
    alone = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return PairedTest(len(first), int(group_of.max()) + 1, *alone, float(chi2.sf(statistic, 1)))


def paired_test(first: MeasuredModel, second: MeasuredModel) -> PairedTest | None:
    """Two models on the test scans of a known class that both have read; None without their predictions."""
    if first.predictions is None or second.predictions is None or first.protocol.name != second.protocol.name:
        return None
    columns = ["file", "source", "group", "target", "label"]
    if not set(columns) <= set(first.predictions.columns) & set(second.predictions.columns):
        return None
    both = of_known_type(first.predictions[columns]).merge(
        second.predictions[["file", "source", "label"]], on=["file", "source"], suffixes=("", "_second")
    )
    if both.empty:
        return None
    first_correct, second_correct = (
        (both[column] == both["target"]).to_numpy() for column in ("label", "label_second")
    )
    return clustered_mcnemar(first_correct, second_correct, both["group"].to_numpy())


def in_words(test: PairedTest, first: str, second: str) -> str:
    """The result of the test as one sentence; first, second: titles of the networks."""
    alone = (
        f"Of {test.n} held-out test scans, {first} alone was correct on {test.first_alone} and {second} alone on "
        f"{test.second_alone}"
    )
    p = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}" if test.p < 0.1 else f"p = {test.p:.2f}"
    if test.p >= SIGNIFICANT:
        return f"{alone}: no significant difference ({p}, McNemar's test by patient)."
    better = first if test.first_alone > test.second_alone else second
    return f"{alone}: {better} is significantly more accurate ({p}, McNemar's test by patient)."


def agreement_in_words(predictions: pd.DataFrame) -> str:
    """How often networks agree, and their accuracy then. predictions: those of `ensemble.ensemble_predictions`."""
    known = of_known_type(predictions)
    agreed = known[known["agreed"]]
    if agreed.empty:
        return "Concordant on no held-out test scan."
    accuracy = (agreed["label"] == agreed["target"]).mean()
    share = percent(len(agreed) / len(known))
    return f"Concordant on {share} of held-out test scans; accuracy on these {percent(accuracy, 1)}."
