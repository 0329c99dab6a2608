"""The part of the Evaluation page about misclassified test scans."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from utils.app import panels
from utils.datasets.samples import data_folder
from utils.results.records import Evaluation
from utils.results.tables import mistakes
from utils.scans import rendering
from utils.scans.errors import UnreadableScan
from utils.scans.upload import read_scan_file
from utils.wording import TARGET_TITLES, counted, probability_in_percent

MOST_IMAGES = 14
IMAGE_WIDTH = 155  # pixels


def errors(selected: Evaluation) -> None:
    """The misclassified scans, as images where the data folder has them."""
    assert selected.predictions is not None
    table = mistakes(selected.predictions)
    st.subheader("Misclassified scans")
    if table.empty:
        st.caption(f"{selected.title}: none.")
        return
    st.caption(f"{selected.title}: {counted(len(table), 'scan')}, most confident errors first.")
    has_images = gallery(table, MOST_IMAGES)
    if has_images:
        st.caption("One scan per patient, or per group of similar images.")
    with st.expander("List of all misclassified scans", expanded=not has_images):
        listed = table.drop(columns="group").assign(
            target=table["target"].map(TARGET_TITLES),
            label=table["label"].map(TARGET_TITLES),
            confidence=table["confidence"].map(probability_in_percent),
        )
        st.dataframe(
            listed.rename(columns={"target": "reference", "label": "predicted"}),
            hide_index=True,
            alt="Every misclassified test scan",
        )
        if not has_images:
            st.caption("Images are shown where the data sets are in `../shared/data` or `$BRAIN_MRI_DATA`.")


def gallery(table: pd.DataFrame, most: int) -> bool:
    """Show one misclassified scan per group, at most so many; returns whether any could be read."""
    has_images = False
    side_by_side = st.container(horizontal=True)  # two per row on a phone, where columns would be stacked
    for row in table.drop_duplicates("group").head(most).itertuples():
        path = data_folder() / str(row.source) / str(row.file)
        try:
            pixels = rendering.gray_image(read_scan_file(path).pixels)
        except (OSError, UnreadableScan):
            continue
        reference, predicted = TARGET_TITLES[str(row.target)], TARGET_TITLES[str(row.label)]
        confidence = probability_in_percent(row.confidence)  # type: ignore[arg-type]
        caption = f"{reference}, predicted {predicted}, {confidence}"
        with side_by_side.container(width=IMAGE_WIDTH):
            panels.image(pixels, f"Test scan: {caption}", caption)
        has_images = True
    return has_images
