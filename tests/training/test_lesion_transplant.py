"""Lesion transplant: tumours are removed from images and inserted into others."""

from __future__ import annotations

import numpy as np
import pytest

from utils.classes import CLASSES
from utils.training import lesion_transplant
from utils.training.batches import TrainingSet

SIZE, NONE = 128, CLASSES.index("no_tumor")


def head(tumor: tuple[slice, slice] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A symmetric ellipse with a bright tumour, and its mask."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    inside = ((rows - 63.5) / 56) ** 2 + ((columns - 63.5) / 44) ** 2 < 1
    image, mask = np.where(inside, 100, 0).astype(np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    if tumor:
        image[tumor], mask[tumor] = 250, 255
    return image, mask


LEFT, MIDDLE = (slice(56, 72), slice(32, 48)), (slice(56, 72), slice(56, 72))


def test_a_tumour_on_one_side_is_covered_by_the_other() -> None:
    image, mask = head(LEFT)
    assert lesion_transplant.is_removable(image, mask)
    np.testing.assert_allclose(lesion_transplant.without_tumor(image, mask)[LEFT], 100, atol=8)
    np.testing.assert_array_equal(lesion_transplant.without_tumor(image, mask)[:, 80:], image[:, 80:])


def test_a_tumour_stays_where_the_other_side_cannot_cover_it() -> None:
    assert not lesion_transplant.is_removable(*head(MIDDLE))
    image, mask = head(LEFT)
    image[:, 64:] = 0  # half a head
    assert not lesion_transplant.is_removable(image, mask)


def test_a_tumour_is_inserted_only_on_the_head() -> None:
    donor, mask = head(LEFT)
    healthy, _ = head()
    changed = lesion_transplant.with_tumor(healthy // 2, donor, mask)
    assert changed is not None
    assert 120 < changed[LEFT].mean() < 200, "the contrast to the surroundings stays"
    np.testing.assert_array_equal(changed[:, 80:], healthy[:, 80:] // 2)
    assert lesion_transplant.with_tumor(np.zeros_like(healthy), donor, mask) is None


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_labels_masks_and_weights_change_with_the_images(share: float) -> None:
    (tumor, mask), (healthy, empty), (unclear, unclear_mask) = head(LEFT), head(), head(MIDDLE)
    inputs, masks = np.stack([tumor, healthy, unclear]), np.stack([mask, empty, unclear_mask])
    targets = np.eye(4, dtype=np.float32)[[0, NONE, 1]]
    transplant = lesion_transplant.LesionTransplant.of(inputs, masks, targets, CLASSES, share)
    assert transplant.removable.tolist() == [True, False, False] and transplant.donors.tolist() == [0, 2]
    weights = np.array([3, 2, 2], np.float32)
    training = TrainingSet(
        inputs, np.arange(3), targets, weights, masks, lambda image, mask, _: (image, mask), transplant
    )
    (batch,) = training.batches(3, np.random.default_rng(0))
    samples = {
        int(weight * 10 + target.argmax()): (target, mask)
        for _, target, weight, mask in zip(*batch, strict=True)
    }
    kinds = {(target.argmax() == NONE, bool(mask.any())) for target, mask in samples.values()}
    assert kinds == {(True, False), (False, True)}, "a tumour has a mask"
    by_row = sorted(
        (float(weight), int(target.argmax())) for target, weight in zip(batch[1], batch[2], strict=True)
    )
    if share:
        assert by_row[2] == (2.0, 1) and by_row[1][0] == by_row[0][0] == 1.0
        assert NONE in {label for _, label in by_row[:2]} and len({label for _, label in by_row[:2]}) == 2
    else:
        assert by_row == [(2.0, 1), (2.0, NONE), (3.0, 0)]
