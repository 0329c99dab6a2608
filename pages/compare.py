"""Compare: the predictions of the models on the loaded scans."""

import numpy as np
import pandas as pd
import streamlit as st

from utils.app import evidence_panels, panels, resources, session
from utils.charts import readings
from utils.reading.conclusion import reading_in_words
from utils.reading.worklist import Entry
from utils.results.comparison import agreement_in_words, in_words, paired_test
from utils.wording import counted

LAYOUT = 3  # panes side by side at first


def main() -> None:
    entries = session.need_scans()
    shown = [entry for entry in entries if session.predictions_shown(entry)]
    concordant = sum(entry.is_concordant for entry in shown)
    st.header(f"Models concordant on {concordant} of {counted(len(shown), 'scan')}")
    entry = panels.scan_picker(entries)
    is_shown = panels.notices(entry)
    label = evidence_panels.class_choice(entry, "compare") if is_shown else None
    evidence_panels.linked_views(entry, "compare", label, LAYOUT)
    if is_shown:
        panels.probabilities(entry)
    _predictions(entries)
    _track_record(shown)
    evidence_panels.keep_neighbours(entries, entry, LAYOUT)


def _predictions(entries: list[Entry]) -> None:
    rows = []
    for entry in entries:
        predictions = {
            reading.title: reading_in_words(reading) if session.predictions_shown(entry) else "not shown"
            for reading in entry.readings
        }
        rows.append({"Scan": entry.name, **predictions, "Status": entry.status_title})
    titles = [reading.title for reading in entries[0].readings]
    shown = [entry for entry in entries if session.predictions_shown(entry)]
    with_scatter = len(shown) > 1 and len(titles) == 2
    table, scatter = st.columns([3, 2], gap="large") if with_scatter else (st.container(), None)
    table.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=min(36 * (len(rows) + 1) + 2, 420),
        alt="One row per scan: label and probability of both models, and the status",
    )
    if scatter is not None:
        tumour = {
            title: [1 - entry.readings[number].probability("no_tumor") for entry in shown]
            for number, title in enumerate(titles)
        }
        figure = readings.tumour_scatter([entry.name for entry in shown], tumour)

        def clicked() -> None:
            selected = st.session_state["scatter"].selection.points
            points = [point for point in selected if point["curve_number"] == 1]
            if points:
                session.select(shown[int(points[0]["point_index"])].key)

        with scatter:
            panels.chart(figure, "scatter", clicked)
            st.caption("Click a point to show its scan.")


def _track_record(entries: list[Entry]) -> None:
    """The accuracy of both models on held-out patients, and how long each takes here."""
    titles = [reading.title for reading in entries[0].readings] if entries else []
    evaluations = {evaluation.title: evaluation for evaluation in resources.evaluations()}
    both = [evaluations[title] for title in titles[:2] if title in evaluations]
    if len(both) == 2:
        test = paired_test(*both)
        if test:
            st.markdown(in_words(test, *titles[:2]))
    ensemble = resources.ensemble()
    if ensemble is not None and ensemble.predictions is not None:
        st.markdown(agreement_in_words(ensemble.predictions))
    seconds = {
        title: [entry.readings[number].seconds for entry in entries] for number, title in enumerate(titles)
    }
    medians = ", ".join(
        f"{title} {1000 * float(np.median(values)):.0f} ms" for title, values in seconds.items()
    )
    if medians:
        st.caption(f"Median time per scan with saliency maps: {medians}.")


session.enter()
session.need_networks()
main()
