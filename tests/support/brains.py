"""Brain-like images drawn by code, and small data sets made of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image


def draw(height: int = 220, width: int = 180, seed: int = 0) -> np.ndarray:
    """(height, width) float32 in 0..1: a bright ellipse on black with folds and ventricles that depend on the seed."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = (y / 0.85) ** 2 + (x / 0.8) ** 2 < 1
    folds = cv2.resize(rng.random((7, 6)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    brain = 0.35 + 0.4 * folds
    for side in (-1, 1):
        brain[(y / 0.3) ** 2 + ((x - side * 0.2) / 0.1) ** 2 < 1] = 0.15
    return np.clip(np.where(inside, brain, 0), 0, 1).astype(np.float32)


@pytest.fixture
def draw_brain() -> Callable[..., np.ndarray]:
    """A function (height, width, seed) -> (height, width) float32; each seed gives another image."""
    return draw


@pytest.fixture
def brain() -> np.ndarray:
    """One brain-like image, (220, 180) float32 in 0..1."""
    return draw()


@pytest.fixture
def png_bytes(draw_brain: Callable[..., np.ndarray]) -> Callable[[int], bytes]:
    """A function seed -> the bytes of a PNG file of a brain-like image."""

    def encode(seed: int) -> bytes:
        return cv2.imencode(".png", np.rint(draw_brain(seed=seed) * 255).astype(np.uint8))[1].tobytes()

    return encode


@pytest.fixture
def class_folders(tmp_path: Path) -> Path:
    """A user's own set: four class folders in four spellings, eight different images in each."""
    root = tmp_path / "own"
    for number, folder in enumerate(("Glioma", "meningioma_tumor", "no tumor", "Pituitary Tumour")):
        (root / folder).mkdir(parents=True)
        for index in range(8):
            pixels = draw(120 + 4 * index, 110, seed=100 * number + index)
            Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(root / folder / f"{index}.png")
    return root


@pytest.fixture
def masked_set(tmp_path: Path) -> Path:
    """A set with a manifest: brains with a bright spot and its mask, and brains without."""

    folder = tmp_path / "data" / "nickparvar"
    rows = []
    for number in range(24):
        label = ("glioma", "glioma", "meningioma", "no_tumor")[number % 4]
        pixels = 0.8 * draw(120 + number, 110, seed=number)
        mask = np.zeros(pixels.shape, bool)
        if label != "no_tumor":
            mask[30 + number : 48 + number, 35:50] = True
        file, mask_file = f"{label}/{number}.png", f"masks/{number}.png" if mask.any() else ""
        images = {file: np.where(mask, 1, pixels)} | ({mask_file: mask.astype(float)} if mask_file else {})
        for name, image in images.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(folder / name)
        rows.append(
            {"file": file, "label": label, "duplicate_group": number, "group": number // 2, "fold": number // 8,
             "mask": mask_file}
        )  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "manifest.csv", index=False)
    return folder
