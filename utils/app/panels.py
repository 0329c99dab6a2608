"""What pages draw of a scan: the picker, what the gate says, the pictures with their evidence, the charts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from utils.app import resources, session, viewer
from utils.networks.registry import NETWORKS
from utils.networks.shipped import subtype_weights
from utils.reading import conclusion, ood_detector, subtypes
from utils.reading.worklist import Entry
from utils.scans import rendering
from utils.wording import probability_in_percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from utils.reading.reader import Reading


def scan_picker(choices: Sequence[Entry]) -> Entry:
    """A picker with previous and next (also the arrow keys); the choice is shared by all pages."""
    keys = [entry.key for entry in choices]
    names = {entry.key: entry.name for entry in choices}
    current = session.selected()
    position = keys.index(current.key) if current and current.key in keys else 0
    if len(keys) == 1:
        return choices[0]
    with st.container(horizontal=True, vertical_alignment="center"):
        back = st.button("Previous", icon=":material/chevron_left:", disabled=position == 0, shortcut="Left")
        chosen = st.selectbox(
            "Scan",
            keys,
            index=position,
            format_func=names.__getitem__,
            label_visibility="collapsed",
            width=360,
        )
        st.markdown(f"{position + 1} of {len(keys)}", width="content")
        onward = st.button(
            "Next", icon=":material/chevron_right:", disabled=position == len(keys) - 1, shortcut="Right"
        )
    wanted = keys[position - 1] if back else keys[position + 1] if onward else chosen
    if wanted != keys[position]:
        session.select(wanted)
        st.rerun()
    return choices[position]


def pass_gate(entry: Entry) -> bool:
    """Say what the gate found. Where it refused the scan: show the scan alone, and a way to see the answers."""
    assert entry.scan is not None
    shown = session.answers_shown(entry)
    if entry.grade == "refused":
        words = ood_detector.REFUSED if not shown else ood_detector.REFUSED_BUT_SHOWN
        st.warning(words, icon=":material/block:")
    elif entry.grade == "unusual":
        st.warning(ood_detector.UNUSUAL, icon=":material/warning:")
    flags = {flag for reading in entry.readings for flag in reading.flags}
    notes = [ood_detector.NOTES[flag] for flag in sorted(flags & ood_detector.NOTES.keys())]
    for note in notes if shown else (*notes, *entry.scan.notes):
        st.info(note, icon=":material/info:")
    if not shown:
        if st.button("Show the answers anyway", icon=":material/visibility:", key=f"anyway-{entry.key}"):
            session.show_anyway(entry.key)
            st.rerun()
        picture(rendering.gray_image(entry.scan.pixels), f"The scan {entry.name}")
    return shown


def probabilities(entry: Entry) -> None:
    """The calibrated probabilities of every network."""
    from utils.charts import readings  # plotly takes a second to import, and the first page shows no chart

    chart(
        readings.probability_bars(
            {reading.title: reading.probabilities.tolist() for reading in entry.readings},
            {network.title: network.colour for network in NETWORKS.values()},
        )
    )


def finer_types(entry: Entry) -> None:
    """What the network of finer types makes of the scan, where there is one and it is asked for."""
    if subtype_weights() is None:
        return
    wanted = st.toggle(
        "Finer type (experimental)",
        key="finer",
        help="A third network, for 15 types; it learned from few patients and is often wrong",
    )
    reader = resources.finer_reader() if wanted else None
    if reader is None:
        return
    assert entry.scan is not None
    reading = reader.read_many([entry.scan], with_maps=False)[0]
    likeliest = list(subtypes.type_probabilities(reading.classes, reading.probabilities).items())[:3]
    told = ", ".join(f"{title} {probability_in_percent(probability)}" for title, probability in likeliest)
    st.markdown(f"Finer type (experimental): {told}")
    figures = reader.card.figures.get(reader.card.protocol)
    accuracy = figures.figure("accuracy") if figures else None
    if accuracy is not None:
        st.caption(
            f"On test scans of its collection it named type and sequence rightly in {100 * accuracy:.0f} %."
        )


def picture(pixels: np.ndarray, alt: str, caption: str | None = None) -> None:
    """An (H, W) or (H, W, 3) uint8 picture without loss: a scan is not to be looked at through JPEG.

    It travels inside the session's own websocket. As an array it would be served at an address of its own, to
    whoever knows that.
    """
    address = viewer.address(rendering.png(rendering.fitted(pixels, viewer.WIDEST)))
    st.image(address, caption=caption, width="stretch", alt=alt)


def chart(
    figure: Figure,
    key: str | None = None,
    on_select: Callable[[], None] | None = None,
    download: str | None = None,
) -> None:
    """A plotly figure; its title, which states the finding, is also what a screen reader gets.

    `on_select` is called when a point was clicked; the points stand in the session state under `key`. `download`: the
    name of the PNG that a button above the chart saves; the browser draws it.
    """
    finding = figure.layout.title.text.replace("<br>", " ")
    st.plotly_chart(
        figure,
        width="stretch",
        alt=finding,
        config={
            "displayModeBar": download is not None,
            "displaylogo": False,
            "modeBarButtons": [["toImage"]],
            "toImageButtonOptions": {"filename": download, "scale": 2},
        },
        key=key,
        on_select=on_select or "ignore",
        selection_mode="points",
    )


def chart_with_caption(figure: Figure, caption: str) -> None:
    """A chart that can be downloaded, and below it how to read it."""
    finding = figure.layout.title.text.replace("<br>", " ")
    chart(figure, download="".join(sign if sign.isalnum() else "-" for sign in finding.lower())[:60])
    st.caption(caption)


def trust(reading: Reading) -> str:
    """One sentence: how often this network was right on unseen patients when it spoke like this."""
    from utils.results.track_record import (  # they bring pandas, a second to import
        evaluation_of,
        trust_sentence,
    )

    measured = evaluation_of(resources.evaluations(), reading.network, reading.version)
    return trust_sentence(measured, reading.label, reading.confidence)


def trust_together(entry: Entry) -> str:
    """One sentence: how often the networks were right on unseen patients when they agreed as they do now."""
    from utils.results.track_record import trust_sentence

    return trust_sentence(resources.together(), entry.readings[0].label, entry.confidence)


def tumor_likely(entry: Entry) -> str:
    """A sentence where every network detects a tumour by its own threshold, of whatever type; else empty."""
    thresholds = {
        reading.network: resources.reader_of(reading).card.tumor_threshold for reading in entry.readings
    }
    return conclusion.tumor_likely(entry.readings, thresholds)


def in_markdown(name: str) -> str:
    """A file's name for Markdown, which would take parts of it for links, pictures or emphasis."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:&])", r"\\\1", name)
