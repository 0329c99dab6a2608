"""Reference segmentations: which rows of a sample table have one, and its pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd

from utils.datasets.tables import DatasetError
from utils.scans.errors import UnreadableScan


def with_outlines(samples: pd.DataFrame) -> pd.DataFrame:
    """The rows of a split sample table for segmentation: tumours with a mask, and scans without tumour.

    Tumours without a mask are dropped: their empty mask would count as "no tumour".
    Raises DatasetError where training or validation lacks one of the two kinds.
    """
    outlined = samples[(samples["mask"] != "") | (samples["target"] == "no_tumor")].reset_index(drop=True)
    for part, rows in outlined.groupby("part"):
        if part != "test" and (rows["mask"] == "").nunique() < 2:
            raise DatasetError(
                f"Outlines need tumours with masks and scans without tumour; {part} lacks one of them."
            )
    return outlined


def read_mask(mask: str, shape: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 of a scan of that shape, 255 inside the tumour; "" gives an empty one. Raises UnreadableScan."""
    if not mask:
        return np.zeros(shape, np.uint8)
    outline = cv2.imread(mask, cv2.IMREAD_GRAYSCALE)
    if outline is None or outline.shape != shape:
        raise UnreadableScan(f"The mask {mask} is missing or not of the size of its image.")
    return outline
