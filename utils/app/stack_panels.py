"""Panels of the Volume page on one stack: key slices, the viewer with its planes, the curves of the classes."""

from __future__ import annotations

import numpy as np
import streamlit as st

from utils.app import evidence_panels, panels, panes, session, viewer
from utils.charts import readings
from utils.reading import reformats, study
from utils.reading.conclusion import lesion_in_words
from utils.reading.worklist import Entry
from utils.scans.places import plane_of, side_letters
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


def slice_in_view(volume: Entry) -> str | None:
    """The notices about the slice in view, its lesion, and the choice of a class; None where predictions are hidden."""
    if not panels.notices(volume):
        return None
    lesion = lesion_in_words(volume)
    if lesion:
        st.markdown(f"Slice {number_of(volume)}: {lesion}")
    return evidence_panels.class_choice(volume, "volume")


def viewer_of(volume: Entry, label: str | None) -> None:
    """The slices as scanned, as on the Read page, or reformatted in another plane.

    label: the class whose saliency maps are shown; None where predictions are hidden.
    """
    assert volume.scan is not None
    own = plane_of(volume.scan.orientation)
    reason = reformats.why_not(volume)
    plane, key = own, _plane_key(volume)
    if not reason:
        st.session_state.setdefault(key, own)
        planes = [own, *(name for name in ("axial", "coronal", "sagittal") if name != own)]
        chosen = st.segmented_control(
            "Plane",
            planes,
            required=True,
            format_func=lambda name: f"{sentence_case(name)}{' (as scanned)' if name == own else ''}",
            key=key,
        )
        plane = chosen or own
    if plane == own:
        evidence_panels.linked_views(volume, "volume", label, layout=1)
    else:
        _reformatted(volume, plane)
    st.caption(reason or "Reformats are computed from the slices; the models read the slices as scanned.")


def _reformatted(volume: Entry, plane: str) -> None:
    name = f"{volume.key} {plane}"
    kept = st.session_state.setdefault("reformats", {})
    if name not in kept:
        kept.clear()  # they are large
        views = _planes(volume, plane)
        slices = [viewer.slice_of(view, number) for number, view in enumerate(views, 1)]
        kept[name] = {"views": views, "slices": slices, "position": len(views) // 2}
    shown = kept[name]

    def moved(volume_name: str, position: int, _: int) -> None:
        if volume_name == name:
            shown["position"] = position

    place = viewer.StackPlace(name, shown["position"], kind=f"{plane} reformats", volume=name)
    view = viewer.shown_of(shown["views"][place.position], 1, place)
    viewer.scan_viewer(view, "volume-viewer", moved)
    viewer.keep_stack(name, shown["slices"])


def _planes(volume: Entry, plane: str) -> list[panes.View]:
    """The views of the reformats in a plane, without maps."""
    assert volume.scan is not None and volume.scan.spacing is not None
    sides = side_letters(reformats.orientation_of(volume, plane))
    views = []
    for number, pixels in enumerate(reformats.reformats(volume)[plane], 1):
        title = f"{sentence_case(plane)} reformat {number}"
        pane = panes.Pane(title, "", f"{title}{panes.sides_in_words(sides)}")
        views.append(
            panes.View(
                volume.key,
                f"{volume.key} {title}",
                pixels,
                (pane,),
                outlines={},
                captions=(),
                file=title,
                is_study=False,
                spacing=volume.scan.spacing[0],
                sides=sides,
            )
        )
    return views


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
    """Bring a slice into view, in the plane that was scanned."""
    st.session_state.pop(_plane_key(volume), None)
    session.jump_to(volume.key, position)


def _plane_key(volume: Entry) -> str:
    return f"plane-{volume.key}"
