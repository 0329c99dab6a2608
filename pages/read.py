"""Read: drop scans, see what each network says, how sure, and why."""

from collections import Counter

import pandas as pd
import streamlit as st

from utils import charts, overlays, ui
from utils.datasets import CLASS_TITLES
from utils.findings import percent_in_words
from utils.scans import PICTURE_SUFFIXES
from utils.worklist import STATUSES, Entry


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
        for entry in entries:
            if not entry.accepted:
                st.warning(f"**{entry.name}** was not read. {entry.reason}", icon=":material/block:")
        accepted = [entry for entry in entries if entry.accepted]
        if accepted:
            entry = ui.scan_picker(accepted)
            _verdict(entry)
            _evidence(entry)
            _probabilities(entry)


def _welcome() -> None:
    st.header("Drop brain MRI slices, see what two networks make of them")
    _uploader("Scans (JPEG or PNG, one slice a file)")
    if st.button("Try the synthetic example", icon=":material/draw:"):
        ui.add_example()
        st.rerun()
    st.caption(
        "Scans stay in this session's memory on this machine and are never written to disk. The networks know four "
        "answers (glioma, meningioma, pituitary tumour, no tumour) and do not check whether a picture shows a brain."
    )


def _uploader(label: str) -> None:
    round_key = st.session_state.setdefault("upload-round", 0)
    files = st.file_uploader(
        label,
        type=[suffix[1:] for suffix in PICTURE_SUFFIXES],
        accept_multiple_files=True,
        key=f"upload-{round_key}",
    )
    if files:
        ui.add_files([(file.name, file.getvalue()) for file in files])
        st.session_state["upload-round"] += (
            1  # an empty drop zone for the next files; the worklist keeps these
        )
        st.rerun()


def _worklist(entries: list[Entry]) -> None:
    rows = [{"Scan": entry.name, "Answer": entry.answer, "Networks": entry.status} for entry in entries]
    counts = Counter(entry.status for entry in entries)
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
    chosen = event.selection.rows
    if chosen and st.session_state.get("worklist-row") != chosen[0]:
        st.session_state["worklist-row"] = chosen[0]
        ui.select(entries[chosen[0]].key)
        st.rerun()
    if st.button("Clear the worklist", icon=":material/delete:", width="stretch"):
        ui.clear()
        st.rerun()


def _verdict(entry: Entry) -> None:
    if entry.status == "disagree":
        said = ", ".join(f"{reading.title} says {CLASS_TITLES[reading.label]}" for reading in entry.readings)
        st.warning(
            f"**The networks disagree:** {said}. Take neither answer as read.", icon=":material/call_split:"
        )
    elif entry.status == "unsure":
        unsure = " and ".join(reading.title for reading in entry.readings if "unsure" in reading.flags)
        st.warning(
            f"**Unsure: {entry.answer}?** Below the probability at which {unsure} was right 98 % of the time on "
            "validation scans.",
            icon=":material/help:",
        )
    else:
        st.subheader(f"{entry.answer[0].upper()}{entry.answer[1:]}: the networks agree")
    assert entry.scan is not None
    for note in entry.scan.notes:
        st.info(note, icon=":material/info:")


def _evidence(entry: Entry) -> None:
    assert entry.scan is not None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        label = ui.class_picker(entry, "read-class")
        opacity = st.slider("Opacity", 0.0, 1.0, 0.7, 0.05, key="read-opacity", width=200)
        shown = st.toggle(
            "Show evidence", value=True, key="read-shown", help="Off: the plain scan everywhere"
        )
    plain = overlays.gray_picture(entry.scan.pixels)
    columns = st.columns(1 + len(entry.readings))
    with columns[0]:
        st.markdown("**Scan**")
        st.image(plain, width="stretch", alt=f"The scan {entry.name}")
        if shown:
            ui.evidence_legend()
    for column, reading in zip(columns[1:], entry.readings, strict=True):
        with column:
            probability = percent_in_words(reading.confidence)
            st.markdown(f"**{reading.title}: {CLASS_TITLES[reading.label]}**, {probability}")
            st.image(
                ui.draw(entry, reading, label, opacity) if shown else plain,
                width="stretch",
                alt=f"The scan with the Grad-CAM evidence of {reading.title} for {CLASS_TITLES[label]}",
            )
            st.caption(ui.trust(reading))
    if shown and label != "no_tumor" and all(reading.label == "no_tumor" for reading in entry.readings):
        st.caption(
            f"No tumour was named. The maps show what little speaks for {CLASS_TITLES[label]}, the likeliest one."
        )


def _probabilities(entry: Entry) -> None:
    said = {reading.title: reading.probabilities.tolist() for reading in entry.readings}
    figure = charts.probability_bars(said)
    words = "; ".join(
        f"{reading.title}: "
        + ", ".join(
            f"{CLASS_TITLES[name]} {percent_in_words(reading.probability(name))}" for name in reading.classes
        )
        for reading in entry.readings
    )
    st.plotly_chart(
        figure, width="stretch", config={"displayModeBar": False}, alt=f"Calibrated probabilities. {words}"
    )


ui.enter()
main()
