"""Lesion transplant: tumours are removed from images and inserted into others, so that no confounder predicts them.

Nearly every scan with contrast in the collections shows a tumour, so contrast alone predicts one. Covering a tumour
with the mirrored other side of the same head gives the healthy scan with contrast that the collections lack; inserting
one into a healthy scan gives a tumour in a sequence that has few. After Yang et al., "TumorCP: a simple but effective
object-level data augmentation for tumor segmentation", MICCAI 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

Sample = tuple[np.ndarray, np.ndarray, np.ndarray, np.float32]  # image, mask, target, weight

MIN_SYMMETRY = 0.8  # correlation of a blurred image with its mirror image, above which its sides are alike
MARGIN, DONOR_MARGIN, EDGE = 0.03, 0.015, 0.012  # of the image width: growth of masks, width of the blend
MIN_SHARE_ON_HEAD = 0.85  # of a tumour, in the image that it is inserted into
HEAD_INTENSITY = 25  # gray value from which a pixel belongs to the head


@dataclass(frozen=True)
class LesionTransplant:
    """Which rows of a training set can be changed; in every epoch a random `share` (0..1) of them is.

    `removable`: (N,) bool, whether a row's tumour can be removed; `donors`: rows whose tumour can be inserted into
    another image; `healthy`: the index of the class "no_tumor".
    """

    share: float
    removable: np.ndarray
    donors: np.ndarray
    healthy: int

    @classmethod
    def of(
        cls, inputs: np.ndarray, masks: np.ndarray, targets: np.ndarray, classes: Sequence[str], share: float
    ) -> LesionTransplant:
        """From the images and masks, both (N, S, S) uint8, and targets (N, C) of a training set."""
        pairs = zip(inputs, masks, strict=True)
        removable = np.array([_is_outline(mask) and is_removable(image, mask) for image, mask in pairs])
        is_donor = np.array([_is_outline(mask) for mask in masks]) & (targets.sum(axis=1) == 1)
        donors = np.flatnonzero(is_donor)
        return cls(share, removable, donors, list(classes).index("no_tumor"))

    def sample(
        self,
        row: int,
        inputs: np.ndarray,
        masks: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        rng: np.random.Generator,
    ) -> Sample:
        """(image, mask, target, weight) of a row, changed or not. A changed image weighs at most 1, the average."""
        image, mask, target, weight = inputs[row], masks[row], targets[row], weights[row]
        if rng.random() >= self.share:
            return image, mask, target, weight
        capped_weight = min(weight, np.float32(1))
        if self.removable[row]:
            healthy = np.eye(len(target), dtype=np.float32)[self.healthy]
            return without_tumor(image, mask), np.zeros_like(mask), healthy, capped_weight
        if target[self.healthy] == 1 and len(self.donors):
            donor = self.donors[rng.integers(len(self.donors))]
            donor_image, donor_mask = inputs[donor], masks[donor]
            if rng.random() < 0.5:
                donor_image = donor_image[:, ::-1]
                donor_mask = np.ascontiguousarray(donor_mask[:, ::-1])
            changed = with_tumor(image, donor_image, donor_mask)
            if changed is not None:
                return changed, donor_mask, targets[donor], capped_weight
        return image, mask, target, weight


def is_removable(image: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the other side can cover the tumour: the head is symmetric, and the tumour is on one side only.

    Both (S, S) uint8, 255 inside the mask.
    """
    area = _blend(mask, MARGIN) > 0.1
    if (area & area[:, ::-1]).any():
        return False
    own, other = (cv2.GaussianBlur(np.ascontiguousarray(side), (0, 0), 2) for side in (image, image[:, ::-1]))
    return float(np.corrcoef(own.ravel(), other.ravel())[0, 1]) > MIN_SYMMETRY


def without_tumor(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(S, S) uint8: the image with its tumour covered by the mirrored other side."""
    blend = _blend(mask, MARGIN)
    return np.rint(image * (1 - blend) + image[:, ::-1] * blend).astype(np.uint8)


def with_tumor(image: np.ndarray, donor: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """(S, S) uint8: the image with the donor's tumour in the same place, its brightness matched to the surroundings.

    mask: the donor's, (S, S) uint8. None where the tumour would not lie on the head.
    """
    inside = mask > 127
    if not inside.any() or (inside & (image > HEAD_INTENSITY)).sum() < MIN_SHARE_ON_HEAD * inside.sum():
        return None
    blend = _blend(mask, DONOR_MARGIN)
    ring = (blend > 0.02) & ~inside
    gain = np.clip((image[ring].mean() + 1) / (donor[ring].mean() + 1), 0.6, 1.6) if ring.any() else 1.0
    return np.rint(np.clip(image * (1 - blend) + donor * (gain * blend), 0, 255)).astype(np.uint8)


def _is_outline(mask: np.ndarray) -> bool:
    """Whether a mask is neither empty nor a bounding box (`masks.BOX_LEVEL`)."""
    return bool(mask.max() > 127)


def _blend(mask: np.ndarray, margin: float) -> np.ndarray:
    """(S, S) float32: 1 on the mask and a margin around it, falling smoothly to 0."""
    size = mask.shape[0]
    width = max(3, 2 * int(margin * size) + 1)
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)))
    return cv2.GaussianBlur(grown, (0, 0), EDGE * size).astype(np.float32) / 255
