"""Saliency maps on the pages: linked panes of one scan or stack, peak activation, outline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from utils.app import panels, panes, resources, session, viewer
from utils.evidence.outlines import Outline, sizes_in_words
from utils.networks.shipped import evidence_scale
from utils.reading import worklist
from utils.reading.worklist import Entry
from utils.wording import CLASS_TITLES

if TYPE_CHECKING:
    from utils.reading.reader import Reading

VIEWS_KEPT = 8  # of linked panes, with their images: steps through the worklist come back to them


def class_choice(entry: Entry, page: str) -> str:
    """The class whose saliency maps are shown; `page` keeps the widgets of pages apart."""
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
    drawn = label or entry.readings[0].shown_class
    if len(entry.slices) > 1:
        # on a slice whose predictions are hidden the class of the slices before stays
        drawn = label or next(iter(_stacks(entry)), drawn)
    captions, shown = _kept_view(entry, label, drawn, layout)
    viewer.scan_viewer(shown, f"{page}-viewer", session.move_to)
    if shown["stack"]:  # after the image, which need not wait for them
        viewer.keep_stack(
            shown["stack"], slices(entry, drawn, lambda each: _linked_view(each, drawn, lambda _: ""))
        )
    if label is None:
        return
    describe(captions, entry)
    if label != "no_tumor" and all(reading.label == "no_tumor" for reading in entry.readings):
        st.caption(
            f"No tumour predicted. The maps show the weak evidence for {CLASS_TITLES[label]}, the most probable tumour "
            "class."
        )


def keep_neighbours(entries: Sequence[Entry], entry: Entry, layout: int) -> None:
    """Keep in the browser what `linked_views` shows at first of the scans before and after one of the worklist."""
    keys = [other.key for other in entries]
    place = keys.index(entry.key) if entry.key in keys else len(keys)
    with st.container(key="neighbours"):
        for other in (*entries[place + 1 : place + 2], *entries[max(place - 1, 0) : place]):
            label = other.readings[0].shown_class
            is_shown = session.predictions_shown(other)
            viewer.keep_view(_kept_view(other, label if is_shown else None, label, layout)[1])


def _kept_view(
    entry: Entry, label: str | None, drawn: str, layout: int
) -> tuple[tuple[str, ...], viewer.Shown]:
    """The captions of a view of `linked_views` and what the browser gets of it; the session keeps the last ones.

    drawn: the class of the other slices of a stack.
    """
    assert entry.scan is not None
    kept: dict[tuple, tuple[tuple[str, ...], viewer.Shown]] = st.session_state.setdefault("views", {})
    versions = tuple(reading.version for reading in entry.readings)
    place = stack_place(entry, drawn)
    key = (entry.key, entry.name, entry.scan.slice, label, drawn, layout, versions, evidence_scale(), place)
    if key not in kept:
        view = _linked_view(entry, label, (lambda _: "") if layout == 1 else _trust)
        kept[key] = (view.captions, viewer.shown_of(view, layout, place))
    kept[key] = kept.pop(key)  # the last one that was used is the last
    for oldest in list(kept)[:-VIEWS_KEPT]:
        del kept[oldest]
    return kept[key]


def _linked_view(entry: Entry, label: str | None, captions: Callable[[panes.Map], str]) -> panes.View:
    """What `linked_views` shows of a scan; where predictions are hidden, without maps and outline."""
    if label is None or not session.predictions_shown(entry):
        hidden = entry.readings if entry.slice_count > 1 else ()  # the panes stay while a stack is scrolled
        return panes.build_hidden_view(entry, [reading.title for reading in hidden])
    outline = outline_of(entry)
    maps = [map_of(reading, label) for reading in entry.readings]
    return panes.build_view(entry, maps, captions, outline.contours if outline else ())


def _trust(shown: panes.Map) -> str:
    return panels.trust(shown.reading)


def outline_of(entry: Entry) -> Outline | None:
    """The outline on the scan in view, empty where nothing is segmented; None without a segmentation network."""
    return entry.segmentation.outline if entry.segmentation else None


def stack_place(entry: Entry, maps: str) -> viewer.StackPlace | None:
    """Where the viewer is in a stack; maps: what is drawn over its slices. None for a single scan."""
    if len(entry.slices) < 2:
        return None
    return viewer.StackPlace(f"{entry.key} {maps}", worklist.viewed_position(entry), session.jumps())


def slices(volume: Entry, maps: str, view_of: Callable[[Entry], panes.View]) -> list[viewer.Shown]:
    """All slices of a volume for the viewer, made once for each choice of maps."""
    stacks = _stacks(volume)
    if maps not in stacks:
        stacks.clear()  # one choice at a time: they are large
        stacks[maps] = [
            viewer.slice_of(view_of(entry), 1 + (entry.scan.slice or 0))
            for entry in volume.slices
            if entry.scan is not None
        ]
    return stacks[maps]


def _stacks(volume: Entry) -> dict[str, list[viewer.Shown]]:
    """The slices of a volume for the viewer, as long as the volume and what is hidden of it stay."""
    state = (volume.key, evidence_scale(), all(map(session.predictions_shown, volume.slices)))
    if st.session_state.get("stack-views", (None,))[0] != state:
        st.session_state["stack-views"] = (state, {})
    return st.session_state["stack-views"][1]


def map_of(reading: Reading, label: str) -> panes.Map:
    """The map of a class as the viewer draws it, on the scale of its method."""
    card = resources.card_of(reading)
    at_evidence_layer = card is not None and reading.layer == card.evidence_layer
    threshold = card.region_threshold(reading.method) if card and at_evidence_layer else None
    return panes.Map(reading, label, evidence_scale(reading.method), threshold)


def describe(captions: Sequence[str], entry: Entry) -> None:
    """Below the viewer: the captions of the view, and the outline in words."""
    for caption in captions:
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
