"""Read: upload scans; predictions, confidence and saliency maps; review."""

from collections import Counter

import streamlit as st

from utils.app import dicom_panel, evidence_panels, panels, review_panel, session
from utils.cases.store import CaseStoreError
from utils.reading.conclusion import conclude, ensemble_probability, reading_in_words
from utils.reading.worklist import NOT_ANALYSED, STATUS_TITLES, STATUSES, Entry, representative
from utils.wording import counted

REFRESH = 1.0  # seconds between two updates while scans are read


def main() -> None:
    try:
        review_panel.show_stored()
    except CaseStoreError as error:
        st.error(str(error), icon=":material/error:")
    if not session.entries():
        _welcome()
        return
    side, middle = st.columns([1, 3], gap="large")
    with side:
        _uploader("Add scans")
    with middle:
        busy = session.reading_progress() is not None
        st.fragment(_worklist, run_every=REFRESH if busy else None)(busy)
    _order()
    entries = session.in_order()
    _rejected([entry for entry in entries if not entry.is_accepted])
    read = [entry for entry in entries if entry.is_read]
    if read:
        entry = panels.scan_picker(read)
        if panels.shows_predictions(entry):
            _conclusion(entry)
            evidence_panels.evidence(entry, "read")
            review_panel.review_panel(entry)
            with st.container(horizontal=True):
                review_panel.report_button([entry], "Report of this scan (PDF)", "report-scan")
                dicom_panel.download(entry, "read")
            panels.probabilities(entry)
            panels.subtype_panel(entry)


def _rejected(entries: list[Entry]) -> None:
    """Which files were not read and why; many are folded away, so that the scans stay in sight."""
    if len(entries) > 2:
        with st.expander(f"{len(entries)} files: {NOT_ANALYSED.lower()}", icon=":material/block:"):
            st.markdown(
                "\n".join(f"- **{panels.in_markdown(entry.name)}**: {entry.reason}" for entry in entries)
            )
        return
    for entry in entries:
        st.warning(
            f"**{panels.in_markdown(entry.name)}**: {NOT_ANALYSED}. {entry.reason}", icon=":material/block:"
        )


def _welcome() -> None:
    st.header("Upload brain MRI for analysis (research use)")
    _uploader("Scans (JPEG, PNG, TIFF, DICOM, NIfTI, or a ZIP of them)")
    if st.button("Try the synthetic example", icon=":material/draw:"):
        session.add_example()
        st.rerun()
    st.caption(
        "Scans stay in the memory of this session on this machine and are never written to disk. Output classes: "
        "glioma, meningioma, pituitary tumour, no tumour. Out-of-distribution images are flagged."
    )


def _uploader(label: str) -> None:
    round_key = st.session_state.setdefault("upload-round", 0)
    files = st.file_uploader(
        label,
        type=None,  # DICOM files often have no suffix; other files are rejected by their content
        accept_multiple_files=True,
        key=f"upload-{round_key}",
    )
    dicom_panel.choice()
    if files:
        session.add_files([(file.name, file.getvalue()) for file in files])
        st.session_state["upload-round"] += 1  # empties the drop zone; the worklist keeps the files
        st.rerun()


def _order() -> None:
    """Sorting, filter and referral threshold of the worklist, and a button that clears it."""
    counts = Counter(representative(entry).status for entry in session.entries())
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"**{counted(counts.total(), 'file')}**", width="content")
        st.toggle("Prioritise for review", value=True, key="by-need", help="Off: in the order of upload")
        present = [status for status in STATUSES if counts[status]]
        if len(present) > 1:
            st.pills(
                "Show only",
                present,
                selection_mode="multi",
                key="only",
                format_func=lambda status: f"{counts[status]} {STATUS_TITLES[status]}",
                label_visibility="collapsed",
            )
        session.referral_control()
        if st.button("Clear worklist", icon=":material/delete:"):
            session.clear()
            st.rerun()


def _worklist(busy: bool) -> None:
    """One row per scan; a click brings it into view. Updates itself while scans are read."""
    import pandas as pd  # a second to import, and the first page has no table

    progress = session.reading_progress()
    if progress is not None:
        left = (
            "" if progress.seconds_left is None else f", about {_duration(progress.seconds_left)} remaining"
        )
        st.progress(progress.done / progress.total, f"{progress.done} of {progress.total} analysed{left}")
    elif busy:
        st.rerun()  # all scans are read: redraw the page and stop the updates
    entries = session.in_order()
    table = pd.DataFrame([_row(entry) for entry in entries]).fillna("")  # rejected files have no predictions
    event = st.dataframe(
        table,
        hide_index=True,
        height=36 * min(len(table) + 1, 5) + 2,
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "": st.column_config.ImageColumn(width=40),
            **{name: st.column_config.TextColumn(width=130) for name in ("Status", "Review")},
            **{
                name: st.column_config.TextColumn(width=170)
                for name in table
                if name not in ("", "Status", "Review")
            },
        },
        key=f"worklist-{len(entries)}",
        alt="Worklist: one row per scan, with the prediction of each model and the status",
    )
    chosen = [entries[row] for row in event.selection.rows if row < len(entries)]
    key = chosen[0].key if chosen else None
    if st.session_state.get("worklist-row") != key:
        st.session_state["worklist-row"] = key  # also None, so that the same row can be selected again
        if chosen and chosen[0].is_read:
            session.select(chosen[0].key)
            st.rerun()


def _row(entry: Entry) -> dict[str, str]:
    scan = representative(entry)
    shown = scan.is_read and session.predictions_shown(entry)
    predictions = {reading.title: reading_in_words(reading) if shown else "" for reading in scan.readings}
    review = review_panel.reviews().get(entry.key)
    return {
        "": session.thumbnail(scan) if scan.is_accepted else "",
        "Scan": entry.name,
        "Status": scan.status_title,
        **predictions,
        "Review": review_panel.VERDICT_TITLES[review.verdict] if review else "",
    }


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _conclusion(entry: Entry) -> None:
    conclusion = conclude(entry, session.referral())
    if conclusion.is_indeterminate:
        remarks = " ".join([*conclusion.remarks, panels.tumor_likely(entry)]).rstrip()
        icon = ":material/help:" if entry.is_concordant else ":material/call_split:"
        st.warning(f"**{conclusion.headline}.** {remarks}", icon=icon)
    else:
        st.subheader(conclusion.headline)
    if entry.is_concordant and len(entry.readings) > 1:
        st.caption(f"{ensemble_probability(entry)}. {panels.ensemble_trust(entry)}")
    if entry.slices:
        st.page_link(
            "pages/volume.py",
            label=f"One of {len(entry.slices)} analysed slices: scroll through them on the Volume page",
            icon=":material/stacks:",
        )
    assert entry.scan is not None
    for note in entry.scan.notes:
        st.info(note, icon=":material/info:")


session.enter()
session.need_networks()
main()
