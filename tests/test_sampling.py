"""An epoch shows every picture once, classes weigh alike, and serving's preprocessing is training's."""

import cv2
import numpy as np
import pytest

from utils.classes import CLASSES
from utils.preprocessing import preprocess
from utils.sampling import TrainingSet, load_pictures
from utils.scans import read_scan_file


def make_set(pictures: list[int], targets: list[int]) -> TrainingSet:
    images = np.arange(len(pictures), dtype=np.uint8)[:, None, None] * np.ones((1, 8, 8), np.uint8)
    return TrainingSet(images, np.asarray(pictures), np.asarray(targets), lambda image, rng: image)


def test_an_epoch_shows_every_picture_once_through_any_of_its_images() -> None:
    training = make_set([0, 0, 1, 2, 2, 2, 3], [0, 0, 1, 2, 2, 2, 3])
    seen = set()
    for seed in range(20):
        rows = np.concatenate(list(training.epoch_rows(2, np.random.default_rng(seed))))
        assert sorted(training.pictures[rows]) == [0, 1, 2, 3]
        seen |= set(rows.tolist())
    assert seen == set(range(7))


def test_batches_keep_inputs_and_targets_together() -> None:
    training = make_set(list(range(7)), [0, 1, 2, 3, 0, 1, 2])
    for inputs, wanted, weights in training.batches(3, np.random.default_rng(0)):
        assert inputs.dtype == np.float32 and inputs.shape[1:] == (8, 8, 1)
        rows = inputs[:, 0, 0, 0].astype(int)
        np.testing.assert_array_equal(wanted.argmax(axis=1), training.targets[rows])
        np.testing.assert_array_equal(weights, training.class_weights()[training.targets[rows]])


def test_class_weights_balance_the_pictures() -> None:
    weights = make_set([0, 1, 2, 3, 4, 4], [0, 0, 0, 0, 1, 1]).class_weights()
    assert weights[0] * 4 == pytest.approx(weights[1] * 1)
    assert weights.shape == (len(CLASSES),)


def test_training_pictures_are_what_the_app_gives_the_network(tmp_path, draw_brain) -> None:
    paths = [str(tmp_path / f"{seed}.png") for seed in range(3)]
    for seed, path in enumerate(paths):
        cv2.imwrite(path, np.rint(draw_brain(150, 90 + seed, seed) * 255).astype(np.uint8))
    loaded = load_pictures(paths, 64)
    assert loaded.dtype == np.uint8 and loaded.shape == (3, 64, 64)
    for image, path in zip(loaded, paths, strict=True):
        np.testing.assert_array_equal(image, preprocess(read_scan_file(path).pixels, 64)[0])
