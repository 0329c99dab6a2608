"""Panels of the Volume page on whole studies: the patient-level answer, series side by side, prior and current."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from utils.app import acquisition_panel, panels, resources, review_panel, session
from utils.evidence.outlines import drawn
from utils.metrics.stack_fusion import LEAST_SLICES
from utils.reading import worklist
from utils.reading.acquisition import sequences_of_study, study_in_words
from utils.reading.follow_up import change, change_in_words
from utils.reading.study import INDETERMINATE, StudyAnswer, study_answer
from utils.reading.study_conclusion import study_basis, study_headline, volume_in_words
from utils.reading.volumes import SUSPICIOUS
from utils.reading.volumetry import TumorVolume, tumor_volume
from utils.reading.worklist import Entry
from utils.scans import rendering
from utils.wording import counted, probability_in_percent, sentence_case

SERIES_IN_A_ROW = 4
SAME_STUDY = "same study and patient in DICOM, or same folder of a ZIP and same name but for the sequence"


def answer_of(stacks: Sequence[Entry]) -> StudyAnswer | None:
    """The patient-level answer of stacks; None where none was fitted for the networks, or there are too few slices."""
    fusion = resources.study_fusion()
    return study_answer(stacks, fusion) if fusion else None


def answer_in_words(stacks: Sequence[Entry]) -> str:
    """The patient-level answer without full stop; "" where there is none."""
    answer = answer_of(stacks)
    return study_headline(answer) if answer else ""


def headline(study: Sequence[Entry], volume: Entry, waiting: Sequence[Entry]) -> None:
    """The patient-level answer, and the tumour volume of the stack in view; waiting: series that were not read yet."""
    answer, suspicion = answer_of(study), worklist.tumor_probabilities(volume)
    if np.isnan(suspicion).all():
        st.subheader("No slice looks like a brain MRI")
    else:
        st.subheader(study_headline(answer) if answer else _counts(suspicion))
    if answer and answer.kind == INDETERMINATE:
        st.warning("Between the limits for tumour and no tumour: review manually.", icon=":material/help:")
    if waiting:
        count = counted(len(waiting), "series", "series")
        st.info(f"Not yet analysed: {count} of this study. The answer is that of the others.")
    if volume.slices[0].segmentation is not None:
        beginning = "Series in view: " if len(study) > 1 else ""
        st.markdown(beginning + volume_in_words(measured_volume(volume), answer))
    measured = acquisition_panel.measured()
    sequences = study_in_words(
        sequences_of_study([*study, *waiting]), measured.contrast if measured else None
    )
    acquisition_panel.acquisition(volume, "This series: ", *sequences)


def basis(study: Sequence[Entry], volume: Entry) -> None:
    """What the answer rests on and how good such answers were; which slices do not count."""
    answer, fusion = answer_of(study), resources.study_fusion()
    suspicion = worklist.tumor_probabilities(volume)
    if answer and fusion:
        words = f"{_counts(suspicion)}. {study_basis(answer, fusion)}"
    else:
        missing = "models/study.json is missing, damaged or of other models"
        reason = f"fewer than {LEAST_SLICES} slices count" if fusion else missing
        words = (
            f"No patient-level answer: {reason}. Each slice is analysed independently; a few suspicious slices are "
            "weak evidence."
        )
    st.caption(f"{words} {_excluded(volume, int(np.sum(~np.isnan(suspicion))))}".rstrip())


def _counts(suspicion: np.ndarray) -> str:
    suspicious, analysed = int(np.sum(suspicion >= SUSPICIOUS)), int(np.sum(~np.isnan(suspicion)))
    return f"Suspicious slices: {suspicious} of {analysed}"


def _excluded(volume: Entry, analysed: int) -> str:
    rejected, skipped = len(volume.slices) - analysed, volume.slice_count - len(volume.slices)
    excluded = [
        f"{skipped} with too little brain" if skipped else "",
        f"{rejected} out of distribution" if rejected else "",
    ]
    if not rejected and not skipped:
        return ""
    return f"Excluded of {volume.slice_count} slices: {', '.join(filter(None, excluded))}."


def measured_volume(volume: Entry) -> TumorVolume | None:
    """The outlined volume of a stack; measured once in a session."""
    volumes: dict[str, TumorVolume | None] = st.session_state.setdefault("tumour-volumes", {})
    if volume.key not in volumes:
        volumes[volume.key] = tumor_volume(volume)
    return volumes[volume.key]


def series_side_by_side(study: Sequence[Entry], shown: Entry) -> None:
    """The series of a study with more than one: sequence, plane, key slice, answer and volume of each."""
    st.markdown(f"**{len(study)} series of one study** ({SAME_STUDY})")
    for start in range(0, len(study), SERIES_IN_A_ROW):
        columns = st.columns(SERIES_IN_A_ROW)
        for column, series in zip(columns, study[start : start + SERIES_IN_A_ROW], strict=False):
            with column:
                _picture(series, f"Series {study.index(series) + 1}: {series_in_words(series)}")
                st.button(
                    "In view" if series.key == shown.key else "Show",
                    key=f"series-{series.key}",
                    disabled=series.key == shown.key,
                    on_click=session.select,
                    args=(series.key,),
                )


def series_in_words(series: Entry) -> str:
    """ "FLAIR, axial (from the file), 24 slices; probability of a tumour 93 %"."""
    answer = answer_of([series])
    words = f"{series.acquisition.in_words}, {len(series.slices)} slices"
    return (
        f"{words}; probability of a tumour {probability_in_percent(answer.tumor_probability)}"
        if answer
        else words
    )


def follow_up(volume: Entry, others: Sequence[Entry]) -> None:
    """A stack of another study as the prior of the one in view: both side by side, with the change in ml."""
    stacks = {entry.key: entry for entry in others}
    if not stacks:
        return
    key = st.selectbox(
        "Compare with a prior examination",
        list(stacks),
        index=None,
        format_func=lambda key: f"{review_panel.neutral_name(stacks[key])}: {series_in_words(stacks[key])}",
        placeholder="Choose the prior stack",
        key=f"prior-{volume.key}",
    )
    if key is None:
        return
    prior = stacks[key]
    difference = change(prior, volume)
    st.markdown(f"**{sentence_case(change_in_words(difference))}**")
    for warning in difference.warnings:
        st.warning(warning, icon=":material/warning:")
    for column, entry, title, measured in zip(
        st.columns(2),
        (prior, volume),
        ("Prior", "Current"),
        (difference.prior, difference.current),
        strict=True,
    ):
        with column:
            _picture(entry, f"{title}: {series_in_words(entry)}", measured)
            st.caption(volume_in_words(measured, answer_of([entry])))
    st.caption(
        "You choose which examination is the prior one. How much outlines vary between two examinations of the same "
        "tumour was not measured: small changes mean little."
    )


def _picture(series: Entry, caption: str, volume: TumorVolume | None = None) -> None:
    """The most suspicious slice, or the one with the widest outline, with the outline drawn."""
    position = worklist.most_suspicious(series) if volume is None or volume.widest is None else volume.widest
    entry = series.slices[position]
    assert entry.scan is not None
    outline = entry.segmentation.outline if entry.segmentation and entry.grade != "refused" else None
    pixels = (
        drawn(entry.scan.pixels, outline.contours) if outline else rendering.gray_image(entry.scan.pixels)
    )
    panels.image(pixels, f"Slice {(entry.scan.slice or 0) + 1} of {caption}")
    st.caption(caption)
