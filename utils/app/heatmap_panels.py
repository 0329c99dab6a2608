"""The Heatmaps page: saliency maps of one scan or stack by model, method, class and layer."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from utils.app import evidence_panels, panes, reference_masks, resources, session, viewer
from utils.evidence.cams import METHOD_TITLES
from utils.networks.shipped import scaled_methods
from utils.reading.worklist import Entry
from utils.wording import CLASS_TITLES

if TYPE_CHECKING:
    from utils.reading.reader import Reading


@dataclass(frozen=True)
class Selection:
    """What is drawn: networks by name, methods, classes; `layer` instead of the evidence layer, of a single model."""

    networks: tuple[str, ...]
    methods: tuple[str, ...]
    labels: tuple[str, ...]
    layer: str | None = None


def study(entry: Entry, is_shown: bool) -> None:
    """The selected models, methods and classes as panes of the viewer, with the tools to study them.

    is_shown: False where predictions are hidden. The slices of a stack have the maps that need no computing; the others
    come when the viewer rests at a slice.
    """
    selection = _selection(entry)
    maps = _maps(entry, selection) if is_shown else []
    count = len(selection.networks) * len(selection.methods) * len(selection.labels)
    if not count:
        st.info("Select at least one model, one method and one class.")
        return
    if count > panes.MOST_PANES:
        st.info(f"{count} maps selected; the first {panes.MOST_PANES} are shown.")
    view = _view(entry, maps) if is_shown else _slice_view(entry, selection)
    words = repr(selection)
    place = evidence_panels.stack_place(entry, words)
    viewer.scan_viewer(viewer.shown_of(view, 3, place), "study-viewer", session.move_to)
    if place:  # after the image, which need not wait for them
        viewer.keep_stack(
            place.name, evidence_panels.slices(entry, words, lambda each: _slice_view(each, selection))
        )
    if not is_shown:
        return
    st.download_button(
        "Download NPY",
        lambda: as_npy([shown.reading.evidence(shown.label) for shown in maps]),
        f"{view.file}.npy",
        "application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        help="The maps in the order shown: (maps, height, width) float32, in the scan's pixels, unscaled",
    )
    evidence_panels.describe(view.captions, entry)


def as_npy(maps: Sequence[np.ndarray]) -> bytes:
    """An NPY file of maps of one shape."""
    stream = io.BytesIO()
    np.save(stream, np.stack(maps))
    return stream.getvalue()


def _maps(entry: Entry, selection: Selection) -> list[panes.Map]:
    """The selected maps of a scan; those that it does not have are computed."""
    readings = [_explained(entry, *choice, selection.layer) for choice in _choices(entry, selection)]
    return _of_classes(readings, selection)


def _choices(entry: Entry, selection: Selection) -> list[tuple[Reading, str]]:
    """The selected readings with each method."""
    readings = [reading for reading in entry.readings if reading.network in selection.networks]
    return [(reading, method) for method in selection.methods for reading in readings]


def _of_classes(readings: Sequence[Reading], selection: Selection) -> list[panes.Map]:
    maps = [evidence_panels.map_of(reading, label) for label in selection.labels for reading in readings]
    return maps[: panes.MOST_PANES]


def _view(entry: Entry, maps: Sequence[panes.Map]) -> panes.View:
    assert entry.scan is not None
    outline = evidence_panels.outline_of(entry)
    reference = None if entry.slices else reference_masks.reference_mask(entry.sha256, entry.scan.shape)
    return panes.build_view(
        entry, maps, _track_record, outline.contours if outline else (), reference or (), is_study=True
    )


def _slice_view(entry: Entry, selection: Selection) -> panes.View:
    """A slice of a stack, without the maps that would need computing, or whose predictions are hidden."""
    choices = _choices(entry, selection)
    known = [_known(entry, *choice, selection.layer) for choice in choices]
    readings = [
        each or replace(reading, method=method)
        for each, (reading, method) in zip(known, choices, strict=True)
    ]
    view = _view(entry, _of_classes(readings, selection))
    is_shown = session.predictions_shown(entry)
    drawn = [
        pane
        if is_shown and has_map
        else replace(
            pane,
            title=f"{pane.title}: {'not computed yet' if is_shown else 'not shown'}",
            caption="",
            alt=f"The scan {entry.name}",
            strength=None,
        )
        for pane, has_map in zip(view.panes, known * len(selection.labels), strict=False)
    ]
    return replace(view, panes=tuple(drawn), outlines=view.outlines if is_shown else {})


def _selection(entry: Entry) -> Selection:
    """Models, methods and classes, several each; for a single model also a layer instead of the evidence layer.

    At first the class is that of the slice in view, or of another one where its predictions are hidden.
    """
    titles = {reading.network: reading.title for reading in entry.readings}
    methods = scaled_methods() or ("gradcam",)
    first = next(each for each in (entry, *entry.slices) if session.predictions_shown(each)).readings[0]
    with st.container(horizontal=True, gap="medium"):
        networks = st.pills(
            "Models",
            list(titles),
            selection_mode="multi",
            wrap=True,
            default=list(titles),
            format_func=titles.__getitem__,
        )
        selected = st.pills(
            "Methods",
            methods,
            selection_mode="multi",
            wrap=True,
            default=methods[:1],
            format_func=METHOD_TITLES.__getitem__,
            help="Score-CAM takes several seconds per model",
        )
        labels = st.pills(
            "Saliency map for class",
            first.classes,
            selection_mode="multi",
            wrap=True,
            default=[first.shown_class],
            format_func=CLASS_TITLES.__getitem__,
            key=f"study-class-{entry.key}",
        )
        layer = (
            _layer(next(reading for reading in entry.readings if reading.network in networks))
            if len(networks) == 1
            else None
        )
    return Selection(tuple(networks), tuple(selected), tuple(labels), layer)


def _layer(reading: Reading) -> str:
    reader = resources.reader_of(reading)
    return st.selectbox(
        "Layer",
        reader.layers,
        index=reader.layers.index(reader.card.evidence_layer),
        key=f"layer-{reading.network}",
        width=240,
        help="Earlier layers have a finer grid but carry less class information; their maps were not evaluated",
    )


def _explained(entry: Entry, reading: Reading, method: str, layer: str | None) -> Reading:
    """The reading with the maps of a method at a layer, computed where they are not there; the session keeps them."""
    known = _known(entry, reading, method, layer)
    if known is not None:
        return known
    assert entry.scan is not None
    layer, reader = layer or reading.layer, resources.reader_of(reading)
    if reader.loads_keras(method, layer):
        with st.spinner("Loading Keras for this map ..."):
            explained = reader.explain(entry.scan, reading, method, layer)
    elif method == "scorecam":
        text = f"Score-CAM of {reading.title}"
        bar = st.progress(0.0, text)

        def show_progress(share: float) -> None:
            bar.progress(share, text)

        explained = reader.explain(entry.scan, reading, method, layer, show_progress)
        bar.empty()
    else:
        explained = reader.explain(entry.scan, reading, method, layer)
    _computed()[_key(entry, reading, method, layer)] = explained.maps
    return replace(reading, maps=explained.maps, method=method, layer=layer)


def _known(entry: Entry, reading: Reading, method: str, layer: str | None) -> Reading | None:
    """The same where nothing needs to be computed; else None."""
    layer = layer or reading.layer
    if (method, layer) == (reading.method, reading.layer):
        return reading
    maps = _computed().get(_key(entry, reading, method, layer))
    return None if maps is None else replace(reading, maps=maps, method=method, layer=layer)


def _computed() -> dict[tuple, np.ndarray]:
    return st.session_state.setdefault("evidence-maps", {})


def _key(entry: Entry, reading: Reading, method: str, layer: str) -> tuple:
    assert entry.scan is not None
    return (entry.key, entry.scan.slice, reading.version, method, layer)


def _track_record(shown: panes.Map) -> str:
    from utils.results.track_record import pointing_sentence

    reading = shown.reading
    if reading.layer != resources.reader_of(reading).card.evidence_layer:
        return f"At {reading.layer}. Not yet measured whether this map points at tumours."
    return pointing_sentence(
        resources.explanations(reading.network, reading.version), reading.method, shown.label
    )
