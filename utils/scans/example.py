"""A synthetic scan, drawn by code, so that an empty app can be tried. It shows no patient."""

from __future__ import annotations

import cv2
import numpy as np

from utils.scans.scan import Scan


def synthetic_scan(size: int = 320, seed: int = 7) -> Scan:
    """An axial, T1-like drawing with a bright round mass; (size, size) float32 in 0..1."""
    rng = np.random.default_rng(seed)
    image = np.zeros((size, size), np.float32)
    unit = size / 320

    def ellipse(x: float, y: float, width: float, height: float, level: float, angle: float = 0) -> None:
        centre = (round(x * unit), round(y * unit))
        axes = (round(width * unit), round(height * unit))
        cv2.ellipse(image, centre, axes, angle, 0, 360, level, -1, cv2.LINE_AA)

    ellipse(160, 160, 112, 142, 0.75)  # scalp
    ellipse(160, 160, 104, 134, 0.12)  # skull
    ellipse(160, 160, 98, 128, 0.42)  # cortex
    texture = cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), 5 * unit)
    brain = np.abs(image - 0.42) < 0.02
    image[brain] += 0.9 * texture[brain]
    for side in (-1, 1):
        ellipse(160 + side * 40, 160, 40, 84, 0.52, side * 4)  # white matter
        ellipse(160 + side * 17, 146, 9, 40, 0.14, side * 10)  # lateral ventricle
    cv2.line(image, (round(160 * unit), round(40 * unit)), (round(160 * unit), round(280 * unit)), 0.3, 2)
    ellipse(216, 108, 31, 27, 0.36)  # oedema
    ellipse(216, 108, 22, 20, 0.9)  # enhancing mass
    ellipse(217, 109, 9, 8, 0.5)  # its core
    image[:] = cv2.GaussianBlur(image, (0, 0), 1.4 * unit)
    image += rng.normal(0, 0.012, image.shape).astype(np.float32) * (image > 0.03)
    image = np.clip(image, 0, 1).astype(np.float32)
    image.setflags(write=False)
    return Scan(
        name="Synthetic example",
        pixels=image,
        format="drawn by code",
        notes=("This image was drawn by code: it shows no patient, and what is read from it means nothing.",),
    )
