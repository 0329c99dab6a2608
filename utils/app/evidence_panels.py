"""What pages show of the evidence: maps over the scan, where they point and how far that is right, the outline."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from utils.app import panels, resources, viewer
from utils.evidence import overlays
from utils.evidence.cams import IN_LOGITS, METHOD_TITLES
from utils.evidence.outlines import sizes_in_words
from utils.evidence.regions import find_region, overlap
from utils.networks.shipped import evidence_scale, scaled_methods
from utils.reading.conclusion import reading_in_words
from utils.reading.worklist import Entry
from utils.wording import CLASS_TITLES, probability_in_percent

if TYPE_CHECKING:
    from utils.reading.reader import Reading

MOST_PANES = 12


@dataclass(frozen=True)
class Drawn:
    """What stays in the session of an outline: its lines and its sizes (`outlines.Outline`)."""

    contours: tuple[np.ndarray, ...]
    sizes: dict[str, float | None]


def class_picker(entry: Entry, key: str) -> str:
    """Which class's evidence is shown; begins with what the first network sees."""
    return st.segmented_control(
        "Evidence for",
        entry.readings[0].classes,
        default=entry.readings[0].shown_class,
        format_func=CLASS_TITLES.__getitem__,
        key=f"{key}-{entry.key}",
        required=True,
        wrap=True,
    )


def evidence(entry: Entry, key: str) -> None:
    """The scan and every network's Grad-CAM side by side, moving together; `key` tells the pages apart."""
    label = class_picker(entry, f"{key}-class")
    panes = [viewer.Pane(entry.name, "The scan as it is", f"The scan {entry.name}")]
    panes += [_pane(reading, label, panels.trust(reading), entry.name) for reading in entry.readings]
    _viewer(entry, panes, f"{key}-viewer")
    with st.container(width=360):
        legend()
    _whereabouts(entry, entry.readings, label)
    _outline_in_words(entry)
    if label != "no_tumor" and all(reading.label == "no_tumor" for reading in entry.readings):
        st.caption(
            f"No tumour was named. The maps show what little speaks for {CLASS_TITLES[label]}, the likeliest one."
        )


def study(entry: Entry) -> None:
    """The maps of the networks, methods and classes that are asked for, in a grid with everything to study them by."""
    assert entry.scan is not None
    networks, methods, labels, layer = _wanted(entry)
    readings = [
        _explained(entry, reading, method, layer)
        for method in methods
        for reading in entry.readings
        if reading.network in networks
    ]
    combinations = [(reading, label) for label in labels for reading in readings]
    if not combinations:
        st.info("Choose at least one network, one method and one class.")
        return
    if len(combinations) > MOST_PANES:
        st.info(f"{len(combinations)} maps were asked for; the first {MOST_PANES} are shown.")
        combinations = combinations[:MOST_PANES]
    panes = [
        _pane(
            reading,
            label,
            _track_record(reading, label),
            entry.name,
            with_method=True,
        )
        for reading, label in combinations
    ]
    stem = f"{Path(entry.name).stem}-evidence"
    _viewer(entry, panes, "study-viewer", study=True, file=stem)
    with st.container(horizontal=True, vertical_alignment="center", gap="large"):
        with st.container(width=360):
            legend()
        st.download_button(
            "Download NPY",
            lambda: as_npy([reading.evidence(label) for reading, label in combinations]),
            f"{stem}.npy",
            "application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
            help="The maps in the order shown, (maps, height, width) float32, on the scan's pixels, not scaled",
        )
    for label in labels:
        _whereabouts(entry, [reading for reading, shown in combinations if shown == label], label)
    _outline_in_words(entry)


def draw(entry: Entry, reading: Reading, label: str, opacity: float) -> np.ndarray:
    """(H, W, 3) uint8: the scan with one network's evidence for a class, on the scale common to all."""
    assert entry.scan is not None
    return overlays.overlay(entry.scan.pixels, reading.strength(label, evidence_scale()), opacity)


def legend() -> None:
    """The colour scale of every map."""
    ramp = np.tile(np.linspace(0, 1, 256, dtype=np.float32), (10, 1))
    panels.picture(
        overlays.overlay(np.full_like(ramp, 0.25), ramp, 1.0),
        "Colour scale from no evidence (the scan as it is) to strong evidence (yellow)",
        "no evidence → strong evidence; one scale for both networks and all classes",
    )


def _wanted(entry: Entry) -> tuple[list[str], list[str], list[str], str | None]:
    """Networks, methods and classes, each one or several; of one network also another layer than the evidence layer."""
    titles = {reading.network: reading.title for reading in entry.readings}
    methods = scaled_methods() or ("gradcam",)
    first = entry.readings[0]
    with st.container(horizontal=True, gap="large"):
        networks = st.pills(
            "Networks",
            list(titles),
            selection_mode="multi",
            default=list(titles),
            format_func=titles.__getitem__,
        )
        chosen = st.pills(
            "Methods",
            methods,
            selection_mode="multi",
            default=methods[:1],
            format_func=METHOD_TITLES.__getitem__,
            help="Score-CAM asks the network 32 times a map and takes seconds",
        )
        labels = st.pills(
            "Evidence for",
            first.classes,
            selection_mode="multi",
            default=[first.shown_class],
            format_func=CLASS_TITLES.__getitem__,
            key=f"study-class-{entry.key}",
        )
        layer = (
            _layer(next(one for one in entry.readings if one.network in networks))
            if len(networks) == 1
            else None
        )
    return networks, chosen, labels, layer


