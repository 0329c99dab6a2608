"""What the viewer shows of a scan: a pure function builds the panes from readings and cards. No Streamlit, no Keras."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from utils.evidence.cams import IN_LOGITS, METHOD_TITLES
from utils.evidence.regions import describe, find_region, overlap
from utils.reading.conclusion import reading_in_words
from utils.scans.places import side_letters
from utils.wording import CLASS_TITLES, probability_in_percent

if TYPE_CHECKING:
    from utils.reading.reader import Reading
    from utils.reading.worklist import Entry
    from utils.scans.scan import Scan

MOST_PANES = 12


@dataclass(frozen=True)
class Pane:
    """One view of the scan.

    `strength` (H, W) float is the saliency map drawn over it, 1 at full colour; None for the original image. `full` is
    what full colour means: a value and its unit ("logits", "probability"); None where the method has no unit.
    """

    title: str
    caption: str
    alt: str
    strength: np.ndarray | None = None
    full: tuple[float, str] | None = None


@dataclass(frozen=True)
class Map:
    """One saliency map to show: a reading, whose maps are those of its method and layer, and a class.

    `scale` is the strength at full colour, `region_threshold` the strength above which a map marks a region, None
    where it was not fitted for this network, method and layer.
    """

    reading: Reading
    label: str
    scale: float
    region_threshold: float | None = None


@dataclass(frozen=True)
class View:
    """All that the viewer and the text below it show of one scan.

    `key` is that of the entry, `name` identifies the image, `file` is the stem of downloads. `outlines` are closed
    lines, (K, 2) each, x and y in the scan's pixels, by kind: "outline" of the segmentation network, "mask" of the
    reference segmentation. `captions` locate the peak activation per class. `spacing` is the mm of a pixel, None where
    unknown; `sides` are the sides of the body at the left, right, top and bottom, empty where unknown.
    """

    key: str
    name: str
    pixels: np.ndarray
    panes: tuple[Pane, ...]
    outlines: Mapping[str, Sequence[np.ndarray]]
    captions: tuple[str, ...]
    file: str
    is_study: bool
    spacing: float | None = None
    sides: tuple[str, ...] = ()


def build_view(
    entry: Entry,
    maps: Sequence[Map],
    captions: Callable[[Map], str],
    outline: Sequence[np.ndarray] = (),
    reference: Sequence[np.ndarray] = (),
    is_study: bool = False,
) -> View:
    """The view of a scan that was read.

    captions: the caption of a map's pane (a track record). outline, reference: contours. is_study: for the Heatmaps
    page, the panes are maps only and name their method; else the original image comes first.
    """
    assert entry.scan is not None
    segmented = entry.segmentation.outline if entry.segmentation else None
    lesion = None if segmented is None or segmented.is_empty else segmented.mask
    lines = {kind: contours for kind, contours in (("outline", outline), ("mask", reference)) if contours}
    by_class = [
        [shown for shown in maps if shown.label == label]
        for label in dict.fromkeys(shown.label for shown in maps)
    ]
    return View(
        key=entry.key,
        name=f"{entry.key} {entry.name}",
        pixels=entry.scan.pixels,
        panes=build_panes(entry, maps, captions, is_study),
        outlines=lines,
        captions=tuple(
            filter(None, (peak_activation(entry.scan, same_class, lesion) for same_class in by_class))
        ),
        file=f"{Path(entry.name).stem}-evidence",
        is_study=is_study,
        spacing=entry.scan.spacing[0] if entry.scan.spacing else None,
        sides=side_letters(entry.scan.orientation),
    )


def build_hidden_view(entry: Entry, hidden: Sequence[str]) -> View:
    """The view of a scan without maps and outline; `hidden`: titles of models, each with a pane that shows none."""
    view = build_view(entry, (), lambda _: "")
    panes = [Pane(f"{title}: not shown", "", view.panes[0].alt) for title in hidden]
    return replace(view, panes=(*view.panes, *panes))


def build_panes(
    entry: Entry, maps: Sequence[Map], captions: Callable[[Map], str], is_study: bool = False
) -> tuple[Pane, ...]:
    """The panes of `build_view`."""
    assert entry.scan is not None
    sides = sides_in_words(side_letters(entry.scan.orientation))
    original = Pane(entry.name, "Original image", f"The scan {entry.name}{sides}")
    drawn = [_pane(shown, captions(shown), entry.name, is_study) for shown in maps]
    return tuple(drawn if is_study else [original, *drawn])


def sides_in_words(sides: Sequence[str]) -> str:
    """ " (left R, right L, top A, bottom P)"; empty where the sides are unknown."""
    return " (left {}, right {}, top {}, bottom {})".format(*sides) if sides else ""


def peak_activation(scan: Scan, maps: Sequence[Map], lesion: np.ndarray | None = None) -> str:
    """Where the maps of one class peak and how far two regions overlap, as one sentence; empty without regions.

    lesion: (H, W) bool, the outlined lesion. Regions that overlap it, or each other, have one place: two models that
    mark the same lesion must not seem to mark two.
    """
    label = maps[0].label
    if label == "no_tumor":
        return ""
    shown_maps = [shown for shown in maps if shown.region_threshold is not None]
    regions = [
        find_region(shown.reading.strength(label, 1.0), shown.region_threshold or 0.0, scan)
        for shown in shown_maps
    ]
    masks = [region.mask for region in regions if region]
    shared = overlap(*masks) if len(masks) == 2 else 0.0
    common = describe(masks[0] | masks[1], scan).place if shared else ""
    parts = []
    for shown, region in zip(shown_maps, regions, strict=True):
        method = "" if shown.reading.method == "gradcam" else f" ({METHOD_TITLES[shown.reading.method]})"
        where = "below the threshold for a region"
        if region and lesion is not None:
            is_at_lesion = bool((region.mask & lesion).any())
            place = (
                "at the outlined lesion" if is_at_lesion else f"{common or region.place}, outside the outline"
            )
            where = f"{place}, {region.size_in_words}"
        elif region:
            where = f"{common or region.place}, {region.size_in_words}"
        parts.append(f"{shown.reading.title}{method}: {where}")
    if len(masks) == 2:
        parts.append(f"overlap of the regions (IoU): {probability_in_percent(shared)}")
    return f"Peak activation for {CLASS_TITLES[label]}: {'; '.join(parts)}." if parts else ""


def _pane(shown: Map, caption: str, name: str, has_method: bool) -> Pane:
    """The title holds the method and the class, or the label of the reading."""
    reading, title = shown.reading, CLASS_TITLES[shown.label]
    method = METHOD_TITLES[reading.method]
    unit = {"scorecam": "probability"}.get(reading.method, "logits" if reading.method in IN_LOGITS else "")
    detail = f"{method}, {title}" if has_method else reading_in_words(reading)
    return Pane(
        f"{reading.title}: {detail}",
        caption,
        f"The scan {name} with the {method} saliency map of {reading.title} for {title}",
        reading.strength(shown.label, shown.scale),
        (shown.scale, unit) if unit else None,
    )
