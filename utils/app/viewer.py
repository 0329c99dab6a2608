"""The app's two pictures that answer to mouse and keys. All JavaScript of the app is here and in scan_viewer.js."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from utils.evidence import overlays
from utils.scans import rendering

WIDEST = 1460  # pixels: twice the widest column, for dense screens; st.image has the same limit for arrays
WIDEST_MAP = 512  # evidence is smooth
_WHEEL_CSS = "img {width: 100%; display: block; border-radius: 0.5rem; cursor: ns-resize}"
# Wheels and trackpads send many small events: their travel is summed, and a step is sent for every 40 pixels.
_WHEEL_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  let image = parentElement.querySelector("img");
  if (!image) {
    image = document.createElement("img");
    parentElement.appendChild(image);
  }
  image.src = data.source;
  image.alt = data.alt;
  let travelled = 0;
  image.onwheel = (event) => {
    event.preventDefault();
    travelled += event.deltaY;
    if (Math.abs(travelled) >= 40) {
      setTriggerValue("step", travelled > 0 ? 1 : -1);
      travelled = 0;
    }
  };
}
"""
_show_wheel = st.components.v2.component("wheel_picture", css=_WHEEL_CSS, js=_WHEEL_JS)
_code, _style = (
    Path(__file__).with_name(f"scan_viewer.{kind}").read_text(encoding="utf-8") for kind in ("js", "css")
)
_show_viewer = st.components.v2.component("scan_viewer", css=_style, js=_code)


@dataclass(frozen=True)
class Pane:
    """One view of the scan: `strength` (H, W) float is the evidence drawn over it, 1 at full colour, or None.

    full: what full colour means, told at the pointer ("0.17 logits"); empty: the share of full colour alone.
    """

    title: str
    caption: str
    alt: str
    strength: np.ndarray | None = None
    full: tuple[float, str] | None = None  # value and unit at strength 1


def wheel_picture(png: bytes, alt: str, key: str, on_step: Callable[[], None]) -> None:
    """Show a PNG file. `on_step` is called when the wheel was turned over it.

    The direction stands in the session state: `st.session_state[key].step` is 1 (down) or -1 (up).
    """
    _show_wheel(key=key, data={"source": address(png), "alt": alt}, on_step_change=on_step)


def scan_viewer(
    name: str,
    pixels: np.ndarray,
    panes: Sequence[Pane],
    key: str,
    study: bool = False,
    outlines: Mapping[str, Sequence[np.ndarray]] | None = None,
    file: str = "evidence",
) -> None:
    """The scan (H, W) float in 0..1, once a pane. All panes zoom, move and change their window together.

    `study` adds what one needs to study a map: a threshold, its contour, the value under the pointer, a PNG `file` of
    all panes. `name` tells scans apart: another one starts with its own window and zoom. `outlines`: closed lines,
    (K, 2) each, x and y in the scan's pixels, by kind ("outline": a network's; "mask": the known one). Changes happen
    in the browser and ask the server nothing. The pictures travel inside the session's own websocket.
    """
    height, width = pixels.shape
    lines = {
        kind: [((points + 0.5) / (width, height)).round(4).ravel().tolist() for points in contours]
        for kind, contours in (outlines or {}).items()
    }
    _show_viewer(
        key=key,
        data={
            "name": name,
            "file": file,
            "study": study,
            "outlines": lines,
            "palette": overlays.palette().tolist(),
            "scan": address(rendering.png(rendering.fitted(rendering.gray_image(pixels), WIDEST))),
            "panes": [
                {
                    "title": pane.title,
                    "caption": pane.caption,
                    "alt": pane.alt,
                    "full": pane.full,
                    "evidence": None
                    if pane.strength is None
                    else address(rendering.png(overlays.levels(rendering.fitted(pane.strength, WIDEST_MAP)))),
                }
                for pane in panes
            ],
        },
    )


def address(png: bytes) -> str:
    """A PNG file as a data address: it travels inside the session's own websocket and has no address of its own."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
