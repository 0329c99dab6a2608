"""Tumour detection: thresholds, and figures against scikit-learn and by construction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from utils.metrics.detection import DETECTION_FIGURES, detection_figures, threshold_at


def answers(count: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    tumor = rng.random(count) < 0.6
    return np.round(rng.normal(size=count) + tumor, 2), tumor, rng.integers(0, count // 3, count)


def test_figures_are_scikit_learns():
    scores, tumor, groups = answers()
    figures = detection_figures(scores, tumor, groups, threshold=0.5, resamples=50)
    assert figures["tumors"] + figures["healthy"] == 300
    assert figures["auc"] == pytest.approx(roc_auc_score(tumor, scores), abs=1e-6)
    assert figures["sensitivity"] == pytest.approx(np.mean(scores[tumor] >= 0.5), abs=1e-6)
    assert figures["specificity"] == pytest.approx(np.mean(scores[~tumor] < 0.5), abs=1e-6)
    false, true, _ = roc_curve(tumor, scores, drop_intermediate=False)
    assert figures["sensitivity_at_95_specificity"] == pytest.approx(true[false <= 0.05].max(), abs=1e-6)
    for name in DETECTION_FIGURES:
        low, high = figures[f"{name}_interval"]
        assert low <= figures[name] <= high


def test_what_has_no_scan_has_no_figure():
    only_tumors = detection_figures(np.array([0.2, 0.9]), np.array([True, True]), [0, 1], 0.5, resamples=10)
    assert only_tumors["sensitivity"] == 0.5
    assert only_tumors["specificity"] is None and only_tumors["auc"] is None
    assert only_tumors["sensitivity_at_95_specificity"] is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80), st.floats(0.5, 1))
def test_the_threshold_leaves_the_wished_share_alone_and_not_much_more(healthy, specificity):
    scores = np.asarray(healthy)
    threshold = threshold_at(scores, specificity)
    assert np.mean(scores < threshold) >= specificity - 1e-9
    largest_left_alone = scores[scores < threshold].max()
    assert np.mean(scores < largest_left_alone) < specificity


def test_all_detected_has_the_exact_interval_of_the_patients() -> None:
    """Ten scans of five patients count as five cases: 0.025 ** (1 / 5) = 0.478."""
    tumor = np.array([True] * 10 + [False] * 4)
    figures = detection_figures(
        tumor.astype(float), tumor, [*np.arange(10) // 2, 5, 6, 7, 8], 0.5, resamples=20
    )
    assert figures["sensitivity_interval"] == [pytest.approx(0.478, abs=1e-3), 1.0]
    assert figures["specificity_interval"] == [pytest.approx(0.025 ** (1 / 4), abs=1e-6), 1.0]
