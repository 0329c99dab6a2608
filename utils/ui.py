"""What pages share: the networks, the session's worklist, the scan picker, the words around a reading."""

from __future__ import annotations

import base64
import gc
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import streamlit as st

from utils import access, gate, overlays, viewer, worklist
from utils.background import BackgroundReading, Progress
from utils.cards import (
    NetworkUnavailable,
    check_weights,
    evidence_scale,
    load_card,
    models_folder,
    reading_networks,
)
from utils.classes import CLASS_TITLES
from utils.example import synthetic_scan
from utils.findings import percent_in_words
from utils.worklist import Entry

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

    from utils.evaluations import Evaluation
    from utils.readers import Reader, Reading

FIRST_ANSWER = (
    60  # seconds that an upload waits for the first of its scans to be read; the rest goes on behind
)
THUMBNAIL = 64  # pixels


def enter() -> None:
    """Every page begins with this: by whatever way it was reached, it shows nothing to who should log in first."""
    access.need_login()


def need_networks() -> None:
    """Say which network file is missing or altered and what to do; without scans that were read, stop the page."""
    problems = []
    for weights in reading_networks():
        try:
            card = load_card(weights)
            stamp = weights.stat().st_mtime_ns if weights.is_file() else 0
            _checked(str(weights), stamp, card.version)
        except NetworkUnavailable as error:
            problems.append(str(error))
    if problems:
        _loading.clear()  # so that a mended file is seen without a restart
        st.error("The networks cannot be used.  \n" + "  \n".join(problems), icon=":material/error:")
        if not any(entry.accepted for entry in entries()):
            st.stop()


@st.cache_data(show_spinner=False)
def _checked(weights: str, stamp: int, version: str) -> None:
    """Hash a weights file once for each state of it; `stamp` and `version` are only its identity."""
    check_weights(load_card(Path(weights)))


def warm_up() -> None:
    """Begin to load the networks in the background; the page is already on its way to the browser."""
    _loading(str(models_folder()))


def readers() -> list[Reader]:
    """The networks, loaded once for the process. Shows what is missing and stops the page where one is."""
    loading = _loading(str(models_folder()))
    try:
        if loading.done():
            return loading.result()
        with st.spinner("Loading the networks ..."):
            return loading.result()
    except NetworkUnavailable as error:
        _loading.clear()  # so that a mended file is seen without a restart
        st.error(f"The networks cannot be used. {error}", icon=":material/error:")
        st.stop()


@st.cache_resource(show_spinner=False)
def _loading(models: str) -> Future[list[Reader]]:
    future: Future[list[Reader]] = Future()

    def load() -> None:
        try:
            paths = reading_networks(Path(models))
            for path in paths:
                load_card(path)  # a missing file is told before TensorFlow is imported
            from utils.readers import Reader

            loaded = [Reader.load(path) for path in paths]
            for reader in loaded:
                reader.read(synthetic_scan())  # the first pass builds the graph
            gc.collect()
            gc.freeze()  # Streamlit collects garbage after every rerun: a fifth of a second over TensorFlow's objects
            future.set_result(loaded)
        except NetworkUnavailable as error:
            future.set_exception(error)
        except Exception as error:  # a broken installation must not reach the browser as a traceback
            future.set_exception(NetworkUnavailable(f"They failed to load: {type(error).__name__}: {error}"))

    threading.Thread(target=load, daemon=True, name="load-networks").start()
    return future


def entries() -> list[Entry]:
    """The session's worklist, in the order of arrival."""
    threshold = referral_threshold()
    found = list(_store().values())
    return found if threshold is None else [worklist.referred(entry, threshold) for entry in found]


def referral_threshold() -> float | None:
    """The confidence below which a scan is referred to a person, where this session has one of its own."""
    return st.session_state.get("referral-threshold")


def referral_control() -> None:
    """Choose when the networks give no answer, with what that costs and buys on the test scans."""
    chosen = referral_threshold()
    with st.popover("When to refer", icon=":material/tune:"):
        own = st.toggle(
            "A threshold of my own",
            value=chosen is not None,
            help="Off: each network's own, from validation scans",
        )
        if own:
            percent = st.slider("No answer below", 50.0, 99.9, 100 * (chosen or 0.9), 0.1, format="%.1f %%")
            for evaluation in evaluations():
                if evaluation.protocol == "patient-disjoint" and evaluation.predictions is not None:
                    told = _referral_words(evaluation.predictions, percent / 100)
                    if told:
                        st.caption(f"{evaluation.title}: {told}")
        wanted = percent / 100 if own else None
    if wanted != chosen:
        st.session_state["referral-threshold"] = wanted
        st.rerun()


def _referral_words(predictions: pd.DataFrame, threshold: float) -> str:
    from utils.evaluations import referral_statement

    told = referral_statement(predictions, threshold)
    if told is None:
        return ""
    answered, accuracy = told
    return (
        f"of test scans of unseen patients it would answer {100 * answered:.0f} %, and be right on "
        f"{100 * accuracy:.1f} % of those."
    )


