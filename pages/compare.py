"""Compare: CNN against VGG16 over the scans that are loaded."""

import pandas as pd
import streamlit as st

from utils import charts, overlays, ui
from utils.datasets import CLASS_TITLES
from utils.findings import percent_in_words
from utils.worklist import Entry


def main() -> None:
    entries = ui.need_scans()
    agreed = sum(entry.agreed for entry in entries)
    st.header(f"The networks agree on {agreed} of {len(entries)} scan{'s' if len(entries) > 1 else ''}")
    _answers(entries)
    entry = ui.scan_picker(entries)
    said = {reading.title: reading.probabilities.tolist() for reading in entry.readings}
    st.plotly_chart(
        charts.probability_bars(said),
        width="stretch",
        config={"displayModeBar": False},
        alt=f"Calibrated class probabilities of both networks for {entry.name}",
    )
    _maps(entry)


def _answers(entries: list[Entry]) -> None:
    rows = []
    for entry in entries:
        assert entry.scan is not None
        row: dict = {"Scan": entry.name}
        for reading in entry.readings:
            row[reading.title] = CLASS_TITLES[reading.label]
            row[f"{reading.title} probability"] = 100 * reading.confidence
        rows.append(row | {"Networks": entry.status})
    bars = {
        f"{reading.title} probability": st.column_config.ProgressColumn(
            format="%.0f %%", min_value=0, max_value=100
        )
        for reading in entries[0].readings
    }
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config=bars,
        height=min(38 * (len(rows) + 1), 320),
        alt="One row a scan: the answers and probabilities of both networks, and whether they agree",
    )
    if len(entries) > 1 and len(entries[0].readings) > 1:
        titles = [reading.title for reading in entries[0].readings][:2]
        tumour = {
            title: [1 - entry.readings[number].probability("no_tumor") for entry in entries]
            for number, title in enumerate(titles)
        }
        st.plotly_chart(
            charts.tumour_scatter([entry.name for entry in entries], tumour),
            width="stretch",
            config={"displayModeBar": False},
            alt="Probability of any tumour, one network against the other, one point a scan",
        )


def _maps(entry: Entry) -> None:
    assert entry.scan is not None
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with left:
        label = ui.class_picker(entry, "compare-class")
    opacity = right.slider("Opacity", 0.0, 1.0, 0.7, 0.05, key="compare-opacity")
    columns = st.columns(1 + len(entry.readings))
    columns[0].image(
        overlays.gray_picture(entry.scan.pixels),
        width="stretch",
        caption="Scan",
        alt=f"The scan {entry.name}",
    )
    for column, reading in zip(columns[1:], entry.readings, strict=True):
        column.image(
            ui.draw(entry, reading, label, opacity),
            width="stretch",
            caption=f"{reading.title}: {CLASS_TITLES[reading.label]}, {percent_in_words(reading.confidence)}",
            alt=f"The scan with the Grad-CAM evidence of {reading.title} for {CLASS_TITLES[label]}",
        )
    ui.evidence_legend()


ui.enter()
main()
