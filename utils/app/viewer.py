"""The interactive viewer: linked panes of one scan, and the slices of a volume."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from utils.app.components import component
from utils.app.panes import View
from utils.evidence import overlays
from utils.scans import rendering

if TYPE_CHECKING:
    import numpy as np

WIDEST = 1460  # pixels: twice the widest column, for dense screens; st.image has the same limit for arrays
WIDEST_MAP = 512  # saliency maps are smooth
WIDEST_SLICE = 512  # pixels of a slice of a volume: all of them travel to the browser
WIDEST_SLICE_MAP = 64
_show_viewer = component(
    "scan_viewer",
    "scan_viewer.js",
    "scan_viewer_bar.js",
    "scan_viewer_pointer.js",
    "scan_viewer_tools.js",
    "ruler.js",
    "keyboard.js",
    "dom.js",
    "scan_viewer.css",
)
_keep_stack = component("stack_images", "stack_images.js")
_keep_view = component("views_beside", "views_beside.js", "dom.js")


@dataclass(frozen=True)
class StackPlace:
    """The slice in view of a stack whose slices `keep_stack` keeps in the browser under `name`.

    Where `jump` differs from that of the run before, the viewer goes to `position`. `kind`: of slices that are counted.
    `volume` is equal for the stacks whose positions are one; "": the key of the entry.
    """

    name: str
    position: int
    jump: int = 0
    kind: str = "with brain"
    volume: str = ""


Shown = dict[str, Any]  # what the browser gets of a view


def shown_of(view: View, layout: int, place: StackPlace | None = None) -> Shown:
    """What the browser gets of a view.

    layout: how many panes stand side by side at first: 1, the others are small pictures beside it; 2; or 3 for all.
    place: of a stack, through which the viewer moves.
    """
    return {
        "key": view.key,
        "file": view.file,
        "study": view.is_study,
        "layout": layout,
        "palette": overlays.palette().tolist(),
        "volume": place.volume if place and place.volume else view.key,
        "stack": place.name if place else None,
        "position": place.position if place else 0,
        "jump": place.jump if place else 0,
        "kind": place.kind if place else "",
        **_images(view, WIDEST, WIDEST_MAP),
    }


def scan_viewer(shown: Shown, key: str, on_move: Callable[[str, int, int], None] | None = None) -> None:
    """The panes of a view; they zoom, pan, change their window and are measured together.

    on_move: gets the volume of a `StackPlace`, the position of its slice that the viewer rests at, and its jump.

    A study view also has a display threshold, its contour, the value under the pointer, and a PNG of all panes.
    Changes happen in the browser without the server. The images travel inside the session's own websocket.
    """

    def moved() -> None:
        place = getattr(
            st.session_state.get(key), "place", None
        )  # no state where the page was left meanwhile
        if place is not None and on_move is not None:
            on_move(str(place["key"]), int(place["position"]), int(place["jump"]))

    _show_viewer(key=key, data=shown, on_place_change=moved)


def keep_view(shown: Shown) -> None:
    """Keep what the viewer shows of another scan in the browser: a step through the worklist then shows it at once."""
    _keep_view(key=f"view-{shown['key']}", data=shown)


def slice_of(view: View, number: int) -> Shown:
    """What the browser needs to show a slice of a stack; number: for people, from 1."""
    return {"number": number, **_images(view, WIDEST_SLICE, WIDEST_SLICE_MAP)}


def keep_stack(name: str, slices: Sequence[Shown]) -> None:
    """Keep the slices of a stack, of `slice_of`, in the browser; those of another stack go."""
    _keep_stack(key="stack-images", data={"name": name, "slices": slices})


def _images(view: View, widest: int, widest_map: int) -> Shown:
    """The scan, its panes and outlines as the viewer takes them."""
    height, width = view.pixels.shape
    return {
        "name": view.name,
        "size": [width, height],
        "spacing": view.spacing,
        "sides": view.sides,
        "scan": address(rendering.png(rendering.fitted(rendering.gray_image(view.pixels), widest))),
        "outlines": {kind: lines_of(contours, view.pixels.shape) for kind, contours in view.outlines.items()},
        "panes": [
            {
                "title": pane.title,
                "caption": pane.caption,
                "alt": pane.alt,
                "full": pane.full,
                "evidence": None
                if pane.strength is None
                else address(rendering.png(overlays.levels(rendering.fitted(pane.strength, widest_map)))),
            }
            for pane in view.panes
        ],
    }


def lines_of(contours: Sequence[np.ndarray], shape: tuple[int, int]) -> tuple[list[float], ...]:
    """Borders (K, 2) int32 (x, y) on an image (H, W), each x, y, x, y, ... as shares of width and height."""
    height, width = shape
    return tuple(((points + 0.5) / (width, height)).round(4).ravel().tolist() for points in contours)


def address(png: bytes) -> str:
    """A PNG file as a data address, which travels inside the session's own websocket."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
