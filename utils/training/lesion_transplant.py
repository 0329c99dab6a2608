"""Tumours taken out of pictures and put into others, so that a network cannot go by what else comes with them.

Where nearly every scan with contrast shows a tumour, contrast tells one. A picture whose tumour is covered with the
other side of the same head, mirrored, is the healthy scan with contrast that no collection has; a tumour put into a
healthy scan is one in a sequence where there was none. After Yang et al., "TumorCP: a simple but effective object-level
data augmentation for tumor segmentation", MICCAI 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Shown = tuple[np.ndarray, np.ndarray, np.ndarray, np.float32]

SYMMETRY = 0.8  # correlation of a blurred picture with its mirror image, from which on its sides are alike
MARGIN, MARGIN_OF_DONOR, EDGE = 0.03, 0.015, 0.012  # of the picture's width: grown masks, width of the blend
INSIDE = 0.85  # of a tumour must lie on the head that it is put into
HEAD = 25  # gray value from which a pixel belongs to the head


@dataclass(frozen=True)
class Mixing:
    """Which rows of a training set are mixed. `share` of those that can be are, anew in every epoch.

    `removable`: (N,) bool, whose tumour can be taken out; `donors`: rows whose tumour can be put into another scan;
    `healthy`: the index of "no tumour".
    """

    share: float
    removable: np.ndarray
    donors: np.ndarray
    healthy: int

    @classmethod
    def of(
        cls, inputs: np.ndarray, masks: np.ndarray, targets: np.ndarray, classes: Sequence[str], share: float
    ) -> Mixing:
        """From a training set's pictures and masks, (N, S, S) uint8, and targets (N, C)."""
        pairs = zip(inputs, masks, strict=True)
        removable = np.array([bool(mask.any()) and is_removable(image, mask) for image, mask in pairs])
        donors = np.flatnonzero(masks.any(axis=(1, 2)) & (targets.sum(axis=1) == 1))
        return cls(share, removable, donors, list(classes).index("no_tumor"))

    def show(
        self,
        row: int,
        inputs: np.ndarray,
        masks: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        rng: np.random.Generator,
    ) -> Shown:
        """(image, mask, target, weight) of a row, mixed or not. A made picture weighs no more than the average."""
        image, mask, target, weight = inputs[row], masks[row], targets[row], weights[row]
        if rng.random() >= self.share:
            return image, mask, target, weight
        light = min(weight, np.float32(1))
        if self.removable[row]:
            healthy = np.eye(len(target), dtype=np.float32)[self.healthy]
            return without_tumor(image, mask), np.zeros_like(mask), healthy, light
        if target[self.healthy] == 1 and len(self.donors):
            donor = self.donors[rng.integers(len(self.donors))]
            tumor, outline = inputs[donor], masks[donor]
            if rng.random() < 0.5:
                tumor, outline = tumor[:, ::-1], np.ascontiguousarray(outline[:, ::-1])
            made = with_tumor(image, tumor, outline)
            if made is not None:
                return made, outline, targets[donor], light
        return image, mask, target, weight


def is_removable(image: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the other side shows what would be there: a head that is much alike on both sides, a tumour on one.

    Both (S, S) uint8, 255 inside the mask.
    """
    area = _blend(mask, MARGIN) > 0.1
    if (area & area[:, ::-1]).any():
        return False
    own, other = (cv2.GaussianBlur(np.ascontiguousarray(side), (0, 0), 2) for side in (image, image[:, ::-1]))
    return float(np.corrcoef(own.ravel(), other.ravel())[0, 1]) > SYMMETRY


def without_tumor(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(S, S) uint8: the picture, its tumour covered with the other side."""
    blend = _blend(mask, MARGIN)
    return np.rint(image * (1 - blend) + image[:, ::-1] * blend).astype(np.uint8)


def with_tumor(image: np.ndarray, donor: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """(S, S) uint8: the picture with the donor's tumour at its place, as bright as its surroundings make it.

    mask: the donor's, (S, S) uint8. None where the tumour would not lie on the head.
    """
    inside = mask > 127
    if not inside.any() or (inside & (image > HEAD)).sum() < INSIDE * inside.sum():
        return None
    blend = _blend(mask, MARGIN_OF_DONOR)
    ring = (blend > 0.02) & ~inside
    gain = np.clip((image[ring].mean() + 1) / (donor[ring].mean() + 1), 0.6, 1.6) if ring.any() else 1.0
    return np.rint(np.clip(image * (1 - blend) + donor * (gain * blend), 0, 255)).astype(np.uint8)


def _blend(mask: np.ndarray, margin: float) -> np.ndarray:
    """(S, S) float32: 1 on the mask and a margin around it, falling to 0 smoothly."""
    size = mask.shape[0]
    width = max(3, 2 * int(margin * size) + 1)
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return cv2.GaussianBlur(grown, (0, 0), EDGE * size).astype(np.float32) / 255
