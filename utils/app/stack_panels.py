"""Panels of the Volume page on one stack: key slices, the viewer with its planes, the curves of the classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from utils.app import panels, session, viewer
from utils.charts import readings
from utils.networks.shipped import evidence_scale
from utils.reading import ood_detector, reformats, study, worklist
from utils.reading.conclusion import reading_in_words
from utils.reading.worklist import Entry
from utils.scans.places import plane_of
from utils.wording import CLASS_TITLES, sentence_case, titles_of


def key_slices(volume: Entry) -> None:
    """A button for the most suspicious slice of each run of suspicious ones."""
    positions = study.key_slices(volume)
    if not positions:
        return
    with st.container(horizontal=True):
        for position in positions:
            peak = volume.slices[position]
            label = titles_of(reading.label for reading in peak.readings)
            st.button(
                f"Slice {number_of(peak)}: {label}",
                icon=":material/my_location:",
                on_click=_go,
                args=(volume, position),
            )


def viewer_of(volume: Entry) -> None:
    """The slices as scanned with the saliency map of one model, or reformatted in another plane."""
    assert volume.scan is not None
    own = plane_of(volume.scan.orientation)
    reason = reformats.why_not(volume)
    plane = own
    if not reason:
        planes = [own, *(name for name in ("axial", "coronal", "sagittal") if name != own)]
        plane = st.segmented_control(
            "Plane",
            planes,
            default=own,
            required=True,
            format_func=lambda name: f"{sentence_case(name)}{' (as scanned)' if name == own else ''}",
            key=f"plane-{volume.key}",
        )
    if plane == own:
        _as_scanned(volume)
    else:
        _reformatted(volume, plane)
    st.caption(
        "Scroll with the mouse wheel over the image or with the up and down arrow keys. "
        + (reason or "Reformats are computed from the slices; the models read the slices as scanned.")
    )


def _as_scanned(volume: Entry) -> None:
    titles = [reading.title for reading in volume.readings]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown = st.segmented_control("Saliency map of", [*titles, "none"], default=titles[0], required=True)
        with_outlines = volume.segmentation is not None and st.toggle("Outline", value=True)
    number = titles.index(shown) if shown in titles else None
    viewer.stack_viewer(
        f"{volume.key} {shown} {with_outlines}",
        _slices(volume, number, with_outlines),
        worklist.viewed_position(volume),
        st.session_state.get("jumps", 0),
        f"stack-{volume.key}",
        lambda position: session.show_slice(volume.key, position),
    )
    if volume.grade == "unusual":
        st.warning(ood_detector.UNUSUAL, icon=":material/warning:")


def _reformatted(volume: Entry, plane: str) -> None:
    slices = _cached((volume.key, plane), lambda: _planes(volume, plane))
    viewer.stack_viewer(
        f"{volume.key} {plane}",
        slices,
        len(slices) // 2,
        0,
        f"stack-{volume.key}-{plane}",
        lambda position: None,
        f"{plane} reformats",
    )


def _planes(volume: Entry, plane: str) -> list[viewer.Slice]:
    return [
        viewer.Slice(number, "", f"{sentence_case(plane)} reformat {number}", viewer.slice_address(pixels))
        for number, pixels in enumerate(reformats.reformats(volume)[plane], 1)
    ]


def _slices(volume: Entry, network: int | None, with_outlines: bool) -> list[viewer.Slice]:
    """What the browser needs of all slices, made once for each volume and network."""
    key = (volume.key, network, evidence_scale(), with_outlines)
    return _cached(key, lambda: [_shown(entry, network, with_outlines) for entry in volume.slices])


def _cached(key: tuple, make: Callable[[], list[viewer.Slice]]) -> list[viewer.Slice]:
    cache = st.session_state.setdefault("stacks", {})
    if key not in cache:
        cache.clear()  # one volume at a time: they are large
        cache[key] = make()
    return cache[key]


def _shown(entry: Entry, network: int | None, with_outlines: bool) -> viewer.Slice:
    assert entry.scan is not None
    words, alt, evidence = ood_detector.REFUSED, f"The scan {entry.name}", None
    outlines: tuple[list[float], ...] = ()
    if entry.grade != "refused":
        words = "; ".join(f"{reading.title}: {reading_in_words(reading)}" for reading in entry.readings)
        if network is not None:
            reading = entry.readings[network]
            evidence = viewer.map_address(reading.strength(reading.shown_class, evidence_scale()))
            title = CLASS_TITLES[reading.shown_class]
            alt += f" with the Grad-CAM saliency map of {reading.title} for {title}"
        if with_outlines and entry.segmentation is not None:
            outlines = viewer.lines_of(entry.segmentation.outline.contours, entry.scan.shape)
    return viewer.Slice(
        number_of(entry), words, alt, viewer.slice_address(entry.scan.pixels), evidence, outlines
    )


def curves(volume: Entry) -> None:
    """The probability of each class along the volume; a click on a point brings that slice into view."""
    titles = [reading.title for reading in volume.readings]
    title = st.segmented_control("Probabilities of", titles, default=titles[0], required=True)
    numbers = [number_of(entry) for entry in volume.slices]
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

    panels.chart(readings.class_curves(title, numbers, probabilities, number_of(volume)), key, clicked)


def number_of(entry: Entry) -> int:
    """The slice's number in the file, 1 for the first."""
    assert entry.scan is not None
    return (entry.scan.slice or 0) + 1


def _go(volume: Entry, position: int) -> None:
    """Bring a slice into view; positions beyond the ends are clipped."""
    session.show_slice(volume.key, min(max(position, 0), len(volume.slices) - 1))
    st.session_state["jumps"] = st.session_state.get("jumps", 0) + 1  # the browser follows
