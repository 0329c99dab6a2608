"""Parts that several pages share: scan picker, out-of-distribution notices, subtypes, images, charts, track records."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from utils.acceptance.words import answers_in_words
from utils.app import resources, session, site, viewer, worklist_panel
from utils.networks.shipped import subtype_weights
from utils.paths import models_folder
from utils.reading import conclusion, ood_detector, subtypes
from utils.reading.worklist import Entry
from utils.scans import rendering
from utils.wording import percent, probability_in_percent

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from utils.reading.reader import Reading

UNBROKEN = str.maketrans({" ": "\u00a0", "-": "\u2011"})


def scan_picker(choices: Sequence[Entry]) -> Entry:
    """A menu with Previous and Next (also the arrow keys); all pages share the selection."""
    keys = [entry.key for entry in choices]
    current = session.selected()
    position = keys.index(current.key) if current and current.key in keys else 0
    if len(keys) > 1:
        worklist_panel.worklist_panel(choices, keys[position], is_bar=True)
    return choices[position]


def notices(entry: Entry) -> bool:
    """The notices about a scan, with the button that reveals hidden predictions; whether predictions may be shown."""
    assert entry.scan is not None
    shown = session.predictions_shown(entry)
    if entry.grade == "refused":
        text = ood_detector.REFUSED if not shown else ood_detector.REFUSED_BUT_SHOWN
        st.warning(text, icon=":material/block:")
    elif entry.grade == "unusual":
        st.warning(ood_detector.UNUSUAL, icon=":material/warning:")
    flags = {flag for reading in entry.readings for flag in reading.flags}
    notes = [ood_detector.NOTES[flag] for flag in sorted(flags & ood_detector.NOTES.keys())]
    for note in (*notes, *entry.scan.notes):
        st.info(note, icon=":material/info:")
    if not shown and st.button(
        "Show predictions anyway", icon=":material/visibility:", key=f"anyway-{entry.key}"
    ):
        session.show_anyway(entry.key)
        st.rerun()
    return shown


def probabilities(entry: Entry) -> None:
    """The calibrated probabilities of every classifier and of the ensemble."""
    from utils.charts.probabilities import probability_table
    from utils.results.titles import MODEL_TITLES, model_colours

    shown = {reading.title: reading.probabilities.tolist() for reading in entry.readings}
    if entry.joint is not None:
        shown[MODEL_TITLES["ensemble"]] = entry.joint.probabilities.tolist()
    st.html(probability_table(shown, model_colours()))


def subtype_panel(entry: Entry) -> None:
    """The most probable subtypes of a scan, where a subtype network is there and the user switches it on."""
    if subtype_weights() is None:
        return
    is_on = st.toggle(
        "Subtype (experimental)",
        key="subtype",
        help="A third model, trained on few patients per subtype; often incorrect",
    )
    reader = resources.subtype_reader() if is_on else None
    if reader is None:
        return
    assert entry.scan is not None
    reading = reader.read_many([entry.scan], with_maps=False)[0]
    most_probable = list(subtypes.type_probabilities(reading.classes, reading.probabilities).items())[:3]
    text = ", ".join(f"{title} {probability_in_percent(probability)}" for title, probability in most_probable)
    st.markdown(f"Subtype (experimental): {text}")
    figures = reader.card.figures.get(reader.card.protocol)
    accuracy = figures.figure("accuracy") if figures else None
    if accuracy is not None:
        st.caption(
            f"Accuracy for subtype and sequence on the test scans of its own collection: {percent(accuracy)}."
        )


def image(pixels: np.ndarray, alt: str, caption: str | None = None) -> None:
    """An (H, W) or (H, W, 3) uint8 image without loss: JPEG artefacts would change the scan.

    It travels inside the session's own websocket. Streamlit would serve an array at an address of its own, to
    anybody who knows the address.
    """
    address = viewer.address(rendering.png(rendering.fitted(pixels, viewer.WIDEST)))
    st.image(address, caption=caption, width="stretch", alt=alt)


def chart(
    figure: Figure,
    key: str | None = None,
    on_select: Callable[[], None] | None = None,
    download: str | None = None,
) -> None:
    """A plotly figure; its title, which states the finding, is its alternative text.

    `on_select` is called when a point is clicked; the points are in the session state under `key`. `download`: the
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
    """A chart with a download button, and below it how to read it."""
    finding = figure.layout.title.text.replace("<br>", " ")
    chart(figure, download="".join(sign if sign.isalnum() else "-" for sign in finding.lower())[:60])
    st.caption(caption)


def wide_table(rows: Sequence[Mapping[str, str]], title: str, is_unbroken: bool = False) -> None:
    """Equal rows with their names as the head, in a box that scrolls sideways on a narrow screen, also by keys.

    is_unbroken: every cell behind the first column stays on one line.
    """
    lines = [list(rows[0]), ["---"] * len(rows[0])]
    for first, *cells in (row.values() for row in rows):
        lines.append([first, *(cell.translate(UNBROKEN) if is_unbroken else cell for cell in cells)])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    box = f'<div role="region" tabindex="0" aria-label="{title}" style="overflow-x: auto">'
    st.markdown(f"{box}\n\n{table}\n\n</div>", unsafe_allow_html=True)


def trust(reading: Reading) -> str:
    """One sentence: the predictive value of this label at this confidence on held-out patients."""
    models = str(models_folder())
    return _trust(models, reading.network, reading.version, reading.label, _bin(reading.confidence))


def ensemble_trust(entry: Entry) -> str:
    """The same of concordant models at the ensemble's probability; with a site profile what it measured there."""
    if (profile := site.profile()) is not None:
        return answers_in_words(profile)
    return _ensemble_trust(str(models_folder()), entry.readings[0].label, _bin(entry.confidence))


def _bin(probability: float) -> float:
    """The lowest probability with the same track record."""
    from utils.results.track_record import trust_bin  # it brings pandas, a second to import

    return trust_bin(probability)[0]


@st.cache_resource(show_spinner=False, ttl=600)
def _trust(models: str, network: str, version: str, label: str, probability: float) -> str:
    from utils.results.track_record import evaluation_of, trust_sentence

    return trust_sentence(evaluation_of(resources.evaluations(), network, version), label, probability)


@st.cache_resource(show_spinner=False, ttl=600)
def _ensemble_trust(models: str, label: str, probability: float) -> str:
    from utils.results.track_record import trust_sentence

    return trust_sentence(resources.ensemble(), label, probability)


def tumor_likely(entry: Entry) -> str:
    """A sentence where every network detects a tumour by its own threshold, of whatever type; else empty."""
    thresholds = {
        reading.network: card.tumor_threshold if (card := resources.card_of(reading)) else None
        for reading in entry.readings
    }
    return conclusion.tumor_likely(entry, thresholds)


def unbroken(words: str) -> str:
    """The words without line breaks inside of "> 99 %" and "61-86"."""
    kept = r"(?<=[<>]) (?=\d)|(?<=\d) (?=%)|(?<![-\d])(\d{1,3})-(?=\d)"  # no dates
    return re.sub(kept, lambda match: match.group().translate(UNBROKEN), words)


def in_markdown(name: str) -> str:
    """A file name for Markdown, which would take parts of it for links, images or emphasis."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:&])", r"\\\1", name)
