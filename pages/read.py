"""Read: upload scans; predictions, confidence and saliency maps; review."""

from collections import Counter
from pathlib import Path

import streamlit as st

from utils.app import (
    acquisition_panel,
    dicom_panel,
    drift_panel,
    evidence_panels,
    panels,
    referral,
    restoring,
    review_panel,
    session,
    site,
    study_panels,
    worklist_panel,
)
from utils.cases.store import CaseStoreError
from utils.reading.conclusion import conclude, ensemble_probability, lesion_in_words
from utils.reading.study import study_of
from utils.reading.worklist import NOT_ANALYSED, STATUS_TITLES, STATUSES, Entry, representative
from utils.wording import counted

REFRESH = 1.0  # seconds between two updates while scans are read
ROOM = Path(session.__file__).with_name("reading_room.css")


def main() -> None:
    try:
        review_panel.show_stored()
    except CaseStoreError as error:
        st.error(str(error), icon=":material/error:")
    if not session.entries():
        restoring.offer()
        _welcome()
        return
    st.html(f"<style>{ROOM.read_text(encoding='utf-8')}</style>")
    entries = session.in_order()
    read = [entry for entry in entries if entry.is_read]
    current = session.selected()
    entry = next((entry for entry in read if current and entry.key == current.key), read[0] if read else None)
    with st.container(key="room"):
        with st.container(key="room-worklist"):
            _worklist_pane(entry)
        if entry is not None:
            _reading(entry)
    if entry is not None:
        evidence_panels.keep_neighbours(read, entry, layout=1)
    _rejected([entry for entry in session.entries() if not entry.is_accepted])


def _reading(entry: Entry) -> None:
    """The panes of one scan: what it amounts to, the findings, and the images."""
    assert entry.scan is not None
    with st.container(key="room-headline"):
        shown = session.predictions_shown(entry)
        st.subheader(conclude(entry, referral.rule()).headline if shown else "Not a brain MRI: no assessment")
    findings = st.container(key="room-findings")
    assessment, choice, details = findings.container(), findings.container(), findings.container()
    with choice:
        label = evidence_panels.class_choice(entry, "read") if shown else None
    with st.container(key="room-viewer"):  # first: the image is what a reader waits for
        evidence_panels.linked_views(entry, "read", label, layout=1)
    with assessment:
        acquisition_panel.acquisition(entry)
        drift_panel.alarm()
        if panels.notices(entry):
            _conclusion(entry)
            review_panel.review_panel(entry)
    if shown:
        with details:
            _details(entry)
    with findings.container(key=f"findings-of-{entry.key}"):  # drawn last: all findings are of this scan now
        st.html("<span></span>")


def _details(entry: Entry) -> None:
    """What stands below the review: probabilities, track records, subtypes, report."""
    panels.probabilities(entry)
    trust = [f"{reading.title}: {panels.trust(reading)}" for reading in entry.readings]
    st.caption(panels.unbroken("  \n".join(trust)))
    panels.subtype_panel(entry)
    with st.container(horizontal=True):
        review_panel.report_button([entry], "Report of this scan (PDF)", "report-scan")
        dicom_panel.download(entry, "read")


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
        "Scans stay in memory on this machine and are never written to disk; a reloaded tab can restore them for "
        f"{restoring.HELD_MINUTES} minutes. Output classes: "
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


def _worklist_pane(shown: Entry | None) -> None:
    """The uploader, folded; the worklist; sorting, filter, referral threshold and the button that clears it."""
    with st.expander("Add scans", icon=":material/add:"):
        _uploader("Scans")
    busy = session.reading_progress() is not None
    if busy:
        st.fragment(_progress, run_every=REFRESH)(shown)
    else:
        worklist_panel.worklist_panel(session.in_order(), shown.key if shown else None)
    counts = Counter(representative(entry).status for entry in session.entries())
    st.caption(f"{counted(counts.total(), 'file')}, {_reviewed()} reviewed")
    with st.container(horizontal=True, gap="small"):
        with st.popover("Sort and filter", icon=":material/tune:"):
            st.toggle("Prioritise for review", value=True, key="by-need", help="Off: in the order of upload")
            present = [status for status in STATUSES if counts[status]]
            if len(present) > 1:
                st.pills(
                    "Show only",
                    present,
                    selection_mode="multi",
                    key="only",
                    format_func=lambda status: f"{counts[status]} {STATUS_TITLES[status]}",
                )
            referral.control()
        if st.button("Clear worklist", icon=":material/delete:"):
            session.clear()
            st.rerun()


def _progress(shown: Entry | None) -> None:
    """The worklist while scans are read: updates itself."""
    progress = session.reading_progress()
    current = session.selected()
    if progress is None or (current and current.is_read and (shown is None or current.key != shown.key)):
        st.rerun()  # all scans are read, or another was selected: redraw the page
    left = "" if progress.seconds_left is None else f", about {_duration(progress.seconds_left)} remaining"
    st.progress(progress.done / progress.total, f"{progress.done} of {progress.total} analysed{left}")
    worklist_panel.worklist_panel(session.in_order(), shown.key if shown else None)


def _reviewed() -> int:
    return sum(entry.key in review_panel.reviews() for entry in session.entries())


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _conclusion(entry: Entry) -> None:
    """Why there is no answer, or how far to trust it; then the lesion and the rest of the volume."""
    conclusion = conclude(entry, referral.rule())
    likely = panels.tumor_likely(entry) if conclusion.is_indeterminate else ""
    if conclusion.is_indeterminate:
        icon = ":material/help:" if entry.is_concordant else ":material/call_split:"
        st.warning(panels.unbroken(" ".join([*conclusion.remarks, likely]).rstrip()), icon=icon)
    if entry.is_concordant and len(entry.readings) > 1:
        st.caption(panels.unbroken(f"{ensemble_probability(entry)}. {panels.ensemble_trust(entry)}"))
    elif site.title():
        st.caption(f"Site profile {site.title()}.")
    lesion = lesion_in_words(entry, is_likely=bool(likely))
    if lesion:
        st.markdown(lesion)
    if entry.slices:
        whole = study_panels.answer_in_words(study_of(entry, session.entries()))
        if whole:
            st.markdown(f"Whole study: {whole}.")
        st.page_link(
            "pages/volume.py",
            label=f"{len(entry.slices)} slices: curves along the volume",
            icon=":material/stacks:",
        )


session.enter()
session.need_networks()
main()
