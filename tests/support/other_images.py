"""Images drawn by code that are not brain MRI. They test the out-of-distribution detector, which never used them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

Draw = Callable[[np.random.Generator], np.ndarray]


def salt_and_pepper(rng: np.random.Generator) -> np.ndarray:
    return (rng.random((240, 240)) < rng.uniform(0.2, 0.8)).astype(np.float32)


def speckle(rng: np.random.Generator) -> np.ndarray:
    """Rayleigh noise as in an empty ultrasound or radar image, with a grain of one to four pixels."""
    grain = rng.rayleigh(0.3, (256, 256)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(grain, (0, 0), rng.uniform(0.5, 2)), 0, 1)


def nearly_blank(rng: np.random.Generator) -> np.ndarray:
    """A uniform gray with a few specks of dust and a little noise, as from a flatbed scanner with its lid closed."""
    image = rng.uniform(0, 1) + rng.normal(0, 0.004, (300, 260)).astype(np.float32)
    for _ in range(int(rng.integers(1, 12))):
        row, column = rng.integers(5, 250, 2)
        image[row : row + 2, column : column + 3] = rng.random()
    return np.clip(image, 0, 1).astype(np.float32)


def page_of_text(rng: np.random.Generator) -> np.ndarray:
    """Lines of words, black on white, with a heading, as from a scanned letter."""
    page = np.full((520, 400), 250, np.uint8)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    cv2.putText(
        page, "".join(rng.choice(letters, 12)), (40, 50), cv2.FONT_HERSHEY_DUPLEX, 0.9, 10, 2, cv2.LINE_AA
    )
    for line in range(int(rng.integers(6, 22))):
        words = " ".join("".join(rng.choice(letters, int(rng.integers(2, 9)))) for _ in range(7))
        cv2.putText(page, words, (40, 90 + 19 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 30, 1, cv2.LINE_AA)
    return page.astype(np.float32) / 255


def terminal(rng: np.random.Generator) -> np.ndarray:
    """Bright words on black, as in a screenshot of a console."""
    screen = np.zeros((300, 420), np.uint8)
    letters = list("abcdefghijklmnopqrstuvwxyz0123456789/._-$")
    for line in range(int(rng.integers(3, 17))):
        words = "".join(rng.choice(letters, int(rng.integers(6, 44))))
        cv2.putText(screen, words, (6, 18 + 17 * line), cv2.FONT_HERSHEY_PLAIN, 0.9, 220, 1, cv2.LINE_AA)
    return screen.astype(np.float32) / 255


def landscape(rng: np.random.Generator) -> np.ndarray:
    """Photo-like: a sky with a sun and ranges of hills, nearer ones darker and rougher."""
    rows, columns = np.mgrid[0:240, 0:320]
    image = 0.9 - 0.4 * rows / 240 + 0.02 * rng.normal(size=(240, 320))
    image[np.hypot(rows - rng.uniform(20, 80), columns - rng.uniform(20, 300)) < 18] = 1
    for nearness in range(4):
        steps = cv2.GaussianBlur(rng.normal(0, 1, (1, 320)), (0, 0), 14 - 3 * nearness)[0]
        skyline = 90 + 35 * nearness + 160 * steps / (1 + np.abs(steps).max())
        ground = rows > skyline
        image[ground] = 0.55 - 0.13 * nearness + (0.02 + 0.03 * nearness) * rng.normal(size=int(ground.sum()))
    return np.clip(image, 0, 1).astype(np.float32)


def portrait(rng: np.random.Generator) -> np.ndarray:
    """Photo-like: a lit sphere with two eyes and shoulders before a soft background."""
    rows, columns = np.mgrid[-1:1:256j, -1:1:220j]
    image = 0.3 + 0.4 * _soft(rng, (256, 220), 25)
    image[(columns / 0.95) ** 2 + ((rows - 1.1) / 0.55) ** 2 < 1] = rng.uniform(0.05, 0.5)
    head = (columns / 0.5) ** 2 + ((rows + 0.15) / 0.62) ** 2 < 1
    light = 0.75 - 0.35 * (columns * rng.uniform(-1, 1) + rows * rng.uniform(0, 0.6))
    image[head] = light[head]
    for side in (-1, 1):
        image[((columns - 0.19 * side) / 0.09) ** 2 + ((rows + 0.22) / 0.045) ** 2 < 1] = 0.1
    image[(columns / 0.2) ** 2 + ((rows - 0.2) / 0.035) ** 2 < 1] = 0.3
    return np.clip(
        cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1.2) + 0.02 * rng.normal(size=image.shape),
        0,
        1,
    ).astype(np.float32)


def masonry(rng: np.random.Generator) -> np.ndarray:
    """Photo-like: a brick wall under uneven light."""
    wall = np.full((256, 256), 0.75, np.float32)
    height, width = int(rng.integers(14, 34)), int(rng.integers(36, 80))
    for course, top in enumerate(range(0, 256, height)):
        for left in range(-(course % 2) * width // 2, 256, width):
            wall[top : top + height - 3, max(left, 0) : max(left + width - 3, 0)] = rng.uniform(0.25, 0.55)
    return np.clip(
        wall * (0.6 + 0.6 * _soft(rng, (256, 256), 50)) + 0.03 * rng.normal(size=wall.shape), 0, 1
    ).astype(np.float32)


def mosaic(rng: np.random.Generator) -> np.ndarray:
    """Voronoi cells, as of cobbles or tissue under a microscope."""
    points = rng.uniform(0, 256, (int(rng.integers(15, 120)), 2))
    rows, columns = np.mgrid[0:256, 0:256]
    distance = (rows[..., None] - points[:, 0]) ** 2 + (columns[..., None] - points[:, 1]) ** 2
    cells = rng.random(len(points)).astype(np.float32)[distance.argmin(axis=2)]
    return cv2.GaussianBlur(cells, (0, 0), 1)


def julia(rng: np.random.Generator) -> np.ndarray:
    """A fractal: structures at all scales around a dark or bright middle."""
    rows, columns = np.mgrid[-1.4:1.4:224j, -1.4:1.4:224j]
    point, constant = columns + 1j * rows, 0.7885 * np.exp(1j * rng.uniform(0, 2 * np.pi))
    escaped = np.zeros(point.shape, np.float32)
    for _ in range(40):
        inside = np.abs(point) < 4
        point[inside] = point[inside] ** 2 + constant
        escaped += inside
    return escaped / max(float(escaped.max()), 1)


def bar_chart(rng: np.random.Generator) -> np.ndarray:
    dark = rng.random() < 0.5
    image = np.full((300, 400), 0.05 if dark else 0.98, np.float32)
    count = int(rng.integers(4, 14))
    for bar, height in enumerate(rng.uniform(20, 260, count)):
        left = 20 + bar * 370 // count
        image[290 - int(height) : 290, left : left + 260 // count] = rng.uniform(0.3, 0.8)
    image[290:292, 15:390] = image[20:290, 15:17] = 0.95 if dark else 0.1
    return image


OTHER_IMAGES: dict[str, tuple[Draw, ...]] = {
    "noise": (salt_and_pepper, speckle),
    "blank": (nearly_blank,),
    "text": (page_of_text, terminal, bar_chart),
    "photo-like": (landscape, portrait, masonry, mosaic, julia),
}


def _soft(rng: np.random.Generator, shape: tuple[int, int], width: float) -> np.ndarray:
    """Smooth random light, (H, W) float32 in 0..1."""
    light = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), width)
    return (light - light.min()) / max(float(np.ptp(light)), 1e-6)
