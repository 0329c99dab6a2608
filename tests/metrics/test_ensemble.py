"""The ensemble's probabilities, its weights and its referral threshold."""

from __future__ import annotations

import numpy as np
import pytest

from utils.classes import CLASSES
from utils.metrics import ensemble

NO_TUMOR = CLASSES.index("no_tumor")


def test_log_odds_of_a_tumour_are_those_of_the_probabilities() -> None:
    logits = np.asarray([[2.0, 0.5, -1.0, 0.0], [-3.0, -2.0, 4.0, -1.0]])
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    healthy = probabilities[:, NO_TUMOR]
    np.testing.assert_allclose(ensemble.tumor_log_odds(logits), np.log((1 - healthy) / healthy))


def test_log_odds_of_certain_scores_are_finite_and_in_order() -> None:
    log_odds = ensemble.score_log_odds(np.asarray([0.0, 0.2, 0.5, 0.9, 1.0]))
    assert np.isfinite(log_odds).all() and (np.diff(log_odds) > 0).all() and log_odds[2] == 0


def test_the_joint_probability_of_a_tumour_is_divided_as_the_classifiers_divide_it() -> None:
    types = np.asarray([[0.2, 0.1, 0.6, 0.1]])
    joint = ensemble.joint_probabilities(types, np.asarray([0.8]))
    np.testing.assert_allclose(joint, [[0.4, 0.2, 0.2, 0.2]])


def test_a_network_without_information_gets_no_weight() -> None:
    rng = np.random.default_rng(0)
    is_tumor = rng.random(4000) < 0.5
    informed = np.where(is_tumor, 1.0, -1.0) + rng.normal(size=4000)
    log_odds = np.stack([informed, rng.normal(size=4000)], axis=1)
    intercept, weights = ensemble.fit_detection(log_odds, is_tumor, np.ones(4000))
    assert weights[0] == pytest.approx(2, abs=0.2)  # two normal distributions at +1 and -1
    assert abs(weights[1]) < 0.1 and abs(intercept) < 0.2
    tumor = ensemble.tumor_probability(log_odds, intercept, weights)
    assert abs(tumor[is_tumor].mean() - tumor[~is_tumor].mean()) > 0.5


def test_no_network_counts_against_a_tumour() -> None:
    rng = np.random.default_rng(0)
    is_tumor = rng.random(4000) < 0.5
    good, noise = np.where(is_tumor, 1.0, -1.0), rng.normal(size=(3, 4000))
    log_odds = np.stack([good + noise[0], good + noise[0] + noise[1], good + noise[2]], axis=1)
    log_odds[:, 1] -= 2 * good  # wrong, and knows the noise of the first
    _, weights = ensemble.fit_detection(log_odds, is_tumor, np.ones(4000))
    assert weights[1] == 0 and weights[0] > 1 and weights[2] > 1


def test_few_tumours_of_unseen_collections_are_answered_as_none() -> None:
    none = np.linspace(0.505, 1, 100)  # probability of no tumour
    joint = np.stack([1 - none, 0 * none, none, 0 * none], axis=1)
    agreed, weights = np.ones(100, bool), np.ones(100)
    bound = ensemble.least_no_tumor(joint, agreed, weights)
    assert (none > bound).sum() == 10
    assert ensemble.least_no_tumor(joint, none < 0.6, weights) < 0.6, "discordant scans are not answered"
    weights[95:] = 20
    assert ensemble.least_no_tumor(joint, agreed, weights) > none[96]
    healthy = ensemble.fit_referral(joint, agreed, np.full(100, 2), bound)
    assert healthy["referral_thresholds"]["no_tumor"] == round(bound, 4)
    assert healthy["validation"]["answered"] == pytest.approx(0.11, abs=0.01)


def test_each_class_has_to_reach_the_accuracy_by_itself() -> None:
    """Ninety-nine confident gliomas do not pay for a healthy brain that is called pituitary tumour."""
    joint = np.asarray([[0.9, 0.02, 0.03, 0.05]] * 99 + [[0.05, 0.02, 0.03, 0.9], [0.04, 0.02, 0.03, 0.91]])
    targets = np.asarray([0] * 99 + [2, 3])
    fitted = ensemble.fit_referral(joint, np.ones(101, bool), targets)
    assert fitted["referral_thresholds"] == {
        "glioma": 0.9,
        "meningioma": 1.0,
        "no_tumor": 1.0,
        "pituitary": 0.91,
    }
    assert fitted["validation"]["answered"] == round(100 / 101, 4) and fitted["validation"]["accuracy"] == 1


def test_a_classifier_of_another_opinion_makes_a_scan_discordant() -> None:
    joint = np.asarray([[0.9, 0.1, 0, 0], [0.9, 0.1, 0, 0], [0, 0.1, 0.9, 0]])
    agreed = ensemble.concordant([np.asarray([0, 1, 0]), np.asarray([0, 0, 0])], joint)
    assert agreed.tolist() == [True, False, False]
