"""Review of a scan: buttons, correct label and comment; the session's reviews, the case store and reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from utils.app import access, session
from utils.cases.reviews import (
    LONGEST_NOTE,
    NOTE_LABEL,
    NeutralNames,
    Review,
    ReviewError,
    right_classes_for,
    verdicts_for,
)
from utils.cases.store import CaseStore, CaseStoreError, answers_of, default_path
from utils.networks.shipped import evidence_scale
from utils.reading.worklist import Entry, representative
from utils.wording import CLASS_TITLES

if TYPE_CHECKING:
    from utils.reports.reported import ReportedScan

VERDICT_TITLES = {"agree": "Agree", "disagree": "Disagree", "unsure": "Unsure"}
_SHORTCUTS = {"agree": "a", "disagree": "d", "unsure": "u"}
_CHOSEN = ":material/radio_button_checked:"
_ICONS = {"agree": ":material/check:", "disagree": ":material/close:", "unsure": ":material/question_mark:"}


def reviews() -> dict[str, Review]:
    """The session's reviews by the key of their entry."""
    return st.session_state.setdefault("reviews", {})


def neutral_name(entry: Entry) -> str:
    """ "Scan 1", "Scan 2", ... in order of arrival, until the user gives another."""
    return _names().of(entry.sha256)


def rename(entry_sha256: str, name: str) -> None:
    """Raises ReviewError where the name is invalid, CaseStoreError where the store cannot be written."""
    _names().rename(entry_sha256, name)
    if (store := case_store()) is not None:
        store.rename(entry_sha256, name)


def case_store() -> CaseStore | None:
    """The case store; None unless the user has switched it on in this session."""
    return st.session_state.get("case-store")


def switch_store(on: bool) -> None:
    """Open or create the case store and save the session's reviews in it; off: stop using it.

    Raises CaseStoreError.
    """
    if not on:
        st.session_state.pop("case-store", None)
        return
    store = CaseStore.open(default_path(), create=True)
    _names().learn({case.sha256: case.name for case in store.cases()})
    st.session_state["case-store"] = store
    for entry in session.entries():
        if entry.key in reviews():
            _store(entry)


def store_can_be_offered() -> bool:
    """Not where a login is required: the store is one file, and users would see each other's cases."""
    return not access.login_required()


def reported(entry: Entry) -> ReportedScan:
    """The scan for a report: by its neutral name, with the saliency maps as the pages draw them."""
    from utils.reports.reported import ReportedScan, Settings

    return ReportedScan(
        neutral_name(entry),
        representative(entry),
        Settings(evidence_scale()),
        reviews().get(entry.key),
        session.predictions_shown(entry),
        session.referral(),
    )


def report_button(entries: Sequence[Entry], title: str, key: str) -> None:
    """A button that creates and downloads a PDF report of these scans."""

    def create() -> bytes:
        from utils.reports.pdf import report_pdf
        from utils.reports.reported import reported_networks

        return report_pdf(scans, reported_networks(), datetime.now(UTC))

    # now: the session is not available when the file is created
    scans = [reported(entry) for entry in entries]
    st.download_button(
        title,
        create,
        "report.pdf",
        "application/pdf",
        icon=":material/picture_as_pdf:",
        key=key,
        on_click="ignore",
    )


def review_panel(entry: Entry) -> None:
    """Agree, disagree or unsure about the models' label, with the correct label and a comment."""
    predicted = [reading.label for reading in entry.readings]
    current = reviews().get(entry.key)
    chosen = st.session_state.get(_choice(entry)) or (current.verdict if current else None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for verdict in verdicts_for(predicted):
            st.button(
                VERDICT_TITLES[verdict],
                icon=_CHOSEN if chosen == verdict else _ICONS[verdict],
                shortcut=_SHORTCUTS[verdict],
                key=f"{verdict}-{entry.key}",
                on_click=_choose,
                args=(entry, verdict),
            )
        if chosen == "disagree":
            st.segmented_control(
                "Correct label",
                right_classes_for(predicted),
                default=current.right_class if current else None,
                format_func=CLASS_TITLES.__getitem__,
                key=f"right-{entry.key}",
                on_change=_keep,
                args=(entry,),
            )
        if chosen:
            st.text_input(
                NOTE_LABEL,
                value=current.note if current else "",
                max_chars=LONGEST_NOTE,
                key=f"note-{entry.key}",
                on_change=_keep,
                args=(entry,),
            )
    if chosen == "disagree" and current is None:
        st.caption("Select the correct label to save the review.")
    elif current:
        place = "in this session and in the case store" if case_store() else "in this session only"
        st.caption(f"Reviewed as {neutral_name(entry)}; saved {place}.")
    problem = st.session_state.pop("review-problem", None)
    if problem:
        st.error(problem, icon=":material/error:")


def _choose(entry: Entry, verdict: str) -> None:
    st.session_state[_choice(entry)] = verdict
    _keep(entry)


def _keep(entry: Entry) -> None:
    """Save the review as entered; an incomplete one removes the earlier review of the session."""
    verdict = st.session_state.get(_choice(entry)) or reviews()[entry.key].verdict
    label = st.session_state.get(f"right-{entry.key}") if verdict == "disagree" else None
    note = st.session_state.get(f"note-{entry.key}", "")
    if verdict == "disagree" and label is None:
        reviews().pop(entry.key, None)
        return
    reviews()[entry.key] = Review(verdict, label, note)
    try:
        _store(entry)
    except (CaseStoreError, ReviewError) as error:
        st.session_state["review-problem"] = (
            f"The review is saved in this session, but not in the case store. {error}"
        )


def _store(entry: Entry) -> None:
    store = case_store()
    if store is not None and entry.sha256:
        store.save(entry.sha256, neutral_name(entry), reviews()[entry.key], answers_of(entry.readings))


def _choice(entry: Entry) -> str:
    return f"verdict-{entry.key}"


def _names() -> NeutralNames:
    return st.session_state.setdefault("names", NeutralNames())
