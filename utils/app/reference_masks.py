"""The reference segmentations of scans whose files are in the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from utils.evidence.outlines import contours
from utils.paths import file_sha256
from utils.scans.errors import UnreadableScan

if TYPE_CHECKING:
    import numpy as np


def reference_mask(sha256: str, shape: tuple[int, int]) -> list[np.ndarray] | None:
    """The contours, (K, 2) int (x, y) each, of the reference segmentation of a file of the data folder; else None."""
    file = masks().get(sha256)
    if file is None:
        return None
    from utils.datasets.masks import read_mask

    try:
        return list(contours(read_mask(file, shape) > 127))
    except UnreadableScan:
        return None


@st.cache_resource(show_spinner="Looking for reference segmentations ...")
def masks() -> dict[str, str]:
    """SHA-256 of a scan's file -> the file of its reference segmentation."""
    from utils.datasets.samples import data_folder, outlined_samples  # they bring pandas, a second to import

    rows = outlined_samples(data_folder())
    return {file_sha256(Path(path)): mask for path, mask in zip(rows["path"], rows["mask"], strict=True)}
