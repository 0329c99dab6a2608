"""Volume: the slices of a series with predictions and saliency maps along it."""

import numpy as np
import streamlit as st

from utils.app import dicom_panel, panels, session, viewer
from utils.charts import readings
from utils.networks.shipped import evidence_scale
from utils.reading import ood_detector, worklist
from utils.reading.conclusion import reading_in_words
from utils.reading.volumes import SUSPICIOUS, suspicious_runs
from utils.reading.worklist import Entry
from utils.wording import CLASS_TITLES, titles_of


def main() -> None:
    volumes = [entry for entry in session.entries() if entry.slices and entry.is_read]
    if not volumes:
        st.info(
            "No volume loaded. Upload a DICOM series (its files or a ZIP) or a NIfTI file on the Read page."
        )
        st.stop()
    volume = panels.scan_picker(volumes)
    _summary(volume)
    dicom_panel.download(volume, "volume")
    image_side, curve_side = st.columns([2, 3], gap="large")
    with curve_side:
        _curves(volume)
    with image_side:
        _slice(volume)


def _summary(volume: Entry) -> None:
    """How many slices are suspicious, and the limits of that count."""
    suspicion = worklist.tumor_probabilities(volume)
    runs = suspicious_runs(suspicion)
    suspicious, analysed = int(np.sum(suspicion >= SUSPICIOUS)), int(np.sum(~np.isnan(suspicion)))
    if not analysed:
        st.subheader("No slice looks like a brain MRI")
    else:
        st.subheader(f"Suspicious slices: {suspicious} of {analysed}")
    rejected, skipped = len(volume.slices) - analysed, volume.slice_count - len(volume.slices)
    excluded = [
        f"{skipped} with too little brain" if skipped else "",
        f"{rejected} out of distribution" if rejected else "",
    ]
    without = f" Excluded of {volume.slice_count} slices: {', '.join(filter(None, excluded))}."
    st.caption(
        "Each slice is analysed independently by models trained on single slices; a few suspicious slices are weak "
        f"evidence.{without if rejected or skipped else ''}"
    )
    if runs:
        with st.container(horizontal=True):
            for run in runs:
                peak = volume.slices[run.peak]
                label = titles_of(reading.label for reading in peak.readings)
                st.button(
                    f"Slice {_number(peak)}: {label}",
                    icon=":material/my_location:",
                    on_click=_go,
                    args=(volume, run.peak),
                )


def _slice(volume: Entry) -> None:
    """All slices with the saliency map of one model; buttons, slider, wheel and keys move through them."""
    titles = [reading.title for reading in volume.readings]
    shown = st.segmented_control("Saliency map of", [*titles, "none"], default=titles[0], required=True)
    number = titles.index(shown) if shown in titles else None
    viewer.stack_viewer(
        f"{volume.key} {shown}" if shown else volume.key,
        _slices(volume, number),
        worklist.viewed_position(volume),
        st.session_state.get("jumps", 0),
        f"stack-{volume.key}",
        lambda position: session.show_slice(volume, position),
    )
    if volume.grade == "unusual":
        st.warning(ood_detector.UNUSUAL, icon=":material/warning:")
    st.caption("Scroll with the mouse wheel over the image or with the up and down arrow keys.")


def _slices(volume: Entry, network: int | None) -> list[viewer.Slice]:
    """What the browser needs of all slices, made once for each volume and network."""
    cache = st.session_state.setdefault("stacks", {})
    key = (volume.key, network, evidence_scale())
    if key not in cache:
        cache.clear()  # one volume at a time: they are large
        cache[key] = [_shown(entry, network) for entry in volume.slices]
    return cache[key]


def _shown(entry: Entry, network: int | None) -> viewer.Slice:
    assert entry.scan is not None
    words, alt, evidence = ood_detector.REFUSED, f"The scan {entry.name}", None
    if entry.grade != "refused":
        words = "; ".join(f"{reading.title}: {reading_in_words(reading)}" for reading in entry.readings)
        if network is not None:
            reading = entry.readings[network]
            evidence = viewer.map_address(reading.strength(reading.shown_class, evidence_scale()))
            title = CLASS_TITLES[reading.shown_class]
            alt += f" with the Grad-CAM saliency map of {reading.title} for {title}"
    return viewer.Slice(_number(entry), words, alt, viewer.slice_address(entry.scan.pixels), evidence)


def _curves(volume: Entry) -> None:
    """The probability of each class along the volume; a click on a point brings that slice into view."""
    titles = [reading.title for reading in volume.readings]
    title = st.segmented_control("Probabilities of", titles, default=titles[0], required=True)
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
    """Bring a slice into view; positions beyond the ends are clipped."""
    session.show_slice(volume, min(max(position, 0), len(volume.slices) - 1))
    st.session_state["jumps"] = st.session_state.get("jumps", 0) + 1  # the browser follows


session.enter()
session.need_networks()
main()
