"""The session: login, worklist, scan in view."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING

import cv2
import streamlit as st

from utils.app import access, referral, resources, site
from utils.cases.reviews import NeutralNames
from utils.reading import worklist
from utils.reading.background import BackgroundReading, Progress
from utils.reading.worklist import Entry
from utils.scans import rendering

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from utils.records.acceptance import AnswerRule

FIRST_READING = 60  # seconds that an upload waits for its first scan; the rest is read in the background
THUMBNAIL = 64  # pixels
_CLEARED = ("worklist", "shown-anyway", "selected")  # what `clear` empties and `undo_clear` brings back


def enter() -> None:
    """Every page starts with this: it shows nothing without a login where one is required."""
    access.need_login()
    site.show_problem()


def need_networks() -> None:
    """Name missing or altered files of the models and the remedy; stop the page where no scan can be read."""
    if problem := resources.ensemble_problem():
        st.error(
            f"There is no ensemble: {problem} Each model answers alone; restore the file, or run `python model.py "
            "calibrate --data DIR`.",
            icon=":material/error:",
        )
    problems = resources.network_problems()
    if problems:
        st.error("The models cannot be used.  \n" + "  \n".join(problems), icon=":material/error:")
        if not any(entry.is_accepted for entry in entries()):
            st.stop()


def entries() -> list[Entry]:
    """The session's worklist, in the order of arrival; an entry that did not change is the same object again."""
    rules = (referral.thresholds(), site.rule())
    former_rules, former = st.session_state.get("answers", (None, {}))
    if former_rules != rules:
        former = {}
    answers = {}
    for entry in as_evaluated():
        before = former.get(entry.key)
        answers[entry.key] = before if before and before[0] is entry else (entry, _answered(entry, *rules))
    st.session_state["answers"] = (rules, answers)
    return [entry for _, entry in answers.values()]


def _answered(entry: Entry, thresholds: Mapping[str, float] | None, rule: AnswerRule | None) -> Entry:
    """The entry with the answer that the session's rules give it."""
    if rule is not None:
        entry = worklist.with_site_rule(entry, rule)
    return entry if thresholds is None else worklist.with_referral_thresholds(entry, thresholds)


def as_evaluated() -> list[Entry]:
    """The session's worklist without site profile and referral thresholds."""
    return list(_store().values())


def in_order() -> list[Entry]:
    """The worklist as displayed: sorted, and filtered by status."""
    ordered = worklist.by_priority(entries()) if st.session_state.get("by-need", True) else entries()
    only = st.session_state.get("only") or worklist.STATUSES
    return [entry for entry in ordered if worklist.representative(entry).status in only] or ordered


def need_scans() -> list[Entry]:
    """The entries that were read; without any, shows how to add scans and stops the page."""
    read = [entry for entry in entries() if entry.is_read]
    if not read:
        st.info("No scan loaded. Upload scans on the Read page, or try the synthetic example.")
        if st.button("Try the synthetic example", icon=":material/draw:"):
            add_example()
            st.rerun()
        st.stop()
    return read


def add_files(files: Sequence[tuple[str, bytes]]) -> None:
    """Read uploaded files (name, bytes) into the worklist; files already there are not read again."""
    opened = {entry.key: entry for entry in worklist.open_files(files)}
    if keeps_headers():
        from utils.reports.dicom.series import hashes_of
        from utils.reports.dicom.sources import sources_of

        headers().update(sources_of(files, hashes_of([*opened.values()])))
    add_entries([entry for key, entry in opened.items() if key not in _store()])


def names() -> NeutralNames:
    """The neutral names of the session's scans; `add_entries` gives them in the order of arrival."""
    return st.session_state.setdefault("names", NeutralNames())


def keeps_headers() -> bool:
    """Whether the user wants DICOM results: what they need of the headers of uploaded files stays in the session."""
    return st.session_state.get("keeps-headers", False)


def keep_headers(on: bool) -> None:
    """Keep headers from now on, or forget them."""
    st.session_state["keeps-headers"] = on
    headers().clear()


