"""Read: drop scans, see what each network says, how sure, and why."""

from collections import Counter

import streamlit as st

from utils import ui
from utils.classes import CLASS_TITLES
from utils.worklist import STATUSES, Entry, headline


def main() -> None:
    entries = ui.entries()
    if not entries:
        _welcome()
        return
    side, middle = st.columns([1, 3], gap="large")
    with side:
        _uploader("Add scans")
        _worklist(entries)
    with middle:
        _refused([entry for entry in entries if not entry.accepted])
        accepted = [entry for entry in entries if entry.accepted]
        if accepted:
            entry = ui.scan_picker(accepted)
            if ui.pass_gate(entry):
                _verdict(entry)
                ui.evidence(entry, "read")
                ui.probabilities(entry)


def _refused(entries: list[Entry]) -> None:
    """Which files were not read and why; many are folded away, so that the scans stay in sight."""
    if len(entries) > 2:
        with st.expander(f"{len(entries)} files were not read", icon=":material/block:"):
            st.markdown("\n".join(f"- **{ui.in_markdown(entry.name)}**: {entry.reason}" for entry in entries))
        return
    for entry in entries:
        st.warning(f"**{ui.in_markdown(entry.name)}** was not read. {entry.reason}", icon=":material/block:")


def _welcome() -> None:
    st.header("Drop brain MRI slices, see what two networks make of them")
    _uploader("Scans (JPEG, PNG, TIFF, DICOM, NIfTI, or a ZIP of them)")
    if st.button("Try the synthetic example", icon=":material/draw:"):
        ui.add_example()
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
        ui.add_files([(file.name, file.getvalue()) for file in files])
        st.session_state["upload-round"] += 1  # empties the drop zone; the worklist keeps the files
        st.rerun()


def _worklist(entries: list[Entry]) -> None:
    import pandas as pd  # a second to import, and the first page has no table

    told = [headline(entry) for entry in entries]
    rows = [
        {
            "Scan": entry.name,
            "Networks": entry.status,
            "Answer": entry.answer if ui.answers_shown(entry) else "",
        }
        for entry in told
    ]
    counts = Counter(entry.status for entry in told)
    st.markdown(
        f"**{len(entries)} file{'s' if len(entries) > 1 else ''}**: "
        + ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    )
    event = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height=min(36 * (len(rows) + 1) + 2, 400),
        on_select="rerun",
        selection_mode="single-row",
        key=f"worklist-{len(entries)}",
        alt="Worklist: one row a file, with the networks' answer and whether they agree",
    )
    chosen = event.selection.rows[0] if event.selection.rows else None
    if st.session_state.get("worklist-row") != chosen:
        st.session_state["worklist-row"] = chosen  # also None: a row that is chosen again counts again
        if chosen is not None and entries[chosen].accepted:
            ui.select(entries[chosen].key)
            st.rerun()
    if st.button("Clear the worklist", icon=":material/delete:", width="stretch"):
        ui.clear()
        st.rerun()


def _verdict(entry: Entry) -> None:
    unsure = " and ".join(reading.title for reading in entry.readings if "unsure" in reading.flags)
    doubt = f"{unsure}: below the probability from which on 98 % of answers were right on validation scans."
    if not entry.agreed:
        said = ", ".join(f"{reading.title} says {CLASS_TITLES[reading.label]}" for reading in entry.readings)
        words = f"**The networks disagree:** {said}. Take neither answer as read. {doubt if unsure else ''}"
        st.warning(words, icon=":material/call_split:")
    elif unsure:
        st.warning(f"**Unsure: {entry.answer}?** {doubt}", icon=":material/help:")
    else:
        st.subheader(f"{entry.answer[0].upper()}{entry.answer[1:]}: the networks agree")
    if entry.slices:
        st.page_link(
            "pages/volume.py",
            label=f"One of {len(entry.slices)} slices that were read: scroll through them on the Volume page",
            icon=":material/stacks:",
        )
    assert entry.scan is not None
    for note in entry.scan.notes:
        st.info(note, icon=":material/info:")


ui.enter()
ui.need_networks()
main()
