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


def test_referral_counts_scans_by_their_weight() -> None:
    joint = np.asarray([[0.9, 0.05, 0.03, 0.02], [0.8, 0.1, 0.05, 0.05], [0.7, 0.1, 0.1, 0.1]])
    targets, agreed = np.asarray([0, 1, 0]), np.ones(3, bool)
    assert ensemble.fit_referral(joint, agreed, targets)["referral_threshold"] == 0.9
    light = ensemble.fit_referral(joint, agreed, targets, np.asarray([10.0, 0.1, 10.0]))
    assert light["referral_threshold"] == 0.7
    assert light["validation"]["accuracy"] == pytest.approx(20 / 20.1, abs=1e-4)


def test_a_classifier_of_another_opinion_makes_a_scan_discordant() -> None:
    joint = np.asarray([[0.9, 0.1, 0, 0], [0.9, 0.1, 0, 0], [0, 0.1, 0.9, 0]])
    agreed = ensemble.concordant([np.asarray([0, 1, 0]), np.asarray([0, 0, 0])], joint)
    assert agreed.tolist() == [True, False, False]