def headers() -> dict[str, Dataset]:
    """The headers that the session keeps, by the SHA-256 of their files."""
    return st.session_state.setdefault("headers", {})


def add_example() -> None:
    """Add the synthetic example to the worklist; it is labelled as such, so its predictions are always shown."""
    entry = resources.example()
    show_anyway(entry.key)
    add_entries([entry])


def add_entries(new: Sequence[Entry]) -> None:
    """Read entries with every network in the background, select the first, and return when that one was read.

    A volume is shown at its most suspicious slice.
    """
    if not new:
        return
    forget_cleared()
    for entry in new:
        if entry.is_accepted:
            names().of(entry.sha256)
    _background().add(new, resources.readers(), _store(), resources.joint_reader())
    accepted = [entry.key for entry in new if entry.is_accepted]
    if accepted:
        with st.spinner("Analysing ..."):
            _background().wait(accepted, FIRST_READING)
        st.session_state["selected"] = accepted[0]


def show_slice(key: str, position: int) -> None:
    """Bring another slice of a volume into view, on all pages; key: of the volume's entry. Others change nothing."""
    if key in _store():
        _store()[key] = worklist.view_slice(_store()[key], position)


def move_to(key: str, position: int, jump: int) -> None:
    """`show_slice` for a viewer that has followed all jumps; one that has not will do so."""
    if jump == jumps():
        show_slice(key, position)


def jump_to(key: str, position: int) -> None:
    """`show_slice` for a slice that was chosen outside the viewer, which then follows."""
    show_slice(key, position)
    st.session_state["jumps"] = jumps() + 1


def jumps() -> int:
    """How often a slice was chosen outside the viewer."""
    return st.session_state.get("jumps", 0)


def reading_progress() -> Progress | None:
    """The progress of reading this session's scans; None where none waits."""
    return _background().progress()


def clear() -> None:
    """Empty the worklist; `undo_clear` brings it back until scans are added."""
    kept = {name: copy(st.session_state[name]) for name in _CLEARED if name in st.session_state}
    st.session_state["cleared"] = kept
    _background().clear(_store())
    for name in (
        "thumbnails",
        "evidence-maps",
        "reformats",
        "stack-views",
        "views",
        "tumour-volumes",
        "answers",
    ):
        st.session_state.pop(name, None)
    _shown_anyway().clear()
    headers().clear()
    st.session_state.pop("selected", None)


def cleared() -> dict[str, Entry]:
    """The worklist that `clear` emptied; empty where there is none."""
    return st.session_state.get("cleared", {}).get("worklist", {})


def undo_clear() -> None:
    """Put the cleared worklist back; what was not read yet is read now."""
    kept = st.session_state.pop("cleared")
    _store().update(kept.pop("worklist"))
    st.session_state.update(kept)
    waiting = [entry for entry in _store().values() if entry.is_accepted and not entry.is_read]
    if waiting:
        _background().add(waiting, resources.readers(), _store(), resources.joint_reader())


def forget_cleared() -> None:
    st.session_state.pop("cleared", None)


def selected() -> Entry | None:
    """The entry in view; the first where none is selected."""
    by_key = {entry.key: entry for entry in entries()}
    return by_key.get(st.session_state.get("selected", ""), next(iter(by_key.values()), None))


def select(key: str) -> None:
    st.session_state["selected"] = key


def predictions_shown(entry: Entry) -> bool:
    """Whether predictions are shown: not of a scan that looks like no brain MRI, unless the user asked for them."""
    return entry.grade != "refused" or entry.key in _shown_anyway()


def show_anyway(key: str) -> None:
    """Show the predictions of an entry that looks like no brain MRI."""
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


def _store() -> dict[str, Entry]:
    return st.session_state.setdefault("worklist", {})


def _background() -> BackgroundReading:
    return st.session_state.setdefault("background", BackgroundReading())


def _shown_anyway() -> set[str]:
    """Keys of the entries that look like no brain MRI and whose predictions the user asked for."""
    return st.session_state.setdefault("shown-anyway", set())