def _layer(reading: Reading) -> str:
    reader = resources.reader_of(reading)
    return st.selectbox(
        "Layer",
        reader.layers,
        index=reader.layers.index(reader.card.evidence_layer),
        key=f"layer-{reading.network}",
        width=240,
        help="Earlier layers are finer and know less; how often their maps are right is not told",
    )


def _viewer(
    entry: Entry, panes: Sequence[viewer.Pane], key: str, study: bool = False, file: str = ""
) -> None:
    assert entry.scan is not None
    outlines: dict[str, Sequence[np.ndarray]] = {}
    drawn = outline_of(entry)
    if drawn is not None and drawn.contours:
        outlines["outline"] = drawn.contours
    known = resources.known_mask(entry.sha256, entry.scan.shape) if study else None
    if known is not None:
        outlines["mask"] = known
    viewer.scan_viewer(f"{entry.key} {entry.name}", entry.scan.pixels, panes, key, study, outlines, file)


def _pane(reading: Reading, label: str, caption: str, name: str, with_method: bool = False) -> viewer.Pane:
    """One network's map of a class; its title tells the network's answer, or the method and the class."""
    method, wanted = METHOD_TITLES[reading.method], CLASS_TITLES[label]
    scale = evidence_scale(reading.method)
    unit = (
        "logits" if reading.method in IN_LOGITS else "probability" if reading.method == "scorecam" else None
    )
    answer = reading_in_words(reading)
    return viewer.Pane(
        f"{reading.title}: {f'{method}, {wanted}' if with_method else answer}",
        caption,
        f"The scan {name} with the {method} evidence of {reading.title} for {wanted}",
        reading.strength(label, scale),
        (scale, unit) if unit else None,
    )


def _explained(entry: Entry, reading: Reading, method: str, layer: str | None) -> Reading:
    """The reading with a method's maps at a layer; they are kept, so that they are computed once."""
    layer = layer or reading.layer
    if (method, layer) == (reading.method, reading.layer):
        return reading
    assert entry.scan is not None
    kept = st.session_state.setdefault("evidence-maps", {})
    key = (entry.key, entry.scan.slice, reading.version, method, layer)
    if key not in kept:
        if method == "scorecam":
            bar = st.progress(0.0, f"Score-CAM of {reading.title}")

            def progress(share: float) -> None:
                bar.progress(share, f"Score-CAM of {reading.title}")

            explained = resources.reader_of(reading).explain(entry.scan, reading, method, layer, progress)
            bar.empty()
        else:
            explained = resources.reader_of(reading).explain(entry.scan, reading, method, layer)
        kept[key] = explained.maps
    return replace(reading, maps=kept[key], method=method, layer=layer)


def outline_of(entry: Entry) -> Drawn | None:
    """The tumour's outline on the scan in view, empty where none is seen; None without a network that draws it."""
    segmenter = resources.segmenter()
    if segmenter is None:
        return None
    assert entry.scan is not None
    kept = st.session_state.setdefault("outlines", {})
    key = (entry.key, entry.scan.slice)
    if key not in kept:
        found = segmenter.outline(entry.scan)
        kept[key] = Drawn(found.contours, found.sizes)
    return kept[key]


def _whereabouts(entry: Entry, readings: Sequence[Reading], label: str) -> None:
    """In words: where the strongest evidence for a tumour lies, and whether two maps agree on it."""
    if label == "no_tumor":
        return
    assert entry.scan is not None
    lines, regions = [], []
    for reading in readings:
        card = resources.reader_of(reading).card
        threshold = card.region_threshold(reading.method)
        if threshold is None or reading.layer != card.evidence_layer:
            continue
        region = find_region(reading.strength(label, 1.0), threshold, entry.scan)
        who = (
            reading.title
            if reading.method == "gradcam"
            else f"{reading.title}, {METHOD_TITLES[reading.method]}"
        )
        lines.append(f"{who} {region.in_words if region else 'none that would mark a region'}")
        if region:
            regions.append(region.mask)
    if len(regions) == 2:
        lines.append(f"the two regions overlap by {probability_in_percent(overlap(*regions))}")
    if lines:
        st.caption(f"Strongest evidence for {CLASS_TITLES[label]}: {'; '.join(lines)}.")


def _outline_in_words(entry: Entry) -> None:
    drawn = outline_of(entry)
    if drawn is not None:
        from utils.results.track_record import outline_sentence

        told = outline_sentence(resources.outline_figures())
        st.caption(f"Outline of the tumour (U-Net, green): {sizes_in_words(drawn.sizes)}. {told}")


def _track_record(reading: Reading, label: str) -> str:
    from utils.results.track_record import pointing_sentence

    if reading.layer != resources.reader_of(reading).card.evidence_layer:
        return f"At {reading.layer}. Not yet measured whether this map points at tumours."
    return pointing_sentence(resources.explanations(reading.network, reading.version), reading.method, label)


def as_npy(maps: Sequence[np.ndarray]) -> bytes:
    """An NPY file of maps of one shape."""
    stream = io.BytesIO()
    np.save(stream, np.stack(maps))
    return stream.getvalue()
