"""Cases: reviews of this session, the case store, reports and exports."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from utils.app import review_panel, session
from utils.cases.reviews import NAME_LABEL, ReviewError
from utils.cases.spreadsheet import export_csv
from utils.cases.store import Case, CaseStoreError, default_path
from utils.reading.worklist import Entry
from utils.reports.session_csv import session_csv
from utils.wording import LABEL_TITLES, titles_of


def main() -> None:
    st.header("Reviewed cases")
    _session([entry for entry in session.entries() if entry.is_read])
    st.subheader("Case store")
    if not review_panel.store_can_be_offered():
        st.caption("No case store where a login is required: users would see each other's cases.")
        return
    _switch()
    store = review_panel.case_store()
    if store is None:
        return
    try:
        _stored(store.cases())
    except CaseStoreError as error:
        st.error(str(error), icon=":material/error:")


def _session(entries: list[Entry]) -> None:
    """The scans of this session by their neutral names."""
    if not entries:
        st.info("No scan loaded. Upload and review scans on the Read page.")
        return
    reviews = review_panel.reviews()
    rows = []
    for entry in entries:
        review = reviews.get(entry.key)
        rows.append(
            {
                "Scan": review_panel.neutral_name(entry),
                "File": entry.name,
                "Prediction": entry.answer if session.predictions_shown(entry) else "",
                "Review": review_panel.VERDICT_TITLES[review.verdict] if review else "",
                "Correct label": LABEL_TITLES[review.right_class] if review and review.right_class else "",
                "Comment": review.note if review else "",
            }
        )
    reviewed = sum(entry.key in reviews for entry in entries)
    st.markdown(f"**{reviewed} of {len(entries)}** scans of this session reviewed.")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        alt="One row per scan of this session: prediction and review",
    )
    scans = [review_panel.reported(entry) for entry in entries]
    table = session_csv(scans, datetime.now(UTC)).encode("utf-8-sig")
    with st.container(horizontal=True):
        review_panel.report_button(entries, "Report of all scans (PDF)", "report-session")
        st.download_button(
            "Report of all scans (CSV)",
            table,
            "report.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
        )


def _switch() -> None:
    on = review_panel.case_store() is not None
    switched_on = st.toggle(
        "Save reviews on this machine",
        value=on,
        help="Off: reviews are lost when the session ends",
    )
    st.markdown(
        f"{'Saved' if switched_on else 'Would be saved'} in `{default_path()}`: SHA-256 of the file, neutral name of "
        "the scan, predictions, review, comment and initials; earlier reviews of the same scan. No image, no file name."
    )
    if switched_on != on:
        try:
            review_panel.switch_store(switched_on)
            st.rerun()
        except (CaseStoreError, ReviewError) as error:
            st.error(str(error), icon=":material/error:")


def _stored(cases: list[Case]) -> None:
    """The stored cases; names can be edited in the table, deletion of all is confirmed."""
    store = review_panel.case_store()
    assert store is not None
    if not cases:
        st.info("The case store is empty. Reviews of the Read page are saved here.")
        return
    table = pd.DataFrame(
        {
            "Scan": case.name,
            "Prediction": titles_of(case.predicted),
            "Review": review_panel.VERDICT_TITLES[case.review.verdict],
            "Label": LABEL_TITLES[case.label] if case.label else "",
            "Comment": case.review.note,
            "Reviewer": case.review.reviewer,
            "Time (UTC)": case.review.time,
            "Earlier reviews": "; ".join(map(review_panel.in_words, case.earlier)),
            "Delete": False,
        }
        for case in cases
    )
    edited = st.data_editor(
        table,
        hide_index=True,
        disabled=[name for name in table if name not in ("Scan", "Delete")],
        column_config={"Scan": st.column_config.TextColumn(help=NAME_LABEL, required=True)},
        key=f"stored-{len(cases)}",
    )
    for case, name in zip(cases, edited["Scan"], strict=True):
        if name != case.name:
            try:
                review_panel.rename(case.sha256, str(name))
            except ReviewError as error:
                st.error(str(error), icon=":material/error:")
    marked = [case for case, delete in zip(cases, edited["Delete"], strict=True) if delete]
    with st.container(horizontal=True):
        st.download_button(
            "Export CSV",
            export_csv(cases),
            "cases.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        if marked and st.button(f"Delete {len(marked)} of {len(cases)}", icon=":material/delete:"):
            for case in marked:
                store.delete(case.sha256)
            st.rerun()
        with st.popover("Delete all", icon=":material/delete_forever:"):
            st.markdown(f"Deletes all {len(cases)} cases from the case store. This cannot be undone.")
            if st.button("Yes, delete all"):
                store.delete_all()
                st.rerun()


session.enter()
main()
