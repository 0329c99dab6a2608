"""Saliency maps on the pages: the choice of maps, the viewer, peak activation, outline and downloads."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from utils.app import panels, panes, resources, session, viewer
from utils.evidence import overlays
from utils.evidence.cams import METHOD_TITLES
from utils.evidence.outlines import Outline, sizes_in_words
from utils.networks.shipped import evidence_scale, scaled_methods
from utils.reading import worklist
from utils.reading.worklist import Entry
from utils.wording import CLASS_TITLES

if TYPE_CHECKING:
    from utils.reading.reader import Reading


def evidence(entry: Entry, page: str) -> None:
    """The original image beside the Grad-CAM map of every model, linked; `page` keeps the widgets of pages apart."""
    linked_views(entry, page, class_choice(entry, page), layout=3)


def class_choice(entry: Entry, page: str) -> str:
    """The class whose saliency maps are shown."""
    label: str = st.segmented_control(
        "Saliency map for class",
        entry.readings[0].classes,
        default=entry.readings[0].shown_class,
        format_func=CLASS_TITLES.__getitem__,
        key=f"{page}-class-{entry.key}",
        required=True,
        wrap=True,
    )
    return label


def linked_views(entry: Entry, page: str, label: str | None, layout: int) -> None:
    """The original image and the map of every model for a class; of a stack also its other slices.

    label: None where predictions are hidden. layout: how many panes stand side by side at first; with 1 the track
    records are left to the page.
    """
    view = _linked_view(entry, label, (lambda _: "") if layout == 1 else _trust)
    if len(entry.slices) < 2:
        viewer.scan_viewer(view, f"{page}-viewer", layout)
    else:
        # on a slice whose predictions are hidden the class of the slices before stays
        drawn = label or next(iter(_stacks(entry)), entry.readings[0].shown_class)
        name, position = f"{entry.key} {drawn}", worklist.viewed_position(entry)
        place = viewer.StackPlace(name, position, lambda chosen: session.show_slice(entry, chosen))
        viewer.scan_viewer(view, f"{page}-viewer", layout, place)
        viewer.keep_stack(name, _slices(entry, drawn))  # after the image, which need not wait for them
    if label is None:
        return
    _captions(view, entry)
    if label != "no_tumor" and all(reading.label == "no_tumor" for reading in entry.readings):
        st.caption(
            f"No tumour predicted. The maps show the weak evidence for {CLASS_TITLES[label]}, the most probable tumour "
            "class."
        )


def study(entry: Entry) -> None:
    """The selected models, methods and classes as a grid of maps, with the tools to study them."""
    assert entry.scan is not None
    networks, methods, labels, layer = _selection(entry)
    readings = [
        _explained(entry, reading, method, layer)
        for method in methods
        for reading in entry.readings
        if reading.network in networks
    ]
    maps = [_map(reading, label) for label in labels for reading in readings]
    if not maps:
        st.info("Select at least one model, one method and one class.")
        return
    if len(maps) > panes.MOST_PANES:
        st.info(f"{len(maps)} maps selected; the first {panes.MOST_PANES} are shown.")
        maps = maps[: panes.MOST_PANES]
    outline, reference = outline_of(entry), resources.reference_mask(entry.sha256, entry.scan.shape)
    view = panes.build_view(
        entry, maps, _track_record, outline.contours if outline else (), reference or (), is_study=True
    )
    viewer.scan_viewer(view, "study-viewer")
    st.download_button(
        "Download NPY",
        lambda: as_npy([shown.reading.evidence(shown.label) for shown in maps]),
        f"{view.file}.npy",
        "application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        help="The maps in the order shown: (maps, height, width) float32, in the scan's pixels, unscaled",
    )
    _captions(view, entry)


def _linked_view(entry: Entry, label: str | None, captions: Callable[[panes.Map], str]) -> panes.View:
    """What `linked_views` shows of a scan; where predictions are hidden, without maps and outline."""
    if label is None or not session.predictions_shown(entry):
        hidden = entry.readings if entry.slice_count > 1 else ()  # the panes stay while a stack is scrolled
        return panes.build_hidden_view(entry, [reading.title for reading in hidden])
    outline = outline_of(entry)
    maps = [_map(reading, label) for reading in entry.readings]
    return panes.build_view(entry, maps, captions, outline.contours if outline else ())


def _trust(shown: panes.Map) -> str:
    return panels.trust(shown.reading)


def _stacks(volume: Entry) -> dict[str, list[dict[str, Any]]]:
    """The slices of a volume for the viewer, by class, as long as the volume and what is hidden of it stay."""
    state = (volume.key, evidence_scale(), all(map(session.predictions_shown, volume.slices)))
    if st.session_state.get("stack-views", (None,))[0] != state:
        st.session_state["stack-views"] = (state, {})
    return st.session_state["stack-views"][1]


def _slices(volume: Entry, label: str) -> list[dict[str, Any]]:
    """All slices of a volume with their maps for a class, made once."""
    stacks = _stacks(volume)
    if label not in stacks:
        stacks.clear()  # one class at a time: they are large
        stacks[label] = [
            viewer.slice_of(_linked_view(entry, label, lambda _: ""), 1 + (entry.scan.slice or 0))
            for entry in volume.slices
            if entry.scan is not None
        ]
    return stacks[label]


def draw(entry: Entry, reading: Reading, label: str, opacity: float) -> np.ndarray:
    """(H, W, 3) uint8: the scan with one model's map of a class, on the common scale."""
    assert entry.scan is not None
    return overlays.overlay(entry.scan.pixels, reading.strength(label, evidence_scale()), opacity)


