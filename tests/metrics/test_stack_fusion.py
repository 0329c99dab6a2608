"""From slices to one score of a stack and of a study."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from utils.metrics.stack_fusion import (
    LEAST_SLICES,
    fused_probability,
    log_odds,
    stack_score,
    study_score,
    top_slices,
)

SCORES = st.lists(st.floats(-8, 8), min_size=LEAST_SLICES, max_size=40)


def test_log_odds_are_finite_at_the_ends() -> None:
    values = log_odds(np.asarray([0.0, 0.5, 1.0, np.nan]))
    assert values[1] == 0 and values[0] == pytest.approx(-values[2]) and np.isfinite(values[:3]).all()
    assert np.isnan(values[3])


def test_the_score_is_the_mean_of_the_highest_quarter() -> None:
    scores = np.asarray([0.0, 9.0, 1.0, 2.0, 7.0, -1.0, -2.0, -3.0])
    assert top_slices(scores).tolist() == [1, 4] and stack_score(scores) == 8.0
    assert stack_score(np.asarray([1.0, 5.0, 2.0])) == 5.0  # of three slices one counts


def test_slices_without_a_score_do_not_count() -> None:
    assert stack_score(np.asarray([np.nan, 3.0, 1.0, 2.0, np.nan])) == 3.0
    assert np.isnan(stack_score(np.asarray([np.nan, 3.0, 1.0])))  # too few
    assert top_slices(np.asarray([np.nan, np.nan])).tolist() == []


def test_a_study_is_the_mean_of_its_stacks() -> None:
    assert study_score([2.0, float("nan"), 4.0]) == 3.0
    assert np.isnan(study_score([float("nan")])) and np.isnan(study_score([]))


@given(SCORES)
def test_the_score_lies_between_mean_and_highest_and_ignores_the_order(scores) -> None:
    values = np.asarray(scores)
    score = stack_score(values)
    assert values.mean() - 1e-9 <= score <= values.max() + 1e-9
    assert score == pytest.approx(stack_score(values[::-1]))


@given(st.lists(st.floats(-8, 8), min_size=4, max_size=4))
def test_more_slices_of_the_same_kind_do_not_change_the_score(scores) -> None:
    values = np.asarray(scores)
    assert stack_score(np.tile(values, 5)) == pytest.approx(stack_score(values))


def test_the_probability_grows_with_the_score() -> None:
    values = [fused_probability(score, -1.0, 0.7) for score in (-5.0, 0.0, 1 / 0.7, 5.0)]
    assert values == sorted(values) and values[2] == pytest.approx(0.5)
