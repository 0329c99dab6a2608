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

from utils import access, gate, overlays, worklist
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
    from plotly.graph_objects import Figure

    from utils.readers import Reader, Reading

WIDEST_PICTURE = (
    1460  # pixels: twice the widest column, for dense screens; st.image has the same limit for arrays
)


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
    return list(_store().values())


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
    """Read entries with every network, a few at a time, and select the first that was accepted.

    A volume is shown at its most suspicious slice.
    """
    if not new:
        return
    networks = readers()
    pieces = [piece for entry in new for piece in entry.slices or (entry,)]
    wanted = {entry.key: len(entry.slices) or 1 for entry in new}
    read: dict[str, list[Entry]] = {entry.key: [] for entry in new}
    bar = st.progress(0.0, text=_progress(0, len(pieces)))
    for start in range(0, len(pieces), worklist.READ_AT_ONCE):
        for piece in _read_safely(pieces[start : start + worklist.READ_AT_ONCE], networks):
            read[piece.key].append(piece)
            if len(read[piece.key]) == wanted[piece.key]:
                _store()[piece.key] = worklist.joined(read[piece.key])
        done = min(start + worklist.READ_AT_ONCE, len(pieces))
        bar.progress(done / len(pieces), text=_progress(done, len(pieces)))
    bar.empty()
    shown = [entry.key for entry in new if _store()[entry.key].accepted]
    if shown:
        st.session_state["selected"] = shown[0]


def show_slice(volume: Entry, position: int) -> None:
    """Bring another slice of a volume into view, on all pages."""
    _store()[volume.key] = worklist.in_view(volume, position)


def clear() -> None:
    """Empty the worklist."""
    _store().clear()
    _shown_anyway().clear()
    st.session_state.pop("selected", None)


def selected() -> Entry | None:
    """The entry that is looked at; the first where none was chosen."""
    store = _store()
    return store.get(st.session_state.get("selected", ""), next(iter(store.values()), None))


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
    accepted = [entry for entry in entries() if entry.accepted]
    if not accepted:
        st.info("No scan is loaded yet. Drop scans on the Read page, or try the synthetic example.")
        if st.button("Try the synthetic example", icon=":material/draw:"):
            add_example()
            st.rerun()
        st.stop()
    return accepted


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
    """The scan and every network's evidence side by side, with the controls; `key` tells the pages apart."""
    assert entry.scan is not None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        label = class_picker(entry, f"{key}-class")
        opacity = st.slider("Opacity", 0.0, 1.0, 0.8, 0.05, key=f"{key}-opacity", width=200)
        shown = st.toggle(
            "Show evidence", value=True, key=f"{key}-shown", help="Off: the plain scan everywhere"
        )
    plain = overlays.gray_picture(entry.scan.pixels)
    columns = st.columns(1 + len(entry.readings))
    with columns[0]:
        st.markdown(f"**{in_markdown(entry.name)}**")
        picture(plain, f"The scan {entry.name}")
        if shown:
            evidence_legend()
    for column, reading in zip(columns[1:], entry.readings, strict=True):
        with column:
            st.markdown(
                f"**{reading.title}: {CLASS_TITLES[reading.label]}**, {percent_in_words(reading.confidence)}"
            )
            if shown:
                evidence_of = f"the Grad-CAM evidence of {reading.title} for {CLASS_TITLES[label]}"
                picture(draw(entry, reading, label, opacity), f"The scan {entry.name} with {evidence_of}")
            else:
                picture(plain, f"The scan {entry.name}")
            st.caption(trust(reading))
    if shown and label != "no_tumor" and all(reading.label == "no_tumor" for reading in entry.readings):
        st.caption(
            f"No tumour was named. The maps show what little speaks for {CLASS_TITLES[label]}, the likeliest one."
        )


def probabilities(entry: Entry) -> None:
    """The calibrated probabilities of every network."""
    from utils import scan_charts  # plotly takes a second to import, and the first page shows no chart

    chart(
        scan_charts.probability_bars(
            {reading.title: reading.probabilities.tolist() for reading in entry.readings}
        )
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
    excess = pixels.shape[1] / WIDEST_PICTURE
    if excess > 1:
        size = (WIDEST_PICTURE, round(pixels.shape[0] / excess))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    data = base64.b64encode(overlays.png(pixels)).decode("ascii")
    st.image(f"data:image/png;base64,{data}", caption=caption, width="stretch", alt=alt)


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
    from utils.evaluations import trust_bin, trust_statement

    low, high = trust_bin(reading.confidence)
    how = f"{100 * low:.0f} to {100 * high:.0f} %" if low and high < 1 else f"{100 * low:.0f} % or more"
    said = f"{CLASS_TITLES[reading.label]} with {how if low else f'less than {100 * high:.0f} %'}"
    for evaluation in _evaluations(str(models_folder())):
        fits = evaluation.model == reading.network and evaluation.protocol == "patient-disjoint"
        if fits and evaluation.predictions is not None:
            counted = trust_statement(evaluation.predictions, reading.label, reading.confidence)
            if counted:
                right, of = counted
                return f"On scans of unseen patients it said {said} {of} times and was right {right} times."
            return f"On scans of unseen patients it hardly ever said {said}: no track record."
    return "Not yet measured on unseen patients."


@st.cache_data(show_spinner=False, ttl=600)
def _evaluations(models: str) -> list:
    from utils.evaluations import load_evaluations

    return load_evaluations(Path(models) / "evaluation")


def _store() -> dict[str, Entry]:
    return st.session_state.setdefault("worklist", {})


def _shown_anyway() -> set[str]:
    """Keys of the entries that the gate refused and whose answers are wished for all the same."""
    return st.session_state.setdefault("shown-anyway", set())


def _progress(done: int, total: int) -> str:
    return f"Reading scan {min(done + 1, total)} of {total} ..."


def _read_safely(chunk: Sequence[Entry], networks: list[Reader]) -> list[Entry]:
    """One scan that breaks a network must not cost the others their readings."""
    try:
        return worklist.read_entries(chunk, networks)
    except Exception:
        if len(chunk) > 1:
            return [entry for single in chunk for entry in _read_safely([single], networks)]
        reason = "The networks failed on this picture; export it again, or leave it out."
        return [Entry(chunk[0].key, chunk[0].name, None, reason=reason)]
