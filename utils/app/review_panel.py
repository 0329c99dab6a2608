"""Review of a scan: buttons, correct label and comment; the session's reviews, the case store and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from utils.app import access, referral, resources, session, shortcuts
from utils.cases.reviews import (
    LONGEST_NOTE,
    LONGEST_REVIEWER,
    NOTE_LABEL,
    Review,
    ReviewError,
    fitted,
    now,
    right_classes_for,
    verdicts_for,
)
from utils.cases.store import Case, CaseStore, CaseStoreError, answers_of, default_path
from utils.networks.shipped import evidence_scale
from utils.reading.study import study_of
from utils.reading.study_conclusion import study_sentences
from utils.reading.worklist import Entry, representative
from utils.wording import LABEL_TITLES, sentence_case

if TYPE_CHECKING:
    from utils.reports.reported import ReportedScan

VERDICT_TITLES = {"agree": "Agree", "disagree": "Disagree", "unsure": "Unsure"}
_SHORTCUTS = {"agree": "a", "disagree": "d", "unsure": "u"}
_CHOSEN = ":material/radio_button_checked:"


def reviews() -> dict[str, Review]:
    """The session's reviews by the key of their entry."""
    return st.session_state.setdefault("reviews", {})


def neutral_name(entry: Entry) -> str:
    """ "Scan 1", "Scan 2", ... in order of arrival, until the user gives another."""
    return session.names().of(entry.sha256)


def rename(entry_sha256: str, name: str) -> None:
    """Raises ReviewError where the name is invalid, CaseStoreError where the store cannot be written."""
    session.names().rename(entry_sha256, name)
    if (store := case_store()) is not None:
        store.rename(entry_sha256, name)


def case_store() -> CaseStore | None:
    """The case store; None unless the user has switched it on in this session."""
    return st.session_state.get("case-store")


def switch_store(on: bool) -> None:
    """Open or create the case store, save the session's reviews in it and show those it has; off: stop using it.

    Raises CaseStoreError.
    """
    if not on:
        for name in ("case-store", "known-to-store", "stored-cases"):
            st.session_state.pop(name, None)
        return
    store = CaseStore.open(default_path(), create=True)
    session.names().learn({case.sha256: case.name for case in store.cases()})
    st.session_state["case-store"] = store
    show_stored()
    for entry in session.entries():
        if entry.key in reviews() and entry.key not in _stored_cases():
            _store(entry)


def show_stored() -> None:
    """Take the stored review of each scan that the session has not reviewed, so that it is seen before it is replaced.

    Raises CaseStoreError.
    """
    store, known = case_store(), st.session_state.setdefault("known-to-store", set())
    new = [entry for entry in session.entries() if entry.is_read and entry.key not in known]
    if store is None or not new:
        return
    cases = {case.sha256: case for case in store.cases()}
    for entry in new:
        known.add(entry.key)
        case = cases.get(entry.sha256)
        if case is not None and entry.key not in reviews():
            predicted = [reading.label for reading in entry.readings]
            reviews()[entry.key] = fitted(case.review, case.predicted, predicted)
            _stored_cases()[entry.key] = case


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
        referral.rule(),
        study_sentences(study_of(entry, session.entries()), entry, resources.study_fusion())
        if entry.slices
        else (),
        entry.acquisition,
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


def _stored_cases() -> dict[str, Case]:
    """The cases that `show_stored` took reviews from, by the key of their entry."""
    return st.session_state.setdefault("stored-cases", {})


def review_panel(entry: Entry) -> None:
    """Agree, disagree or unsure about the models' label, with the correct label, a comment and initials."""
    predicted = [reading.label for reading in entry.readings]
    current = reviews().get(entry.key)
    verdict = current.verdict if current else None
    with st.container(horizontal=True, gap="xsmall"):
        for choice in verdicts_for(predicted):
            shortcuts.button(
                VERDICT_TITLES[choice],
                _SHORTCUTS[choice],
                "Review",
                icon=_CHOSEN if verdict == choice else None,
                key=f"{choice}-{entry.key}",
                on_click=_save,
                args=(entry, {"verdict": choice, "right_class": None}),
            )
    if current is None:
        return
    if verdict == "disagree":
        _correct_label(entry, current, right_classes_for(predicted))
    _text(entry, NOTE_LABEL, "note", LONGEST_NOTE)
    _text(entry, "Initials of the reviewer (optional)", "reviewer", LONGEST_REVIEWER)
    _saved(entry, current)


def _correct_label(entry: Entry, current: Review, labels: Sequence[str]) -> None:
    """The labels as buttons, each with a number key."""
    st.caption("Correct label (optional)")
    with st.container(horizontal=True, gap="xsmall"):
        for number, label in enumerate(labels, start=1):
            shortcuts.button(
                sentence_case(LABEL_TITLES[label]),
                str(number),
                "Correct label",
                icon=_CHOSEN if current.right_class == label else None,
                key=f"{label}-{entry.key}",
                on_click=_save,
                args=(entry, {"verdict": "disagree", "right_class": label}),
            )


def _text(entry: Entry, label: str, name: str, longest: int) -> None:
    """A field of the review; the initials stay for the next scan."""
    key = f"{name}-{entry.key}"
    st.text_input(
        label,
        value=getattr(reviews()[entry.key], name),
        max_chars=longest,
        key=key,
        on_change=lambda: _save(entry, {name: st.session_state[key]}),
    )


def _saved(entry: Entry, current: Review) -> None:
    """Where the review is, when it was made, and those before it."""
    problem = st.session_state.pop("review-problem", None)
    if problem:
        st.error(problem, icon=":material/error:")
    case = _stored_cases().get(entry.key)
    if case is not None and case.review.time == current.time:
        st.caption(f"Reviewed as {case.name} on {case.review.time[:10]}; from the case store.")
    else:
        place = "in this session and in the case store" if case_store() else "in this session only"
        st.caption(f"Reviewed as {neutral_name(entry)}; saved {place}.")
    if case is not None:
        for review in case.earlier:
            st.caption(f"Earlier review: {in_words(review)}.")


def in_words(review: Review) -> str:
    """ "2026-01-02: disagree, meningioma, small lesion"."""
    label = LABEL_TITLES[review.right_class] if review.right_class else ""
    details = ", ".join(filter(None, (review.verdict, label, review.note, review.reviewer)))
    return f"{review.time[:10]}: {details}"


def _save(entry: Entry, changes: dict[str, Any]) -> None:
    """Save the review with changes; what they do not name stays."""
    before = reviews().get(entry.key)
    if "reviewer" in changes:
        st.session_state["reviewer"] = changes["reviewer"]
    if before is None:
        before = Review("unsure", reviewer=st.session_state.get("reviewer", ""))
    elif changes.get("verdict") == before.verdict == "disagree" and changes["right_class"] is None:
        return  # pressed again: the correct label stays
    reviews()[entry.key] = replace(before, time=now(), **changes)
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
