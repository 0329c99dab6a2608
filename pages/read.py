"""Read: drop scans, see what each network says, how sure, and why."""

from collections import Counter

import streamlit as st

from utils.app import evidence_panels, panels, review_panel, session
from utils.reading.conclusion import conclude, mean_probability, reading_in_words
from utils.reading.worklist import NOT_ANALYSED, STATUS_TITLES, STATUSES, Entry, representative

REFRESH = 1.0  # seconds between two looks at the reading that goes on


def main() -> None:
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
    _refused([entry for entry in entries if not entry.is_accepted])
    read = [entry for entry in entries if entry.is_read]
    if read:
        entry = panels.scan_picker(read)
        if panels.pass_gate(entry):
            _conclusion(entry)
            evidence_panels.evidence(entry, "read")
            review_panel.review_panel(entry)
            review_panel.report_button([entry], "Report of this scan (PDF)", "report-scan")
            panels.probabilities(entry)
            panels.finer_types(entry)


def _refused(entries: list[Entry]) -> None:
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
    st.header("Drop brain MRI slices, see what two networks make of them")
    _uploader("Scans (JPEG, PNG, TIFF, DICOM, NIfTI, or a ZIP of them)")
    if st.button("Try the synthetic example", icon=":material/draw:"):
        session.add_example()
        st.rerun()
    st.caption(
        "Scans stay in this session's memory on this machine and are never written to disk. The networks know four "
        "answers (glioma, meningioma, pituitary tumour, no tumour). Pictures unlike the scans they know are marked."
    )


def _uploader(label: str) -> None:
    round_key = st.session_state.setdefault("upload-round", 0)
    files = st.file_uploader(
        label,
        type=None,  # DICOM files often have no suffix; what is no scan is refused by its bytes
        accept_multiple_files=True,
        key=f"upload-{round_key}",
    )
    if files:
        session.add_files([(file.name, file.getvalue()) for file in files])
        st.session_state["upload-round"] += 1  # empties the drop zone; the worklist keeps the files
        st.rerun()


def _order() -> None:
    """How the worklist is sorted, what it shows, and the way to empty it."""
    told = Counter(representative(entry).status for entry in session.entries())
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(f"**{told.total()} file{'s' if told.total() > 1 else ''}**", width="content")
        st.toggle("What needs eyes first", value=True, key="by-need", help="Off: in the order of arrival")
        present = [status for status in STATUSES if told[status]]
        if len(present) > 1:
            st.pills(
                "Show only",
                present,
                selection_mode="multi",
                key="only",
                format_func=lambda status: f"{told[status]} {STATUS_TITLES[status]}",
                label_visibility="collapsed",
            )
        session.referral_control()
        if st.button("Clear the worklist", icon=":material/delete:"):
            session.clear()
            st.rerun()


def _worklist(busy: bool) -> None:
    """One row a scan; a click brings it into view. While scans are being read it is drawn anew by itself."""
    import pandas as pd  # a second to import, and the first page has no table

    progress = session.reading_progress()
    if progress is not None:
        left = "" if progress.seconds_left is None else f", about {_in_words(progress.seconds_left)} left"
        st.progress(progress.done / progress.total, f"{progress.done} of {progress.total} read{left}")
    elif busy:
        st.rerun()  # the last scan has been read: draw the page anew, and no more by itself
    entries = session.in_order()
    table = pd.DataFrame([_row(entry) for entry in entries]).fillna("")  # what was not read has no answers
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
        alt="Worklist: one row a scan, with each network's answer and whether they agree",
    )
    chosen = [entries[row] for row in event.selection.rows if row < len(entries)]
    key = chosen[0].key if chosen else None
    if st.session_state.get("worklist-row") != key:
        st.session_state["worklist-row"] = key  # also None: a row that is chosen again counts again
        if chosen and chosen[0].is_read:
            session.select(chosen[0].key)
            st.rerun()


def _row(entry: Entry) -> dict[str, str]:
    told = representative(entry)
    shown = told.is_read and session.answers_shown(entry)
    said = {reading.title: reading_in_words(reading) if shown else "" for reading in told.readings}
    kept = review_panel.reviews().get(entry.key)
    return {
        "": session.thumbnail(told) if told.is_accepted else "",
        "Scan": entry.name,
        "Status": told.status_title,
        **said,
        "Review": review_panel.VERDICT_TITLES[kept.verdict] if kept else "",
    }


def _in_words(seconds: float) -> str:
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
        st.caption(f"{mean_probability(entry)}. {panels.trust_together(entry)}")
    if entry.slices:
        st.page_link(
            "pages/volume.py",
            label=f"One of {len(entry.slices)} slices that were read: scroll through them on the Volume page",
            icon=":material/stacks:",
        )
    assert entry.scan is not None
    for note in entry.scan.notes:
        st.info(note, icon=":material/info:")


session.enter()
session.need_networks()
main()
