"""Compare: CNN against VGG16 over the scans that are loaded."""

import numpy as np
import pandas as pd
import streamlit as st

from utils.app import evidence_panels, panels, resources, session
from utils.charts import readings
from utils.reading.conclusion import reading_in_words
from utils.reading.worklist import Entry
from utils.results.comparison import agreement_in_words, in_words, paired_test
from utils.wording import counted


def main() -> None:
    entries = session.need_scans()
    shown = [entry for entry in entries if session.answers_shown(entry)]
    agreed = sum(entry.is_concordant for entry in shown)
    st.header(f"Models concordant on {agreed} of {counted(len(shown), 'scan')}")
    _answers(entries)
    _record(shown)
    entry = panels.scan_picker(entries)
    if panels.pass_gate(entry):
        evidence_panels.evidence(entry, "compare")
        panels.probabilities(entry)


def _answers(entries: list[Entry]) -> None:
    rows = []
    for entry in entries:
        said = {
            reading.title: reading_in_words(reading) if session.answers_shown(entry) else "not shown"
            for reading in entry.readings
        }
        rows.append({"Scan": entry.name, **said, "Status": entry.status_title})
    titles = [reading.title for reading in entries[0].readings]
    shown = [entry for entry in entries if session.answers_shown(entry)]
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
        figure = readings.tumour_scatter([entry.name for entry in shown], tumour)

        def clicked() -> None:
            points = [one for one in st.session_state["scatter"].selection.points if one["curve_number"] == 1]
            if points:
                session.select(shown[int(points[0]["point_index"])].key)

        with scatter:
            panels.chart(figure, "scatter", clicked)
            st.caption("Click on a point to see its scan.")


def _record(entries: list[Entry]) -> None:
    """How both did on test scans of unseen patients, and how long each takes here."""
    titles = [reading.title for reading in entries[0].readings] if entries else []
    measured = {one.title: one for one in resources.evaluations() if one.protocol.is_shipped}
    both = [measured[title] for title in titles[:2] if title in measured]
    if len(both) == 2:
        test = paired_test(*both)
        if test:
            st.markdown(in_words(test, *titles[:2]))
    together = resources.together()
    if together is not None and together.predictions is not None:
        st.markdown(agreement_in_words(together.predictions))
    seconds = {
        title: [entry.readings[number].seconds for entry in entries] for number, title in enumerate(titles)
    }
    told = ", ".join(f"{title} {1000 * float(np.median(values)):.0f} ms" for title, values in seconds.items())
    if told:
        st.caption(f"A scan took, with its maps: {told} (median).")


session.enter()
session.need_networks()
main()
