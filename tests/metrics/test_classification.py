"""utils.metrics against scikit-learn, and against what is known by construction."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import binomtest
from sklearn import metrics as sk

from utils.classes import CLASSES
from utils.metrics import bootstrap, calibration, classification


def expected_calibration_error(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """The `ece` of `classification.figures`, straight from its definition (Guo et al., ICML 2017)."""
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == targets).astype(float)
    bins = classification.confidence_bins(confidence, classification.ECE_BINS)
    gaps = np.bincount(bins, weights=confidence - correct, minlength=classification.ECE_BINS)
    return float(np.abs(gaps).sum() / len(targets))


def answers(count: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Targets (N,), probabilities (N, 4) with some skill, groups (N,) of two or so."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, 4, count)
    logits = rng.normal(size=(count, 4))
    logits[np.arange(count), targets] += 1.5
    return targets, classification.softmax(logits), rng.integers(0, count // 2, count)


def calibrated(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 4) and targets drawn from exactly the probabilities that they stand for."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(count, 4))
    targets = (classification.softmax(logits).cumsum(axis=1) > rng.random((count, 1))).argmax(axis=1)
    return logits, targets


def test_figures_are_those_of_sklearn():
    targets, probabilities, groups = answers()
    labels = probabilities.argmax(axis=1)
    result = classification.figures(targets, labels, groups, probabilities, resamples=20)
    expected = {
        "accuracy": sk.accuracy_score(targets, labels),
        "loss": sk.log_loss(targets, probabilities),
        "macro_precision": sk.precision_score(targets, labels, average="macro"),
        "macro_recall": sk.recall_score(targets, labels, average="macro"),
        "macro_f1": sk.f1_score(targets, labels, average="macro"),
        "macro_iou": sk.jaccard_score(targets, labels, average="macro"),
        "auc": sk.roc_auc_score(targets, probabilities, multi_class="ovr"),
        "kappa": sk.cohen_kappa_score(targets, labels),
        "ece": expected_calibration_error(probabilities, targets),
    }
    assert {name: result[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert result["confusion"] == sk.confusion_matrix(targets, labels).tolist()
    assert (result["n"], result["groups"]) == (400, len(set(groups.tolist())))
    for index, name in enumerate(CLASSES):
        class_figures = result["classes"][name]
        true, called = targets == index, labels == index
        assert class_figures["n"] == true.sum()
        assert class_figures["precision"] == pytest.approx(sk.precision_score(true, called), abs=1e-6)
        assert class_figures["recall"] == pytest.approx(sk.recall_score(true, called), abs=1e-6)
        assert class_figures["f1"] == pytest.approx(sk.f1_score(true, called), abs=1e-6)
        assert class_figures["iou"] == pytest.approx(sk.jaccard_score(true, called), abs=1e-6)
        assert class_figures["auc"] == pytest.approx(
            sk.roc_auc_score(true, probabilities[:, index]), abs=1e-6
        )


def test_bootstrap_is_that_of_repeated_groups():
    """A group drawn twice counts as if its scans stood in the set twice."""
    targets, probabilities, groups = answers(60)
    group_of = np.unique(groups, return_inverse=True)[1]
    weights = bootstrap.group_weights(group_of, 5, seed=3)
    assert weights[1:].sum(axis=1).tolist() == [group_of.max() + 1] * 5
    aucs = classification._class_aucs(targets, probabilities, group_of, weights)
    losses = classification._probability_values(targets, probabilities, group_of, weights)["loss"]
    for row in range(1, 6):
        rows = np.repeat(np.arange(60), weights[row][group_of].astype(int))
        assert losses[row] == pytest.approx(-np.log(probabilities[rows, targets[rows]]).mean())
        for index in range(4):
            expected = sk.roc_auc_score(targets[rows] == index, probabilities[rows, index])
            assert aucs[row, index] == pytest.approx(expected)


def test_auc_counts_ties_half():
    scores, positive = np.array([1.0, 1.0, 0.2, 0.2, 1.0]), np.array([True, False, True, False, False])
    assert bootstrap.weighted_auc(scores, positive, np.ones((1, 5)))[0] == pytest.approx(5 / 12)


def test_interval_is_wider_when_patients_have_more_scans_that_agree():
    targets, probabilities, _ = answers(100)
    labels = probabilities.argmax(axis=1)
    targets, labels, probabilities = (np.repeat(a, 10, axis=0) for a in (targets, labels, probabilities))
    together = classification.figures(targets, labels, np.repeat(np.arange(100), 10), probabilities)
    apart = classification.figures(targets, labels, np.arange(1000), probabilities)
    for name in ("accuracy", "loss", "macro_f1", "auc"):
        low, high = together[f"{name}_interval"]
        narrow_low, narrow_high = apart[f"{name}_interval"]
        assert low < narrow_low < together[name] < narrow_high < high
        assert high - low > 2 * (narrow_high - narrow_low)


def test_accuracy_interval_is_near_the_binomial_one():
    targets, probabilities, _ = answers(500)
    labels = probabilities.argmax(axis=1)
    result = classification.figures(targets, labels, np.arange(500))
    exact = binomtest(int((targets == labels).sum()), 500).proportion_ci(method="wilson")
    assert result["accuracy_interval"] == pytest.approx([exact.low, exact.high], abs=0.01)


def test_same_seed_same_intervals():
    targets, probabilities, groups = answers(80)
    labels = probabilities.argmax(axis=1)
    first, again, other = (
        classification.figures(targets, labels, groups, probabilities, 50, seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert first["accuracy_interval"] != other["accuracy_interval"]


def test_without_probabilities():
    targets, probabilities, groups = answers(80)
    result = classification.figures(targets, probabilities.argmax(axis=1), groups, resamples=10)
    for name in ("loss", "auc", "ece"):
        assert result[name] is None and result[f"{name}_interval"] is None
    assert result["classes"]["glioma"]["auc"] is None
    assert result["accuracy_interval"] is not None


def test_groups_may_be_words():
    targets, probabilities, groups = answers(80)
    labels = probabilities.argmax(axis=1)
    words = [f"patient {group}" for group in groups]
    assert classification.figures(targets, labels, words) == classification.figures(targets, labels, groups)


@pytest.mark.parametrize(
    ("targets", "labels"),
    [([0], [0]), ([0, 0, 0], [0, 0, 0]), ([0, 1, 1, 0], [0, 0, 0, 0]), ([0, 1], [2, 3])],
    ids=["one scan", "one class", "a class never called", "all wrong"],
)
def test_degenerate_sets_give_valid_json(targets, labels):
    probabilities = np.eye(4)[labels]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = classification.figures(
            np.array(targets), np.array(labels), np.arange(len(targets)), probabilities, 50
        )
    json.dumps(result, allow_nan=False)
    assert result["accuracy"] == np.mean(np.equal(targets, labels))
    present = sorted({*targets, *labels})
    expected = sk.f1_score(targets, labels, average="macro", labels=present, zero_division=0)
    assert result["macro_f1"] == pytest.approx(expected, abs=1e-6)


def test_zero_division_and_absent_classes():
    result = classification.figures(np.array([0, 1, 1, 0]), np.zeros(4, int), np.arange(4), resamples=10)
    assert result["classes"]["meningioma"]["precision"] == 0.0
    assert result["classes"]["pituitary"]["recall"] is None


def test_one_patient_has_no_interval():
    result = classification.figures(np.array([0, 1, 1]), np.array([0, 1, 0]), np.zeros(3, int))
    assert result["accuracy"] == pytest.approx(2 / 3, abs=1e-6)
    assert result["accuracy_interval"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ([], [], []),
        ([0, 1], [0], [0, 1]),
        ([0, 4], [0, 0], [0, 1]),
        ([0, 1], [0, 1], [0, None]),
        ([0, 1], [0, 1], [0, 1], np.ones((2, 3)) / 3),
        ([0, 1], [0, 1], [0, 1], np.full((2, 4), np.nan)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arguments):
    with pytest.raises(ValueError):
        classification.figures(*arguments)


@pytest.mark.parametrize("scale", [0.4, 1.0, 3.0])
def test_temperature_recovers_a_known_scale(scale):
    logits, targets = calibrated(20_000)
    assert calibration.fit_temperature(logits * scale, targets) == pytest.approx(scale, rel=0.05)


def test_temperature_lowers_loss_and_keeps_answers():
    logits, targets = calibrated(3000)
    temperature = calibration.fit_temperature(4 * logits, targets)
    assert classification.cross_entropy(4 * logits / temperature, targets) < classification.cross_entropy(
        4 * logits, targets
    )


def test_temperature_of_a_faultless_network_stays_in_range():
    logits = 5 * np.eye(4)[[0, 1, 2, 3]]
    low, high = calibration.TEMPERATURES
    assert low <= calibration.fit_temperature(logits, np.arange(4)) <= high


def test_calibration_error_of_calibrated_and_overconfident_probabilities():
    logits, targets = calibrated(40_000)
    assert expected_calibration_error(classification.softmax(logits), targets) < 0.01
    assert expected_calibration_error(classification.softmax(5 * logits), targets) > 0.1
    certain = np.eye(4)[np.zeros(10, int)]
    assert expected_calibration_error(certain, np.array([0] * 7 + [1] * 3)) == pytest.approx(0.3)


def test_reliability_rows():
    probabilities = np.array([[0.7, 0.1, 0.1, 0.1]] * 3 + [[0.95, 0.05, 0, 0]] * 2)
    table = calibration.reliability(probabilities, np.array([0, 0, 1, 0, 0]))
    assert table["count"].tolist() == [3, 2]
    assert table["accuracy"].tolist() == pytest.approx([2 / 3, 1])
    assert table["confidence"].tolist() == pytest.approx([0.7, 0.95])
    assert (table["low"].iloc[1], table["high"].iloc[1]) == pytest.approx((0.9, 1.0))
    exact = binomtest(2, 3).proportion_ci(method="wilson")
    assert table[["accuracy_low", "accuracy_high"]].iloc[0].tolist() == pytest.approx([exact.low, exact.high])


def test_referral_threshold():
    confidence = np.array([0.95, 0.9, 0.8, 0.8, 0.6])
    probabilities = np.column_stack([confidence, 1 - confidence, np.zeros((5, 2))])
    assert calibration.referral_threshold(probabilities, np.array([0, 0, 0, 0, 0])) == 0.6
    assert calibration.referral_threshold(probabilities, np.array([0, 0, 0, 0, 1])) == 0.8
    # one of two equal confidences is wrong: they go together, so the threshold stays above both
    assert calibration.referral_threshold(probabilities, np.array([0, 0, 0, 1, 1])) == 0.9
    assert calibration.referral_threshold(probabilities, np.ones(5, int)) == 1.0


@settings(max_examples=50)
@given(logits=arrays(np.float64, (20, 4), elements=st.floats(-50, 50)), wish=st.floats(0.1, 1.0))
def test_what_is_answered_keeps_the_promise(logits, wish):
    targets = np.arange(20) % 4
    probabilities = classification.softmax(logits)
    threshold = calibration.referral_threshold(probabilities, targets, wish)
    answered = probabilities.max(axis=1) >= threshold
    if threshold < 1.0:
        assert np.mean(probabilities.argmax(axis=1)[answered] == targets[answered]) >= wish
    assert 0 <= expected_calibration_error(probabilities, targets) <= 1


@given(st.integers(0, 1000), st.floats(0.6, 0.99))
def test_label_sets_cover_the_scans_that_they_were_fitted_on(seed, coverage):
    targets, probabilities, _ = answers(200, seed)
    threshold = calibration.conformal_threshold(probabilities, targets, coverage)
    result = calibration.label_set_figures(probabilities, targets, threshold)
    assert coverage <= result["coverage"] <= coverage + 0.02, "and not much more: no two scans are the same"
    assert 0 <= result["mean_size"] <= 4 and result["single"] + result["empty"] <= 1


def test_the_most_certain_scans_are_right_more_often():
    targets, probabilities, _ = answers(2000)
    half, all_of_them = (
        calibration.accuracy_at_coverage(probabilities, targets, share) for share in (0.5, 1.0)
    )
    assert all_of_them == pytest.approx(np.mean(probabilities.argmax(axis=1) == targets))
    assert half > all_of_them + 0.1


def test_set_cross_entropy_of_one_answer_is_cross_entropy():
    targets, probabilities, _ = answers(50)
    logits, right = np.log(probabilities), np.eye(4)[targets]
    assert classification.set_cross_entropy(logits, right) == pytest.approx(
        classification.cross_entropy(logits, targets)
    )
    assert classification.set_cross_entropy(logits, np.ones((50, 4))) == pytest.approx(0, abs=1e-9)
