"""Heatmaps: study the evidence of one network on one scan."""

from pathlib import Path

import streamlit as st

from utils import overlays, ui
from utils.classes import CLASS_TITLES
from utils.findings import percent_in_words


def main() -> None:
    entries = ui.need_scans()
    entry = ui.scan_picker(entries)
    assert entry.scan is not None
    if not ui.pass_gate(entry):
        return
    picture_side, controls = st.columns([2, 1], gap="large")
    with controls:
        by_title = {reading.title: reading for reading in entry.readings}
        title = st.segmented_control("Network", list(by_title), default=next(iter(by_title)), required=True)
        reading = by_title[title]
        label = ui.class_picker(entry, "heatmap-class")
        opacity = st.slider("Opacity", 0.0, 1.0, 0.8, 0.05)
        threshold = st.slider(
            "Hide evidence weaker than",
            0,
            100,
            0,
            5,
            format="%d %%",
            help="Of the strength drawn in full colour",
        )
        picture = ui.draw(entry, reading, label, opacity, threshold / 100)
        st.download_button(
            "Download PNG",
            overlays.png(picture),
            file_name=f"{Path(entry.name).stem}-{reading.network}-{label}.png",
            mime="image/png",
            icon=":material/download:",
            width="stretch",
        )
        st.caption(
            f"Grad-CAM: where this network finds what speaks for {CLASS_TITLES[label]}. One scale for all classes and "
            "both networks: weak evidence looks weak. A map tells what the network used, not what is true."
        )
    with picture_side:
        ui.picture(
            picture,
            f"The scan {entry.name} with the Grad-CAM evidence of {title} for {CLASS_TITLES[label]}",
            f"{ui.in_markdown(entry.name)}. {title} says {CLASS_TITLES[reading.label]}, "
            f"{percent_in_words(reading.confidence)}; shown: evidence for {CLASS_TITLES[label]}",
        )
        ui.evidence_legend()


ui.enter()
ui.need_networks()
main()