def in_order() -> list[Entry]:
    """The worklist as the reader wants it: sorted, and without the statuses that were not asked for."""
    ordered = worklist.by_need(entries()) if st.session_state.get("by-need", True) else entries()
    only = st.session_state.get("only") or worklist.STATUSES
    return [entry for entry in ordered if worklist.headline(entry).status in only] or ordered


def thumbnail(entry: Entry) -> str:
    """A scan as a small JPEG in a data address, for a table."""
    thumbnails = st.session_state.setdefault("thumbnails", {})
    key = (entry.key, entry.name)
    if key not in thumbnails:
        assert entry.scan is not None
        pixels = overlays.gray_picture(entry.scan.pixels)
        factor = THUMBNAIL / max(pixels.shape[:2])
        size = (max(round(pixels.shape[1] * factor), 1), max(round(pixels.shape[0] * factor), 1))
        small = cv2.imencode(".jpg", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))[1]
        thumbnails[key] = "data:image/jpeg;base64," + base64.b64encode(small.tobytes()).decode("ascii")
    return thumbnails[key]


def add_files(files: Sequence[tuple[str, bytes]]) -> None:
    """Read uploaded files (name, bytes) into the worklist; those that are there already are not read again."""
    opened = {entry.key: entry for entry in worklist.open_files(files)}
    add_entries([entry for key, entry in opened.items() if key not in _store()])


def add_example() -> None:
    """Put the synthetic scan on the worklist. It says that it is a drawing: the gate need not hide the answers."""
    scan = synthetic_scan()
    _shown_anyway().add("synthetic")
    add_entries([Entry("synthetic", scan.name, scan)])


def add_entries(new: Sequence[Entry]) -> None:
    """Have entries read by every network, in the background, and select the first; comes back when it was read.

    A volume is shown at its most suspicious slice.
    """
    if not new:
        return
    _background().add(new, readers(), _store())
    accepted = [entry.key for entry in new if entry.accepted]
    if accepted:
        with st.spinner("Reading ..."):
            _background().wait(accepted, FIRST_ANSWER)
        st.session_state["selected"] = accepted[0]


def show_slice(volume: Entry, position: int) -> None:
    """Bring another slice of a volume into view, on all pages."""
    _store()[volume.key] = worklist.in_view(_store()[volume.key], position)


def reading_progress() -> Progress | None:
    """How far the reading of this session's scans is; None where none waits."""
    return _background().progress()


def clear() -> None:
    """Empty the worklist."""
    _background().clear(_store())
    st.session_state.pop("thumbnails", None)
    _shown_anyway().clear()
    st.session_state.pop("selected", None)


def selected() -> Entry | None:
    """The entry that is looked at; the first where none was chosen."""
    found = {entry.key: entry for entry in entries()}
    return found.get(st.session_state.get("selected", ""), next(iter(found.values()), None))


def select(key: str) -> None:
    st.session_state["selected"] = key


def scan_picker(choices: Sequence[Entry]) -> Entry:
    """A picker with previous and next (also the arrow keys); the choice is shared by all pages."""
    keys = [entry.key for entry in choices]
    names = {entry.key: entry.name for entry in choices}
    current = selected()
    position = keys.index(current.key) if current and current.key in keys else 0
    if len(keys) == 1:
        return choices[0]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        back = st.button("Previous", icon=":material/chevron_left:", disabled=position == 0, shortcut="Left")
        chosen = st.selectbox(
            f"Scan {position + 1} of {len(keys)}",
            keys,
            index=position,
            format_func=names.__getitem__,
            width=360,
        )
        onward = st.button(
            "Next", icon=":material/chevron_right:", disabled=position == len(keys) - 1, shortcut="Right"
        )
    wanted = keys[position - 1] if back else keys[position + 1] if onward else chosen
    if wanted != keys[position]:
        select(wanted)
        st.rerun()
    return choices[position]


def answers_shown(entry: Entry) -> bool:
    """Whether the networks' answers may be seen: not where the gate refused the scan, unless that was wished."""
    return entry.grade != "refused" or entry.key in _shown_anyway()


def pass_gate(entry: Entry) -> bool:
    """Say what the gate found. Where it refused the scan: show the scan alone, and a way to see the answers."""
    assert entry.scan is not None
    shown = answers_shown(entry)
    if entry.grade == "refused":
        words = gate.REFUSED if not shown else gate.REFUSED_BUT_SHOWN
        st.warning(words, icon=":material/block:")
    elif entry.grade == "unusual":
        st.warning(gate.UNUSUAL, icon=":material/warning:")
    flags = {flag for reading in entry.readings for flag in reading.flags}
    notes = [gate.NOTES[flag] for flag in sorted(flags & gate.NOTES.keys())]
    for note in notes if shown else (*notes, *entry.scan.notes):
        st.info(note, icon=":material/info:")
    if not shown:
        if st.button("Show the answers anyway", icon=":material/visibility:", key=f"anyway-{entry.key}"):
            _shown_anyway().add(entry.key)
            st.rerun()
        picture(overlays.gray_picture(entry.scan.pixels), f"The scan {entry.name}")
    return shown


