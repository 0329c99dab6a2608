"""A synthetic scan, drawn by code, so that an empty app can be tried. It shows no patient."""

from __future__ import annotations

import cv2
import numpy as np

from utils.scans.scan import Scan

WHITE, GRAY, FLUID, BONE, SCALP, LESION = 0.53, 0.39, 0.15, 0.48, 0.9, 0.9  # brightness, T1 with contrast


def synthetic_scan(size: int = 320, seed: int = 7) -> Scan:
    """An axial drawing of a brain with a bright mass, (size, size) float32 in 0..1; another brain for every seed."""
    image = np.clip(_Drawing(size, seed).head(), 0, 1).astype(np.float32)
    image.setflags(write=False)
    return Scan(
        name="Synthetic example",
        pixels=image,
        format="drawn by code",
        notes=("This image was drawn by code: it shows no patient, and what is read from it means nothing.",),
    )


class _Drawing:
    """Lengths are those of a drawing of 320 x 320 pixels; images are (size, size) float."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.unit, self.rng = size, size / 320, np.random.default_rng(seed)
        self.y, self.x = np.mgrid[0:size, 0:size].astype(np.float32) / self.unit

    def irregular(self, width: float) -> np.ndarray:
        """Smoothed noise with a standard deviation of 1."""
        noise = self.rng.normal(size=(self.size, self.size)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), width * self.unit)
        return smooth / smooth.std()

    def ellipse(self, x: float, y: float, width: float, height: float, angle: float = 0) -> np.ndarray:
        """The distance to the centre, 1 on the ellipse."""
        cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        across, along = self.x - x, self.y - y
        return np.hypot((across * cosine + along * sine) / width, (along * cosine - across * sine) / height)

    def head(self) -> np.ndarray:
        """The image; it can leave 0..1 a little."""
        outline = 0.02 * self.irregular(25)
        head, depth = (
            self.ellipse(160, 160, 114, 142) + outline,
            105 * (1 - self.ellipse(160, 160, 101, 129) - outline),
        )
        image = np.zeros((self.size, self.size), np.float32)
        for limit, level in ((1, SCALP), (0.965, 0.1), (0.955, BONE), (0.925, 0.08)):
            image[head < limit] = level
        image[depth > 0] = FLUID
        tissue = (depth > 1.5) & ~((np.abs(self.irregular(6.5)) < 0.18) & (depth < 26))  # without sulci
        self._fill(image, tissue, depth, outline)
        image += 0.04 * self.irregular(2.5) * tissue
        blurred = cv2.GaussianBlur(image, (0, 0), self.unit)
        noise = np.where(head < 1.02, 0.008, 0.003)
        return np.hypot(
            blurred + noise * self.rng.normal(size=image.shape), noise * self.rng.normal(size=image.shape)
        )

    def _fill(self, image: np.ndarray, tissue: np.ndarray, depth: np.ndarray, outline: np.ndarray) -> None:
        """Draw what is inside of the brain."""
        image[tissue] = GRAY
        from_fluid = cv2.distanceTransform(tissue.astype(np.uint8), cv2.DIST_L2, 5) / self.unit
        image[tissue & (from_fluid + 0.8 * self.irregular(4) > 5.5)] = WHITE
        fissure = np.abs(self.x - 160 + 1.2 * self.irregular(12)) < 1.3
        image[fissure & (depth > 0) & ((self.y < 125) | (self.y > 195))] = FLUID
        for side in (-1, 1):
            image[self.ellipse(160 + side * 17, 150, 8, 38, -12 * side) + outline < 1] = (
                FLUID  # lateral ventricle
            )
            image[self.ellipse(160 + side * 19, 178, 12, 19, 10 * side) < 1] = 0.45  # thalamus
            image[self.ellipse(160 + side * 46, 158, 11, 26, 8 * side) < 1] = 0.44  # basal ganglia
        image[tissue & (self.ellipse(214, 108, 33, 28, 20) + 0.07 * self.irregular(6) < 1)] = 0.35  # oedema
        image[self.ellipse(216, 108, 21, 19) + 0.05 * self.irregular(6) < 1] = LESION
        image[self.ellipse(217, 109, 9, 8) + 0.08 * self.irregular(5) < 1] = 0.45  # its core
