"""Where a lesion lies in the body, in words, where the file of the image knows its orientation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from utils.scans.places import plane_of
from utils.scans.preprocessing import foreground

if TYPE_CHECKING:
    from utils.scans.scan import Scan

MIDLINE = 0.15  # of half the head's width: closer to the middle is neither left nor right
END = 1 / 3  # of half the head's length: from there on a lesion is anterior or posterior
ALONG = 0.87  # cosine (30 degrees): a more oblique image does not show the sides of the body


def place_in_body(mask: np.ndarray, scan: Scan) -> str:
    """ "on the patient's left, anterior", of the centroid of a mask (H, W) bool, not empty, on a scan's pixels.

    The middle of the head is halfway between its outermost pixels. Empty where the orientation or the head is unknown,
    on sagittal and very oblique images, and where only one side of the head reaches the border of the image, because
    its middle is then unknown.
    """
    plane, head = plane_of(scan.orientation), foreground(scan.pixels)
    if plane not in ("axial", "coronal") or head.all() or head[:, 0].any() != head[:, -1].any():
        return ""
    to_left, to_back, _ = np.reshape(scan.orientation, (2, 3))[::-1].T  # each along (row, column)
    if np.linalg.norm(to_left) < ALONG:
        return ""
    centre = np.argwhere(mask).mean(axis=0)
    left, back = (_offset(centre, head, direction) for direction in (to_left, to_back))
    words = (
        "near the midline" if abs(left) < MIDLINE else f"on the patient's {'left' if left > 0 else 'right'}"
    )
    if plane == "coronal" or abs(back) < END:
        return words
    return f"{words}, {'posterior' if back > 0 else 'anterior'}"


def _offset(centre: np.ndarray, head: np.ndarray, direction: np.ndarray) -> float:
    """Where a point lies between the ends of the head along a direction (row, column): -1 and 1 at the ends."""
    along = np.argwhere(head) @ direction
    low, high = float(along.min()), float(along.max())
    return (2 * float(centre @ direction) - low - high) / max(high - low, 1e-6)
