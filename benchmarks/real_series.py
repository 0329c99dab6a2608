"""MR series for benchmarks: real slices under drawn headers, because the detector rejects drawn heads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tests.support import mr_series
from tests.support.mr_series import Drawn

SIDE = 256  # pixels of a slice


def real_slices(data: Path) -> list[np.ndarray]:
    """The test images of DATA/nickparvar with SIDE x SIDE pixels, (SIDE, SIDE) uint16."""
    files = sorted(data.glob("nickparvar/Testing/*/*.jpg"))
    images = [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files]
    return [np.uint16(4) * image for image in images if image is not None and image.shape == (SIDE, SIDE)]


def single_frames(images: Sequence[np.ndarray], slices: int, seed: int) -> list[bytes]:
    """The files of a series of single-frame images; every seed has UIDs and a choice of images of its own."""
    first = 37 * seed
    chosen = [images[(first + number) % len(images)] for number in range(slices)]
    drawn = Drawn(slices=slices, shape=(SIDE, SIDE), spacing=(0.9, 0.9), seed=1000 * seed)
    return [data for _, data in mr_series.series(drawn, chosen)]
