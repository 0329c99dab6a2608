"""Label maps are noticed by their numbers; scans and drawings of them are not."""

from __future__ import annotations

import nibabel
import numpy as np
import pytest

from utils.scans import labels
from utils.scans.scan import Refusal
from utils.scans.upload import read_stacks


def ellipsoid(shape: tuple[int, int, int] = (48, 48, 36)) -> np.ndarray:
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, side) for side in shape), indexing="ij")
    return (x / 0.8) ** 2 + (y / 0.9) ** 2 + (z / 0.85) ** 2 < 1


def parcels(count: int) -> np.ndarray:
    blocks = np.random.default_rng(0).integers(1, count, (8, 8, 6))
    return blocks.repeat(6, 0).repeat(6, 1).repeat(6, 2) * ellipsoid()


def noisy() -> np.ndarray:
    noise = np.random.default_rng(0).normal(120, 10, (48, 48, 36))
    return np.where(ellipsoid(), np.rint(noise), 0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize(
    "volume", [parcels(60), ellipsoid() * 1, ellipsoid() * 255, np.where(ellipsoid(), 1, 0) + ellipsoid() * 3]
)
def test_label_maps_are_noticed(volume, dtype) -> None:
    assert labels.is_label_map(volume.astype(dtype))


@pytest.mark.parametrize(
    "volume",
    [
        noisy(),
        noisy() / 7,
        ellipsoid() * np.linspace(100, 200, 36),
        ellipsoid() * (100 + 60 * (np.arange(48)[:, None, None] > 24) + 40 * (np.arange(36) > 18)),
        np.zeros((40, 40, 40)),
        np.full((40, 40, 40), np.nan),
    ],
)
def test_scans_are_not(volume) -> None:
    assert not labels.is_label_map(volume)


def test_a_nifti_label_map_is_refused_by_its_numbers_or_its_intent() -> None:
    by_intent = nibabel.Nifti1Image(noisy().astype(np.uint8), np.eye(4))
    by_intent.header["intent_code"] = labels.NIFTI_INTENT_LABEL
    for image in (by_intent, nibabel.Nifti1Image(parcels(60).astype(np.uint8), np.eye(4))):
        (part,) = read_stacks([("labels.nii", image.to_bytes())])
        assert part == Refusal("labels.nii", labels.REFUSAL)
