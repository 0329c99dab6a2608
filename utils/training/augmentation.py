"""Random changes of a training image that keep its label: NumPy and OpenCV, the same on every backend.

They imitate other scanners, sequences, exports and websites: position and size, brightness and contrast, the coil's
bias field, sharpness, noise, resolution and JPEG compression. Images and masks are (S, S) uint8.
"""

from __future__ import annotations

import cv2
import numpy as np

from utils.datasets.masks import IMAGE_LEVEL
from utils.scans.preprocessing import foreground, preprocess

MIN_BRAIN = 0.15  # of the image, where the skull is removed
MIN_TUMOR_LEFT = 0.9

ImageAndMask = tuple[np.ndarray, np.ndarray]


def mirror(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> ImageAndMask:
    """Mirror image and mask, both (S, S), from left to right with probability 0.5."""
    return (image[:, ::-1], mask[:, ::-1]) if rng.random() < 0.5 else (image, mask)


def augment(
    image: np.ndarray, mask: np.ndarray, rng: np.random.Generator, remapping_share: float = 0.2
) -> ImageAndMask:
    """Change an image at random; its mask is moved with it.

    remapping_share: the probability of intensity remapping.
    """
    image, mask = _move(*mirror(image, mask, rng), rng)
    if rng.random() < remapping_share:
        image = _remap(image, rng)
    if rng.random() < 0.3:
        image = _bias_field(image, rng)
    image = _brightness(image, rng)
    quality = (_blur, _noise, _resolution, _jpeg)
    for change in rng.permutation(len(quality))[: rng.choice(3, p=(0.4, 0.4, 0.2))]:
        image = quality[change](image, rng)
    return image, mask


def strip_skull(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> ImageAndMask:
    """Remove skull and scalp roughly, as many collections do: erode the head by 4.5 to 10 % of its longer side.

    The rest is cropped and scaled as `preprocess` does it. The image stays as it is where that would cut off more than
    a tenth of the tumour or leave too little.
    """
    head = foreground(image.astype(np.float32) / 255)
    longer_side = max(np.ptp(np.flatnonzero(head.any(axis=axis))) for axis in (0, 1))
    radius = max(2, round(longer_side * rng.uniform(0.045, 0.10)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    brain = cv2.erode(np.pad(head.astype(np.uint8), 1), kernel)[1:-1, 1:-1]
    tumor = mask > IMAGE_LEVEL
    if brain.mean() < MIN_BRAIN or (tumor & (brain > 0)).sum() < MIN_TUMOR_LEFT * tumor.sum():
        return image, mask
    stripped, geometry = preprocess((image * brain).astype(np.float32) / 255, image.shape[0])
    return stripped, np.rint(geometry.to_network(mask)).astype(np.uint8)


def _move(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> ImageAndMask:
    """Rotation, scaling of either axis, shift."""
    size = image.shape[0]
    centre = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), rng.uniform(-20, 20), rng.uniform(0.85, 1.15))
    stretch = rng.uniform(0.93, 1.07)
    matrix[0] *= stretch
    matrix[0, 2] += (1 - stretch) * centre
    matrix[:, 2] += rng.uniform(-0.06, 0.06, 2) * size
    moved = [
        cv2.warpAffine(np.ascontiguousarray(layer), matrix, (size, size), flags=cv2.INTER_LINEAR)
        for layer in (image, mask)
    ]
    return moved[0], moved[1]


def _brightness(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gamma, contrast, offset."""
    levels = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.5, 0.5))
    levels = levels * rng.uniform(0.8, 1.2) + rng.uniform(-0.06, 0.06)
    return cv2.LUT(image, _bytes(255 * levels))


def _remap(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Intensity remapping: another order of the tissues' gray values, as in another sequence; black stays black.

    After the random intensity transformations of Ouyang et al., "Causality-inspired single-source domain
    generalization for medical image segmentation", IEEE TMI 2023.
    """
    knots = np.concatenate([[0.0, 0.08], np.sort(rng.uniform(0.1, 0.95, 3)), [1.0]])
    levels = np.concatenate([[0.0, rng.uniform(0, 0.3)], rng.uniform(0.1, 1, 4)])
    table = np.interp(np.linspace(0, 1, 256), knots, levels)
    return cv2.LUT(image, _bytes(255 * table / table.max()))


def _bias_field(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth field of sensitivity, up to 40 % darker or brighter."""
    coarse = rng.uniform(-0.35, 0.35, (3, 3)).astype(np.float32)
    field = np.exp(cv2.resize(coarse, image.shape[::-1], interpolation=cv2.INTER_CUBIC))
    return _bytes(image * field)


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.5) * image.shape[0] / 224)


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return _bytes(image + rng.normal(0, rng.uniform(2, 40), image.shape))


def _resolution(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Reduce to 40-90 % of the size and enlarge again."""
    size = image.shape[0]
    small = max(8, round(size * rng.uniform(0.4, 0.9)))
    reduced = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(reduced, (size, size), interpolation=cv2.INTER_LINEAR)


def _jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return decoded


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
