"""The session: who may enter, its worklist, which scan is in view, when it refers."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import streamlit as st

from utils.app import access, resources
from utils.reading import worklist
from utils.reading.background import BackgroundReading, Progress
from utils.reading.conclusion import Referral
from utils.reading.worklist import Entry
from utils.scans import rendering
from utils.scans.example import synthetic_scan

if TYPE_CHECKING:
    pass

FIRST_ANSWER = 60  # seconds that an upload waits for the first of its scans; the rest is read behind the page
THUMBNAIL = 64  # pixels


def enter() -> None:
    """Every page begins with this: by whatever way it was reached, it shows nothing to who should log in first."""
    access.need_login()


def need_networks() -> None:
    """Say which network file is missing or altered and what to do; without scans that were read, stop the page."""
    problems = resources.network_problems()
    if problems:
        st.error("The networks cannot be used.  \n" + "  \n".join(problems), icon=":material/error:")
        if not any(entry.is_accepted for entry in entries()):
            st.stop()


def entries() -> list[Entry]:
    """The session's worklist, in the order of arrival."""
    threshold = referral_threshold()
    found = list(_store().values())
    return (
        found
        if threshold is None
        else [worklist.with_referral_threshold(entry, threshold) for entry in found]
    )


def in_order() -> list[Entry]:
    """The worklist as the reader wants it: sorted, and without the statuses that were not asked for."""
    ordered = worklist.by_priority(entries()) if st.session_state.get("by-need", True) else entries()
    only = st.session_state.get("only") or worklist.STATUSES
    return [entry for entry in ordered if worklist.representative(entry).status in only] or ordered


def need_scans() -> list[Entry]:
    """The accepted entries; without any, says where to get some and stops the page."""
    read = [entry for entry in entries() if entry.is_read]
    if not read:
        st.info("No scan is loaded yet. Drop scans on the Read page, or try the synthetic example.")
        if st.button("Try the synthetic example", icon=":material/draw:"):
            add_example()
            st.rerun()
        st.stop()
    return read


def add_files(files: Sequence[tuple[str, bytes]]) -> None:
    """Read uploaded files (name, bytes) into the worklist; those that are there already are not read again."""
    opened = {entry.key: entry for entry in worklist.open_files(files)}
    add_entries([entry for key, entry in opened.items() if key not in _store()])


def add_example() -> None:
    """Put the synthetic scan on the worklist. It says that it is a drawing: the gate need not hide the answers."""
    scan = synthetic_scan()
    show_anyway("synthetic")
    add_entries([Entry("synthetic", scan.name, scan)])


def add_entries(new: Sequence[Entry]) -> None:
    """Have entries read by every network, in the background, and select the first; comes back when it was read.

    A volume is shown at its most suspicious slice.
    """
    if not new:
        return
    _background().add(new, resources.readers(), _store())
    accepted = [entry.key for entry in new if entry.is_accepted]
    if accepted:
        with st.spinner("Reading ..."):
            _background().wait(accepted, FIRST_ANSWER)
        st.session_state["selected"] = accepted[0]


def show_slice(volume: Entry, position: int) -> None:
    """Bring another slice of a volume into view, on all pages."""
    _store()[volume.key] = worklist.view_slice(_store()[volume.key], position)


def reading_progress() -> Progress | None:
    """How far the reading of this session's scans is; None where none waits."""
    return _background().progress()


def clear() -> None:
    """Empty the worklist."""
    _background().clear(_store())
    for name in ("thumbnails", "evidence-maps", "outlines"):
        st.session_state.pop(name, None)
    _shown_anyway().clear()
    st.session_state.pop("selected", None)


def selected() -> Entry | None:
    """The entry that is looked at; the first where none was chosen."""
    found = {entry.key: entry for entry in entries()}
    return found.get(st.session_state.get("selected", ""), next(iter(found.values()), None))


def select(key: str) -> None:
    st.session_state["selected"] = key


def answers_shown(entry: Entry) -> bool:
    """Whether the networks' answers may be seen: not where the gate refused the scan, unless that was wished."""
    return entry.grade != "refused" or entry.key in _shown_anyway()


def show_anyway(key: str) -> None:
    """Show the answers about an entry that the gate refused."""
    _shown_anyway().add(key)


def thumbnail(entry: Entry) -> str:
    """A scan as a small JPEG in a data address, for a table."""
    thumbnails = st.session_state.setdefault("thumbnails", {})
    key = (entry.key, entry.name)
    if key not in thumbnails:
        assert entry.scan is not None
        pixels = rendering.gray_image(entry.scan.pixels)
        factor = THUMBNAIL / max(pixels.shape[:2])
        size = (max(round(pixels.shape[1] * factor), 1), max(round(pixels.shape[0] * factor), 1))
        small = cv2.imencode(".jpg", cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))[1]
        thumbnails[key] = "data:image/jpeg;base64," + base64.b64encode(small.tobytes()).decode("ascii")
    return thumbnails[key]


def own_threshold() -> float | None:
    """The confidence below which this session wants no answer; None where it has no wish of its own."""
    return st.session_state.get("referral-threshold")


def referral_threshold() -> float | None:
    """The networks' mean confidence below which there is no answer; None where each network's card decides."""
    own = own_threshold()
    return resources.ensemble_threshold() if own is None else own


def referral() -> Referral:
    """The rule by which this session refers scans to a person."""
    return Referral(referral_threshold(), resources.ensemble_accuracy(), own_threshold() is not None)


def referral_control() -> None:
    """Choose when the networks give no answer, with what that costs and buys on the test scans."""
    chosen, fitted = own_threshold(), resources.ensemble_threshold()
    with st.popover("When to refer", icon=":material/tune:"):
        own = st.toggle(
            "A threshold of my own",
            value=chosen is not None,
            help="Off: the one that was fitted on validation scans",
        )
        percent = 100 * (chosen or fitted or 0.9)
        if own:
            percent = st.slider("No answer below", 50.0, 99.9, percent, 0.1, format="%.1f %%")
        elif fitted:
            st.markdown(f"No answer below {percent:.1f} %")
        told = _referral_words(percent / 100) if own or fitted else ""
        if told:
            st.caption(told)
        wanted = percent / 100 if own else None
    if wanted != chosen:
        st.session_state["referral-threshold"] = wanted
        st.rerun()


def _referral_words(threshold: float) -> str:
    from utils.results.track_record import referral_statement

    measured = resources.together()
    if measured is None or measured.predictions is None:
        return ""
    told = referral_statement(measured.predictions, threshold)
    if told is None:
        return "No test scan of an unseen patient would be answered."
    answered, accuracy = told
    return (
        f"Of test scans of unseen patients {100 * answered:.0f} % would be answered, and the answer would be right on "
        f"{100 * accuracy:.1f} % of those."
    )


def _store() -> dict[str, Entry]:
    return st.session_state.setdefault("worklist", {})


def _background() -> BackgroundReading:
    return st.session_state.setdefault("background", BackgroundReading())


def _shown_anyway() -> set[str]:
    """Keys of the entries that the gate refused and whose answers are wished for all the same."""
    return st.session_state.setdefault("shown-anyway", set())
