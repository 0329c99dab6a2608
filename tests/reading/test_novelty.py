"""The novelty score: near what was fitted, far from what was not, and thresholds that keep their promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from utils.reading.novelty import (
    MARKED,
    describe,
    fit_thresholds,
    fit_training_scans,
    image_statistics,
    looks_inverted,
)
from utils.scans.preprocessing import preprocess


def cloud(count: int, seed: int = 0) -> np.ndarray:
    """(count, 12) float32, correlated; the last channel never fires."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(count, 6)) @ np.random.default_rng(9).normal(size=(6, 12))
    mixed += 0.3 * rng.normal(size=(count, 12))
    mixed[:, -1] = 0
    return mixed.astype(np.float32)


def test_distance_is_that_of_mahalanobis_to_the_third_nearest_scan() -> None:
    train, new = cloud(20_000), cloud(20, 1)
    train[:, -1] = np.random.default_rng(2).normal(size=len(train))
    inverse = np.linalg.inv(np.cov(train.T.astype(float)))
    between = new[:, None].astype(float) - train
    squared = np.einsum("nij,jk,nik->ni", between, inverse, between, optimize=True)
    expected = np.sqrt(np.sort(squared, axis=1)[:, 2] / 12)
    np.testing.assert_allclose(fit_training_scans(train).distance(new), expected, rtol=0.02)


def test_what_breaks_the_correlations_is_far_away_even_where_each_value_is_usual() -> None:
    train = cloud(500)
    training_scans = fit_training_scans(train)
    known = training_scans.distance(cloud(200, 1))
    shuffled = cloud(200, 1)
    np.random.default_rng(0).permuted(shuffled, axis=0, out=shuffled)
    assert np.median(training_scans.distance(shuffled)) > 1.5 * np.quantile(known, 0.95)


def test_channel_that_never_fired_counts_when_it_does() -> None:
    training_scans = fit_training_scans(cloud(300))
    fired = cloud(1, 1)
    before = training_scans.distance(fired)[0]
    fired[:, -1] = 1
    assert np.isfinite(before) and training_scans.distance(fired)[0] > 10 * before


def test_fewer_scans_than_values_can_be_fitted() -> None:
    assert np.isfinite(fit_training_scans(cloud(5)).distance(cloud(5, 1))).all()


@given(
    arrays(np.float32, st.integers(1, 900), elements=st.floats(0, 50, width=32)),
)
def test_thresholds_mark_no_more_than_their_share(scores: np.ndarray) -> None:
    unusual, refused = fit_thresholds(scores)
    assert np.mean(scores > unusual) <= MARKED
    assert refused >= unusual


def test_refusal_is_read_off_an_exponential_tail() -> None:
    scores = np.random.default_rng(0).exponential(1, 50_000)
    assert fit_thresholds(scores)[1] == pytest.approx(np.log(1000), rel=0.05)


@given(arrays(np.uint8, st.sampled_from([(32, 32), (64, 64), (224, 224)])))
def test_any_picture_has_statistics(picture: np.ndarray) -> None:
    statistics = image_statistics(picture)
    assert statistics.shape == (25,) and statistics.dtype == np.float32
    assert np.isfinite(statistics).all()


def test_description_is_channel_means_and_statistics() -> None:
    features = np.random.default_rng(0).random((14, 14, 512)).astype(np.float16)
    picture = np.zeros((224, 224), np.uint8)
    description = describe(features, picture)
    np.testing.assert_allclose(description[:512], features.astype(np.float64).mean(axis=(0, 1)), rtol=1e-3)
    np.testing.assert_array_equal(description[512:], image_statistics(picture))


@pytest.mark.parametrize("seed", range(5))
def test_inverted_scans_look_inverted_and_others_do_not(draw_brain, seed: int) -> None:
    scan = draw_brain(seed=seed)
    assert not looks_inverted(preprocess(scan, 224)[0])
    assert looks_inverted(preprocess(1 - scan, 224)[0])
