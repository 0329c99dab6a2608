"""Several scans in one image, as on a screenshot of a viewer: noticed by the dark lanes between them."""

from __future__ import annotations

import cv2
import numpy as np

NOTE = "This image seems to show several scans side by side; crop it to a single one."
SIZE = 96  # pixels of the small copy that is looked at
BRIGHT = 0.15  # of the range of brightness: what is darker counts as background
LANE = 0.02  # half the width of a lane, of the image's side
LANE_FILLED = 0.02  # largest share of bright pixels in a lane
CELL_FILLED = 0.15  # smallest share of bright pixels in a cell
GRIDS = ((2, 2), (2, 3), (3, 2), (3, 3))


def shows_panels(pixels: np.ndarray) -> bool:
    """Whether an (H, W) image in 0..1 shows a grid of scans with dark lanes between them.

    A single head has bright pixels on both middle lines of the image, so that no lane is empty.
    """
    small = cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    low, high = (float(value) for value in np.percentile(small, (0.5, 99.5)))
    bright = small > low + BRIGHT * (high - low)
    return high > low and any(_is_grid(bright, rows, columns) for rows, columns in GRIDS)


def _is_grid(bright: np.ndarray, rows: int, columns: int) -> bool:
    for count, lines in ((rows, bright), (columns, bright.T)):
        for line in range(1, count):
            centre = round(SIZE * line / count)
            half = max(round(LANE * SIZE), 1)
            if lines[centre - half : centre + half].mean() > LANE_FILLED:
                return False
    cells = [cell for band in np.array_split(bright, rows) for cell in np.array_split(band, columns, axis=1)]
    return all(cell.mean() >= CELL_FILLED for cell in cells)
