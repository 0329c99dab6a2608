"""Two networks on the same scans: who is right where the other is wrong, and whether that is more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.results.records import Evaluation, of_known_type

TELLING = 0.05  # a p-value below it is called a difference


@dataclass(frozen=True)
class PairedTest:
    """`first_alone`, `second_alone`: scans that only one of two networks read rightly, of `n` in `groups` groups.

    `p`: two-sided; 1 where they differ nowhere.
    """

    n: int
    groups: int
    first_alone: int
    second_alone: int
    p: float


def clustered_mcnemar(first: np.ndarray, second: np.ndarray, groups: Sequence | np.ndarray) -> PairedTest:
    """McNemar's test for scans that come in groups (a patient's slices), which the plain one would count one by one.

    first, second: (N,) bool, right or wrong; groups: (N,). The statistic, chi-squared with one degree of freedom, is
    the squared sum of the groups' differences over the sum of their squares; with one scan a group it is McNemar's.
    Source: Yang, Sun and Hardin, "A note on the tests for clustered matched-pair binary data", Biometrical Journal 52
    (2010), the modified test of Obuchowski.
    """
    from scipy.stats import chi2

    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if not len(first) == len(second) == len(groups) or not len(first):
        raise ValueError(f"{len(first)}, {len(second)} answers and {len(groups)} groups do not fit.")
    group_of = pd.factorize(np.asarray(groups))[0]
    differences = np.bincount(group_of, weights=first.astype(float) - second)
    spread = float(np.sum(differences**2))
    statistic = float(differences.sum()) ** 2 / spread if spread else 0.0
    alone = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return PairedTest(len(first), int(group_of.max()) + 1, *alone, float(chi2.sf(statistic, 1)))


def paired_record(first: Evaluation, second: Evaluation) -> PairedTest | None:
    """Both networks on the test scans of a known type that both have read; None without their predictions."""
    if first.predictions is None or second.predictions is None or first.protocol.name != second.protocol.name:
        return None
    columns = ["file", "source", "group", "target", "label"]
    if not all(set(columns) <= set(one.predictions.columns) for one in (first, second)):  # type: ignore[union-attr]
        return None
    both = of_known_type(first.predictions[columns]).merge(
        second.predictions[["file", "source", "label"]], on=["file", "source"], suffixes=("", "_second")
    )
    if both.empty:
        return None
    right = (both["label"] == both["target"]).to_numpy(), (both["label_second"] == both["target"]).to_numpy()
    return clustered_mcnemar(*right, both["group"].to_numpy())


def in_words(test: PairedTest, first: str, second: str) -> str:
    """What the test says, for a reader who has not met it."""
    alone = (
        f"Of {test.n} test scans of unseen patients, {first} alone was right on {test.first_alone} and {second} alone "
        f"on {test.second_alone}"
    )
    p = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}" if test.p < 0.1 else f"p = {test.p:.2f}"
    if test.p >= TELLING:
        return f"{alone}: no difference that could not be chance ({p}, McNemar's test by patient)."
    better = first if test.first_alone > test.second_alone else second
    return f"{alone}: {better} is better, beyond chance ({p}, McNemar's test by patient)."


def agreement_in_words(predictions: pd.DataFrame) -> str:
    """How often networks agree, and what that is worth. predictions: those of `together.mean_answers`."""
    known = of_known_type(predictions)
    agreed = known[known["agreed"]]
    if agreed.empty:
        return "On no test scan of an unseen patient did they name the same class."
    right = (agreed["label"] == agreed["target"]).mean()
    return (
        f"On {100 * len(agreed) / len(known):.0f} % of test scans of unseen patients they named the same class, and "
        f"were then right on {100 * right:.1f} %."
    )
