"""The two interactive views: linked panes, and an image that the wheel scrolls. The only place with JavaScript."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from utils.app.panes import View
from utils.evidence import overlays
from utils.scans import rendering

WIDEST = 1460  # pixels: twice the widest column, for dense screens; st.image has the same limit for arrays
WIDEST_MAP = 512  # saliency maps are smooth
_WHEEL_CSS = "img {width: 100%; display: block; border-radius: 0.5rem; cursor: ns-resize}"
# Wheels and trackpads send many small events: they are summed, and a step is sent for every 40 pixels.
_WHEEL_JS = """
export default function ({ data, parentElement, setTriggerValue }) {
  let image = parentElement.querySelector("img");
  if (!image) {
    image = document.createElement("img");
    parentElement.appendChild(image);
  }
  image.src = data.source;
  image.alt = data.alt;
  let distance = 0;
  image.onwheel = (event) => {
    event.preventDefault();
    distance += event.deltaY;
    if (Math.abs(distance) >= 40) {
      setTriggerValue("step", distance > 0 ? 1 : -1);
      distance = 0;
    }
  };
}
"""
_show_wheel = st.components.v2.component("wheel_image", css=_WHEEL_CSS, js=_WHEEL_JS)
_code, _style = (
    Path(__file__).with_name(f"scan_viewer.{kind}").read_text(encoding="utf-8") for kind in ("js", "css")
)
_show_viewer = st.components.v2.component("scan_viewer", css=_style, js=_code)


def wheel_image(png: bytes, alt: str, key: str, on_step: Callable[[], None]) -> None:
    """Show a PNG file. `on_step` is called when the wheel turns over it.

    The direction is in the session state: `st.session_state[key].step` is 1 (down) or -1 (up).
    """
    _show_wheel(key=key, data={"source": address(png), "alt": alt}, on_step_change=on_step)


def scan_viewer(view: View, key: str) -> None:
    """The panes of a view; they zoom, pan and change their window together.

    A study view also has a display threshold, its contour, the value under the pointer, and a PNG of all panes.
    Changes happen in the browser without the server. The images travel inside the session's own websocket.
    """
    height, width = view.pixels.shape
    lines = {
        kind: [((points + 0.5) / (width, height)).round(4).ravel().tolist() for points in contours]
        for kind, contours in view.outlines.items()
    }
    _show_viewer(
        key=key,
        data={
            "name": view.name,
            "file": view.file,
            "study": view.is_study,
            "outlines": lines,
            "palette": overlays.palette().tolist(),
            "scan": address(rendering.png(rendering.fitted(rendering.gray_image(view.pixels), WIDEST))),
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
                for pane in view.panes
            ],
        },
    )


def address(png: bytes) -> str:
    """A PNG file as a data address, which travels inside the session's own websocket."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
