"""Insertion and deletion follow the map; shuffled weights change what they are said to change and nothing else."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from utils.evaluation.faithfulness import (
    DEPTHS,
    STEPS,
    area_under,
    deletion,
    insertion,
    randomised,
    similarity,
)
from utils.networks.architectures import cnn


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (32, 32)).astype(np.uint8)


def test_deletion_takes_the_strongest_evidence_first(picture) -> None:
    evidence = np.arange(64, dtype=np.float32).reshape(8, 8)  # the lowest row is the strongest
    steps = deletion(picture, evidence)
    assert steps.shape == (STEPS + 1, 32, 32) and steps.dtype == np.float32
    np.testing.assert_array_equal(steps[0], picture)
    assert not steps[-1].any()
    gone = (steps == 0).sum(axis=(1, 2))
    np.testing.assert_allclose(gone, np.arange(STEPS + 1) * 1024 / STEPS, atol=1)
    half = steps[STEPS // 2] == 0
    assert half[18:].all() and not half[:14].any()


def test_insertion_ends_with_the_whole_picture(picture) -> None:
    steps = insertion(picture, np.eye(8))
    np.testing.assert_array_equal(steps[-1], picture)
    assert steps[0].std() < picture.std() / 3  # blurred
    assert (np.diff([(step == picture).sum() for step in steps]) > 0).all()
    on_the_diagonal = steps[2][np.arange(2, 30), np.arange(2, 30)]
    np.testing.assert_array_equal(on_the_diagonal, picture[np.arange(2, 30), np.arange(2, 30)])


def test_a_faithful_map_gains_early_and_loses_early(picture) -> None:
    """A network that counts bright pixels of one corner, a map of that corner and one of the opposite corner."""

    def answer(pictures: np.ndarray) -> np.ndarray:
        return pictures[:, :12, :12].mean(axis=(1, 2)) / 255

    right, wrong = np.zeros((8, 8)), np.zeros((8, 8))
    right[:3, :3] = wrong[-3:, -3:] = 1
    bright = np.full((32, 32), 255, np.uint8)
    assert area_under(answer(deletion(bright, right))) < 0.2 < area_under(answer(deletion(bright, wrong)))
    assert area_under(np.ones(5)) == 1 and area_under(np.linspace(0, 1, 9)) == pytest.approx(0.5)


@pytest.mark.parametrize("depth", DEPTHS)
def test_weights_are_shuffled_from_the_head_down(depth: str) -> None:
    keras.utils.set_random_seed(0)
    network = cnn(32)
    for layer in network.layers:
        layer.set_weights(
            [array + np.random.default_rng(1).normal(size=array.shape) ** 2 for array in layer.get_weights()]
        )
    before = [array.copy() for array in network.get_weights()]
    copy = randomised(network, DEPTHS[depth])
    for array, kept in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, kept)  # the network itself stays as it is
    changed = {
        layer.name
        for layer in copy.layers
        for array, old in zip(layer.get_weights(), network.get_layer(layer.name).get_weights(), strict=True)
        if not np.array_equal(array, old)
    }
    everything = {layer.name for layer in network.layers if layer.weights}
    assert "logits" in changed
    assert ("stage3_block2_2_conv" in changed) == (depth != "head")
    assert (changed == everything) == (depth == "all")
    for layer in copy.layers:
        for array, old in zip(layer.get_weights(), network.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(np.sort(array, axis=None), np.sort(old, axis=None))


def test_similarity_is_of_ranks() -> None:
    array = np.random.default_rng(2).random((5, 5))
    assert similarity(array, array**3) == pytest.approx(1) and similarity(array, -array) == pytest.approx(-1)
    assert similarity(array, np.zeros((5, 5))) == 0