def outline_of(entry: Entry) -> Outline | None:
    """The outline on the scan in view, empty where nothing is segmented; None without a segmentation network."""
    return entry.segmentation.outline if entry.segmentation else None


def as_npy(maps: Sequence[np.ndarray]) -> bytes:
    """An NPY file of maps of one shape."""
    stream = io.BytesIO()
    np.save(stream, np.stack(maps))
    return stream.getvalue()


def _selection(entry: Entry) -> tuple[list[str], list[str], list[str], str | None]:
    """Models, methods and classes, several each; for a single model also a layer instead of the evidence layer."""
    titles = {reading.network: reading.title for reading in entry.readings}
    methods = scaled_methods() or ("gradcam",)
    first = entry.readings[0]
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
    return networks, selected, labels, layer


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


def _map(reading: Reading, label: str) -> panes.Map:
    card = resources.card_of(reading)
    at_evidence_layer = card is not None and reading.layer == card.evidence_layer
    threshold = card.region_threshold(reading.method) if card and at_evidence_layer else None
    return panes.Map(reading, label, evidence_scale(reading.method), threshold)


def _explained(entry: Entry, reading: Reading, method: str, layer: str | None) -> Reading:
    """The reading with the maps of a method at a layer; the session keeps them."""
    layer = layer or reading.layer
    if (method, layer) == (reading.method, reading.layer):
        return reading
    assert entry.scan is not None
    cache = st.session_state.setdefault("evidence-maps", {})
    key = (entry.key, entry.scan.slice, reading.version, method, layer)
    if key not in cache:
        reader = resources.reader_of(reading)
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
        cache[key] = explained.maps
    return replace(reading, maps=cache[key], method=method, layer=layer)


def _captions(view: panes.View, entry: Entry) -> None:
    for caption in view.captions:
        st.caption(caption)
    segmenter, segmentation = resources.segmenter(), entry.segmentation
    if segmenter is not None and segmentation is not None:
        from utils.results.track_record import outline_sentence

        record = outline_sentence(resources.outline_record())
        sizes = sizes_in_words(segmentation.outline.sizes)
        st.caption(
            f"Tumour outline ({segmenter.card.title}, green): {sizes}; tumour score (0-1) "
            f"{segmentation.tumor_score:.2f}. {record}"
        )


def _track_record(shown: panes.Map) -> str:
    from utils.results.track_record import pointing_sentence

    reading = shown.reading
    if reading.layer != resources.reader_of(reading).card.evidence_layer:
        return f"At {reading.layer}. Not yet measured whether this map points at tumours."
    return pointing_sentence(
        resources.explanations(reading.network, reading.version), reading.method, shown.label
    )
