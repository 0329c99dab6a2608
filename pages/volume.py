"""Volume: scroll through the slices of a series and see what the networks say along it."""

import numpy as np
import streamlit as st

from utils.app import evidence_panels, panels, session, viewer
from utils.charts import readings
from utils.reading import ood_detector, worklist
from utils.reading.conclusion import reading_in_words
from utils.reading.volumes import SUSPICIOUS, suspicious_runs
from utils.reading.worklist import Entry
from utils.scans import rendering
from utils.wording import CLASS_TITLES, titles_of


def main() -> None:
    volumes = [entry for entry in session.entries() if entry.slices and entry.is_read]
    if not volumes:
        st.info(
            "No volume is loaded yet. Drop a DICOM series (its files or a ZIP) or a NIfTI on the Read page."
        )
        st.stop()
    volume = panels.scan_picker(volumes)
    _summary(volume)
    picture_side, curve_side = st.columns([2, 3], gap="large")
    with curve_side:
        _curves(volume)
    with picture_side:
        _slice(volume)


def _summary(volume: Entry) -> None:
    """What the slices say together, and what that is worth."""
    suspicion = worklist.tumor_probabilities(volume)
    runs = suspicious_runs(suspicion)
    called, answered = int(np.sum(suspicion >= SUSPICIOUS)), int(np.sum(~np.isnan(suspicion)))
    if not answered:
        st.subheader("None of the slices looks like a brain MRI slice that the networks know")
    elif called:
        st.subheader(f"A tumour is called on {called} of {answered} slices")
    else:
        st.subheader(f"No tumour is called on any of {answered} slices")
    refused, skipped = len(volume.slices) - answered, volume.slice_count - len(volume.slices)
    left_out = [
        f"{skipped} show too little of the head" if skipped else "",
        f"{refused} do not look like slices that the networks know" if refused else "",
    ]
    without = f" Of the {volume.slice_count} slices, {' and '.join(filter(None, left_out))}: no answer there."
    st.caption(
        "Each slice was read alone, by networks that learned from single slices: a call on a few slices is weak "
        f"evidence.{without if refused or skipped else ''}"
    )
    if runs:
        with st.container(horizontal=True):
            for run in runs:
                peak = volume.slices[run.peak]
                said = titles_of(reading.label for reading in peak.readings)
                st.button(
                    f"Slice {_number(peak)}: {said}",
                    icon=":material/my_location:",
                    on_click=_go,
                    args=(volume, run.peak),
                )


def _slice(volume: Entry) -> None:
    """The slice in view with one network's evidence, and every way to another one."""
    position, last = worklist.viewed_position(volume), len(volume.slices) - 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for title, step, key in (("Previous slice", -1, "Up"), ("Next slice", 1, "Down")):
            st.button(
                title,
                icon=f":material/keyboard_arrow_{key.lower()}:",
                disabled=not 0 <= position + step <= last,
                shortcut=key,
                on_click=_go,
                args=(volume, position + step),
            )
    if last:
        slider = f"slice-{volume.key}"
        st.session_state[slider] = position
        st.select_slider(
            "Slice",
            range(last + 1),
            format_func=lambda chosen: str(_number(volume.slices[chosen])),
            key=slider,
            on_change=lambda: _go(volume, st.session_state[slider]),
        )
    titles = [reading.title for reading in volume.readings]
    shown = st.segmented_control("Evidence of", [*titles, "none"], default=titles[0], required=True)
    assert volume.scan is not None
    alt, picture = f"The scan {volume.name}", rendering.gray_image(volume.scan.pixels)
    if shown in titles and volume.grade != "refused":
        reading = volume.readings[titles.index(shown)]
        picture = evidence_panels.draw(volume, reading, reading.shown_class, 0.8)
        alt += f" with the Grad-CAM evidence of {shown} for {CLASS_TITLES[reading.shown_class]}"
    wheel = f"wheel-{volume.key}"
    viewer.wheel_picture(
        rendering.png(picture),
        alt,
        wheel,
        lambda: _go(volume, position + (st.session_state[wheel].step or 0)),
    )
    said = "; ".join(f"{reading.title}: {reading_in_words(reading)}" for reading in volume.readings)
    st.markdown(ood_detector.REFUSED if volume.grade == "refused" else f"{said}.")
    if volume.grade == "unusual":
        st.warning(ood_detector.UNUSUAL, icon=":material/warning:")
    st.caption("Turn the wheel over the picture, or press the up and down keys.")


def _curves(volume: Entry) -> None:
    """The probability of each class along the stack; a click on a point brings that slice into view."""
    titles = [reading.title for reading in volume.readings]
    title = st.segmented_control("Curves of", titles, default=titles[0], required=True)
    numbers = [_number(entry) for entry in volume.slices]
    probabilities = [
        [np.nan] * len(CLASS_TITLES)
        if entry.grade == "refused"
        else entry.readings[titles.index(title)].probabilities.tolist()
        for entry in volume.slices
    ]
    key = f"curves-{volume.key}-{title}"

    def clicked() -> None:
        points = st.session_state[key].selection.points
        if points:
            _go(volume, numbers.index(int(points[0]["x"])))

    panels.chart(readings.class_curves(title, numbers, probabilities, _number(volume)), key, clicked)


def _number(entry: Entry) -> int:
    """The slice's number in the file, 1 for the first."""
    assert entry.scan is not None
    return (entry.scan.slice or 0) + 1


def _go(volume: Entry, position: int) -> None:
    """Bring a slice into view; steps beyond the ends stay there."""
    session.show_slice(volume, min(max(position, 0), len(volume.slices) - 1))


session.enter()
session.need_networks()
main()
