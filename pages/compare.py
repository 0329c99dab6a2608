"""Compare: CNN against VGG16 over the scans that are loaded."""

import pandas as pd
import streamlit as st

from utils import charts, ui
from utils.classes import CLASS_TITLES
from utils.findings import percent_in_words
from utils.worklist import Entry


def main() -> None:
    entries = ui.need_scans()
    agreed = sum(entry.agreed for entry in entries)
    st.header(f"The networks agree on {agreed} of {len(entries)} scan{'s' if len(entries) > 1 else ''}")
    _answers(entries)
    entry = ui.scan_picker(entries)
    ui.evidence(entry, "compare")
    ui.probabilities(entry)


def _answers(entries: list[Entry]) -> None:
    rows = []
    for entry in entries:
        said = {
            reading.title: f"{CLASS_TITLES[reading.label]}, {percent_in_words(reading.confidence)}"
            for reading in entry.readings
        }
        rows.append({"Scan": entry.name, **said, "Networks": entry.status})
    titles = [reading.title for reading in entries[0].readings]
    with_scatter = len(entries) > 1 and len(titles) == 2
    table, scatter = st.columns([3, 2], gap="large") if with_scatter else (st.container(), None)
    table.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=min(36 * (len(rows) + 1) + 2, 420),
        alt="One row a scan: the answers and probabilities of both networks, and whether they agree",
    )
    if scatter is not None:
        tumour = {
            title: [1 - entry.readings[number].probability("no_tumor") for entry in entries]
            for number, title in enumerate(titles)
        }
        figure = charts.tumour_scatter([entry.name for entry in entries], tumour)
        with scatter:
            ui.chart(figure)


ui.enter()
ui.need_networks()
main()
