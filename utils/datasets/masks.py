"""Reference segmentations: which rows of a sample table have one, and its pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd

from utils.datasets.tables import DatasetError
from utils.scans.errors import UnreadableScan

# gray values in a mask: tumours with an outline have 255
BOX_LEVEL = 100  # of a bounding box
IMAGE_LEVEL = 20  # everywhere, where an image shows a tumour in an unknown place


def with_outlines(
    samples: pd.DataFrame, has_boxes: bool = False, has_image_labels: bool = False
) -> pd.DataFrame:
    """The rows of a split sample table for segmentation: tumours with a mask, and scans without tumour.

    Tumours without a mask are dropped: their empty mask would count as "no tumour". `has_boxes` keeps the training
    tumours of which only the bounding box is known, `has_image_labels` also those whose place is not known.
    Raises DatasetError where training or validation lacks one of the two kinds.
    """
    is_used = (samples["mask"] != "") | (samples["target"] == "no_tumor")
    if has_boxes:
        is_used |= (samples["box"] != "") & (samples["part"] == "train")
    if has_image_labels:
        is_used |= samples["part"] == "train"
    outlined = samples[is_used].reset_index(drop=True)
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
