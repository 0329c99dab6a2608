"""Random changes of a training picture that keep its label: NumPy and OpenCV, the same on every backend."""

from __future__ import annotations

import cv2
import numpy as np


def mirror(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(S, S) as it is, or mirrored left to right, each half of the time."""
    return image[:, ::-1] if rng.random() < 0.5 else image


def augment(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mirror, rotate, scale, shift, and change brightness, contrast, gamma, sharpness and noise.

    image: (S, S) uint8. Returns (S, S) uint8.
    """
    size = image.shape[0]
    image = mirror(image, rng)
    centre = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), rng.uniform(-15, 15), rng.uniform(0.88, 1.12))
    matrix[:, 2] += rng.uniform(-0.06, 0.06, 2) * size
    image = cv2.warpAffine(np.ascontiguousarray(image), matrix, (size, size), flags=cv2.INTER_LINEAR)
    levels = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.35, 0.35))
    levels = levels * rng.uniform(0.85, 1.15) + rng.uniform(-0.05, 0.05)
    image = cv2.LUT(image, np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8))
    chance = rng.random()
    if chance < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    elif chance < 0.3:
        noisy = image + rng.normal(0, rng.uniform(2, 8), image.shape)
        image = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return image
