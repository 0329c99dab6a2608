"""Epochs use every image once, weights balance the classes, and training preprocesses images as the app does."""

import cv2
import numpy as np
import pandas as pd
import pytest

from utils.classes import CLASSES, OTHER_TUMOR, right_answers
from utils.datasets.masks import IMAGE_LEVEL, with_outlines
from utils.datasets.tables import DatasetError
from utils.scans.errors import UnreadableScan
from utils.scans.preprocessing import preprocess
from utils.scans.upload import read_scan_file
from utils.training.batches import (
    HEALTHY_SHARE,
    LARGEST_WEIGHT,
    WEAK_NEGATIVE,
    TrainingSet,
    balancing_weights,
    load_images,
    load_images_and_masks,
    validation_set,
)


def make_set(image_ids: list[int], targets: list[str]) -> TrainingSet:
    """A row's image has its number as brightness and weight, its mask is twice as bright."""
    numbers = np.arange(len(image_ids), dtype=np.uint8)
    images = numbers[:, None, None] * np.ones((1, 8, 8), np.uint8)
    weights = numbers.astype(np.float32)
    return TrainingSet(
        images, np.asarray(image_ids), right_answers(targets), weights, 2 * images, lambda *pair: pair[:2]
    )


def test_an_epoch_uses_every_image_once_through_a_random_copy() -> None:
    training = make_set([0, 0, 1, 2, 2, 2, 3], ["glioma"] * 7)
    seen = set()
    for seed in range(20):
        rows = np.concatenate(list(training.epoch_rows(2, np.random.default_rng(seed))))
        assert sorted(training.image_ids[rows]) == [0, 1, 2, 3]
        seen |= set(rows.tolist())
    assert seen == set(range(7))


def test_batches_keep_inputs_targets_weights_and_masks_together() -> None:
    targets = [*CLASSES, OTHER_TUMOR, "glioma", "pituitary"]
    training = make_set(list(range(7)), targets)
    for inputs, batch_targets, weights, masks in training.batches(3, np.random.default_rng(0)):
        assert inputs.dtype == np.float32 and inputs.shape[1:] == (8, 8, 1)
        rows = inputs[:, 0, 0, 0].astype(int)
        np.testing.assert_array_equal(batch_targets, right_answers([targets[row] for row in rows]))
        np.testing.assert_array_equal(weights, rows)
        np.testing.assert_array_equal(masks[:, 0, 0], 2 * rows)


def table(**cells: int) -> pd.DataFrame:
    """A sample table with a number of images for each "source__sequence__target"."""
    rows = [cell.split("__") for cell, count in cells.items() for _ in range(count)]
    frame = pd.DataFrame(rows, columns=["source", "sequence", "target"])
    return frame.assign(picture=range(len(frame)))


def test_every_source_and_sequence_has_the_same_share_of_healthy_images() -> None:
    rows = table(
        a__T1__glioma=30, a__T1__no_tumor=10, a__T2__glioma=20, a__T2__meningioma=5, a__T2__no_tumor=10
    )
    weights = balancing_weights(rows)
    assert weights.mean() == pytest.approx(1)
    sums = pd.Series(weights).groupby([rows["sequence"], rows["target"]]).sum()
    for sequence, count in (("T1", 40), ("T2", 35)):
        assert sums[sequence, "no_tumor"] == pytest.approx(HEALTHY_SHARE * count, rel=1e-5)
    assert sums["T2", "glioma"] == pytest.approx(sums["T2", "meningioma"])


def test_contrast_counts_as_t1_and_weights_are_limited() -> None:
    rows = table(a__T1__no_tumor=4, **{"a__T1C+__glioma": 396})
    weights = balancing_weights(rows)
    assert weights.max() / weights.min() == pytest.approx(LARGEST_WEIGHT / (0.75 * 400 / 396), rel=1e-5)