def need_scans() -> list[Entry]:
    """The accepted entries; without any, says where to get some and stops the page."""
    read = [entry for entry in entries() if entry.read]
    if not read:
        st.info("No scan is loaded yet. Drop scans on the Read page, or try the synthetic example.")
        if st.button("Try the synthetic example", icon=":material/draw:"):
            add_example()
            st.rerun()
        st.stop()
    return read


def class_picker(entry: Entry, key: str) -> str:
    """Which class's evidence is shown; begins with what the first network sees."""
    classes = entry.readings[0].classes
    return st.segmented_control(
        "Evidence for",
        classes,
        default=entry.readings[0].shown_class,
        format_func=CLASS_TITLES.__getitem__,
        key=f"{key}-{entry.key}",
        required=True,
        wrap=True,
    )


def draw(entry: Entry, reading: Reading, label: str, opacity: float, threshold: float = 0.0) -> np.ndarray:
    """(H, W, 3) uint8: the scan with one network's evidence for a class, on the scale common to all."""
    assert entry.scan is not None
    strength = reading.strength(label, evidence_scale())
    return overlays.overlay(entry.scan.pixels, strength, opacity, threshold)


def evidence(entry: Entry, key: str) -> None:
    """The scan and every network's evidence side by side, moving together; `key` tells the pages apart."""
    assert entry.scan is not None
    label = class_picker(entry, f"{key}-class")
    panes = [viewer.Pane(entry.name, "The scan as it is", f"The scan {entry.name}")]
    for reading in entry.readings:
        evidence_of = f"the Grad-CAM evidence of {reading.title} for {CLASS_TITLES[label]}"
        panes.append(
            viewer.Pane(
                f"{reading.title}: {CLASS_TITLES[reading.label]}, {percent_in_words(reading.confidence)}",
                trust(reading),
                f"The scan {entry.name} with {evidence_of}",
                reading.strength(label, evidence_scale()),
            )
        )
    viewer.scan_viewer(f"{entry.key} {entry.name}", entry.scan.pixels, panes, f"{key}-viewer")
    with st.container(width=360):
        evidence_legend()
    if label != "no_tumor" and all(reading.label == "no_tumor" for reading in entry.readings):
        st.caption(
            f"No tumour was named. The maps show what little speaks for {CLASS_TITLES[label]}, the likeliest one."
        )


def probabilities(entry: Entry) -> None:
    """The calibrated probabilities of every network."""
    from utils import charts  # plotly takes a second to import, and the first page shows no chart

    chart(
        charts.probability_bars({reading.title: reading.probabilities.tolist() for reading in entry.readings})
    )


def evidence_legend() -> None:
    """The colour scale of every map."""
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (10, 1))
    picture(
        overlays.overlay(np.full_like(ramp, 0.25), ramp, 1.0),
        "Colour scale from no evidence (the scan as it is) to strong evidence (yellow)",
        "no evidence → strong evidence; one scale for both networks and all classes",
    )


def in_markdown(name: str) -> str:
    """A file's name for Markdown, which would take parts of it for links, pictures or emphasis."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~$:&])", r"\\\1", name)


def picture(pixels: np.ndarray, alt: str, caption: str | None = None) -> None:
    """An (H, W) or (H, W, 3) uint8 picture without loss: a scan is not to be looked at through JPEG.

    It travels inside the session's own websocket. As an array it would be served at an address of its own, to
    whoever knows that.
    """
    address = viewer.address(overlays.png(overlays.fitted(pixels, viewer.WIDEST)))
    st.image(address, caption=caption, width="stretch", alt=alt)


def chart(figure: Figure, key: str | None = None, on_select: Callable[[], None] | None = None) -> None:
    """A plotly figure; its title, which states the finding, is also what a screen reader gets.

    `on_select` is called when a point was clicked; the points stand in the session state under `key`.
    """
    finding = figure.layout.title.text.replace("<br>", " ")
    st.plotly_chart(
        figure,
        width="stretch",
        alt=finding,
        config={"displayModeBar": False},
        key=key,
        on_select=on_select or "ignore",
        selection_mode="points",
    )


def trust(reading: Reading) -> str:
    """One sentence: how often this network was right on unseen patients when it spoke like this."""
    from utils.evaluations import evaluation_of, trust_sentence  # they bring pandas, a second to import

    measured = evaluation_of(evaluations(), reading.network, reading.version)
    return trust_sentence(measured, reading.label, reading.confidence)


def evaluations() -> list[Evaluation]:
    """How the networks did on test scans."""
    return _evaluations(str(models_folder()))


@st.cache_data(show_spinner=False, ttl=600)
def _evaluations(models: str) -> list:
    from utils.evaluations import load_evaluations

    return load_evaluations(Path(models) / "evaluation")


def _store() -> dict[str, Entry]:
    return st.session_state.setdefault("worklist", {})


def _background() -> BackgroundReading:
    return st.session_state.setdefault("background", BackgroundReading())


def _shown_anyway() -> set[str]:
    """Keys of the entries that the gate refused and whose answers are wished for all the same."""
    return st.session_state.setdefault("shown-anyway", set())
