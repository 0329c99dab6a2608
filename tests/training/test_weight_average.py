"""The moving average of weights: applied for a while, kept across an interruption."""

from pathlib import Path

import keras
import numpy as np

from utils.training.weight_average import WeightAverage


def network() -> keras.Model:
    return keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])


def set_weight(model: keras.Model, value: float) -> None:
    model.set_weights([np.full((1, 1), value), np.zeros(1)])


def weight(model: keras.Model) -> float:
    return float(model.get_weights()[0][0, 0])


def test_average_follows_the_weights_and_is_applied_for_a_while() -> None:
    model = network()
    average = WeightAverage(model, 0.5)
    for value in (1.0, 2.0, 4.0):
        set_weight(model, value)
        average.update()
    # decays 1/10, 2/11, 3/12 are below 0.5: 0.9, 1.8, 3.45
    with average.applied():
        np.testing.assert_allclose(weight(model), 3.45, atol=1e-5)
    assert weight(model) == 4.0


def test_without_decay_the_weights_stay() -> None:
    model = network()
    average = WeightAverage(model, 0.0)
    set_weight(model, 3.0)
    average.update()
    with average.applied():
        assert weight(model) == 3.0


def test_an_interrupted_average_is_continued(tmp_path: Path) -> None:
    model = network()
    average, other = WeightAverage(model, 0.9), WeightAverage(model, 0.9)
    set_weight(model, 5.0)
    average.update()
    average.save(tmp_path / "average.npz")
    other.load(tmp_path / "average.npz")
    other.load(tmp_path / "missing.npz")
    assert other.steps == 1
    for mine, theirs in zip(other.weights, average.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
