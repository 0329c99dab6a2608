"""Compare: CNN against VGG16 over the scans that are loaded."""

import pandas as pd
import streamlit as st

from utils import scan_charts, ui
from utils.classes import CLASS_TITLES
from utils.findings import percent_in_words
from utils.worklist import Entry


def main() -> None:
    entries = ui.need_scans()
    shown = [entry for entry in entries if ui.answers_shown(entry)]
    agreed = sum(entry.agreed for entry in shown)
    st.header(f"The networks agree on {agreed} of {len(shown)} scan{'' if len(shown) == 1 else 's'}")
    _answers(entries)
    entry = ui.scan_picker(entries)
    if ui.pass_gate(entry):
        ui.evidence(entry, "compare")
        ui.probabilities(entry)


def _answers(entries: list[Entry]) -> None:
    rows = []
    for entry in entries:
        said = {
            reading.title: f"{CLASS_TITLES[reading.label]}, {percent_in_words(reading.confidence)}"
            if ui.answers_shown(entry)
            else "not shown"
            for reading in entry.readings
        }
        rows.append({"Scan": entry.name, **said, "Networks": entry.status})
    titles = [reading.title for reading in entries[0].readings]
    shown = [entry for entry in entries if ui.answers_shown(entry)]
    with_scatter = len(shown) > 1 and len(titles) == 2
    table, scatter = st.columns([3, 2], gap="large") if with_scatter else (st.container(), None)
    table.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=min(36 * (len(rows) + 1) + 2, 420),
        alt="One row a scan: the answers and probabilities of both networks, and whether they agree",
    )
    if scatter is not None:
        tumour = {
            title: [1 - entry.readings[number].probability("no_tumor") for entry in shown]
            for number, title in enumerate(titles)
        }
        figure = scan_charts.tumour_scatter([entry.name for entry in shown], tumour)
        with scatter:
            ui.chart(figure)


ui.enter()
ui.need_networks()
main()