def test_slices_without_tumour_of_tumour_patients_have_half_the_weight() -> None:
    weak = balancing_weights(table(lgg__FLAIR__glioma=10, lgg__FLAIR__no_tumor=10))
    plain = balancing_weights(table(a__FLAIR__glioma=10, a__FLAIR__no_tumor=10))
    assert weak[-1] / weak[0] == pytest.approx(WEAK_NEGATIVE * plain[-1] / plain[0])


def test_copies_of_an_image_have_the_weight_of_one() -> None:
    rows = table(a__T1__glioma=3, a__T1__no_tumor=3)
    rows["picture"] = [0, 0, 0, 1, 2, 3]
    weights = balancing_weights(rows)
    assert weights[0] == pytest.approx(3 * weights[3] * 0.75 / 0.25)


def test_a_mask_is_preprocessed_like_its_image(tmp_path, draw_brain) -> None:
    pixels = draw_brain(150, 90, 1)
    pixels[60:80, 30:50] = 1.0
    mask = np.zeros((150, 90), np.uint8)
    mask[60:80, 30:50] = 255
    cv2.imwrite(str(tmp_path / "scan.png"), np.rint(pixels * 255).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    paths = [str(tmp_path / "scan.png")] * 2
    images, masks = load_images_and_masks(paths, [str(tmp_path / "mask.png"), ""], 64)
    assert masks[1].max() == 0 and masks[0].max() == 255
    assert images[0][masks[0] > 250].min() > 240
    cv2.imwrite(str(tmp_path / "small.png"), mask[:50])
    with pytest.raises(UnreadableScan, match=r"small\.png is missing or not of the size"):
        load_images_and_masks(paths[:1], [str(tmp_path / "small.png")], 64)


def test_tumours_without_a_mask_are_not_used_as_healthy() -> None:
    rows = pd.DataFrame(
        [
            ("train", "glioma", "a.png"),
            ("train", "glioma", ""),
            ("train", "no_tumor", ""),
            ("test", "no_tumor", ""),
        ],
        columns=["part", "target", "mask"],
    )
    prepared = with_outlines(rows)
    assert prepared["target"].tolist() == ["glioma", "no_tumor", "no_tumor"] and prepared.index.tolist() == [
        0,
        1,
        2,
    ]
    assert len(with_outlines(rows, has_image_labels=True)) == 4
    for lacking in (rows[:2], rows[1:]):
        with pytest.raises(DatasetError, match="train lacks"):
            with_outlines(lacking)


def test_the_mask_of_a_tumour_in_an_unknown_place_is_its_level_everywhere(tmp_path, draw_brain) -> None:
    pixels = np.rint(draw_brain(90, 90, 0) * 255).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "scan.png"), pixels)
    cv2.imwrite(str(tmp_path / "mask.png"), np.full_like(pixels, 255))
    rows = pd.DataFrame(
        {"target": ["glioma", "no_tumor", "glioma"], "mask": ["", "", str(tmp_path / "mask.png")]}
    )
    facts = {"path": str(tmp_path / "scan.png"), "box": "", "source": "a", "sequence": "T1"}
    rows = rows.assign(picture=range(3), **facts)
    masks = validation_set(rows, 64, has_boxes=True, has_image_labels=True).masks
    assert (masks[0] == IMAGE_LEVEL).all() and not masks[1].any() and masks[2].max() == 255


def test_training_images_are_the_network_inputs_of_the_app(tmp_path, draw_brain) -> None:
    paths = [str(tmp_path / f"{seed}.png") for seed in range(3)]
    for seed, path in enumerate(paths):
        cv2.imwrite(path, np.rint(draw_brain(150, 90 + seed, seed) * 255).astype(np.uint8))
    loaded = load_images(paths, 64)
    assert loaded.dtype == np.uint8 and loaded.shape == (3, 64, 64)
    for image, path in zip(loaded, paths, strict=True):
        np.testing.assert_array_equal(image, preprocess(read_scan_file(path).pixels, 64)[0])
