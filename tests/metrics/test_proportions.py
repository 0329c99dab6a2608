"""Shares with the interval that the patients behind the scans allow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from utils.metrics.proportions import share


def test_scans_of_different_patients_have_nearly_wilsons_interval() -> None:
    hits = np.arange(100) < 85
    result = share(hits, np.arange(100))
    wilson = binomtest(85, 100).proportion_ci(method="wilson")
    assert result is not None and (result.value, result.n, result.patients) == (0.85, 100, 100)
    assert (result.low, result.high) == pytest.approx((wilson.low, wilson.high), abs=0.005)


def test_scans_of_one_patient_that_are_alike_count_once() -> None:
    hits = np.arange(25) < 20
    of_patients = share(hits, np.arange(25))
    of_slices = share(np.repeat(hits, 4), np.repeat(np.arange(25), 4))
    assert of_patients is not None and of_slices is not None
    assert (of_slices.low, of_slices.high) == pytest.approx((of_patients.low, of_patients.high), abs=0.02)
    assert of_slices.n == 100 and of_slices.needed == pytest.approx(4 * of_patients.needed, rel=0.1)


@pytest.mark.parametrize(("value", "inside"), [(True, "low"), (False, "high")])
def test_all_and_none_have_an_interval_with_a_width(value: bool, inside: str) -> None:
    result = share(np.full(20, value), np.arange(20))
    assert result is not None and result.value == value
    assert 0.05 < result.high - result.low < 0.25 and 0 < getattr(result, inside) < 1


def test_no_scan_has_no_share() -> None:
    assert share(np.zeros(0, bool), np.zeros(0)) is None


def test_as_many_scans_as_needed_give_five_points() -> None:
    few = share(np.arange(50) < 40, np.arange(50))
    assert few is not None
    hits = np.arange(few.needed) < 0.8 * few.needed
    many = share(hits, np.arange(few.needed))
    assert many is not None and (many.high - many.low) / 2 == pytest.approx(0.05, abs=0.004)
