"""A picture that answers to the mouse wheel: one step a notch. The only JavaScript of the app."""

from __future__ import annotations

import base64
from collections.abc import Callable

import streamlit as st

_CSS = "img {width: 100%; display: block; border-radius: 0.5rem; cursor: ns-resize}"
# Wheels and trackpads send many small events: their travel is summed, and a step is sent for every 40 pixels.
_JS = """
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
_show = st.components.v2.component("wheel_picture", css=_CSS, js=_JS)


def wheel_picture(png: bytes, alt: str, key: str, on_step: Callable[[], None]) -> None:
    """Show a PNG file. `on_step` is called when the wheel was turned over it.

    The direction stands in the session state: `st.session_state[key].step` is 1 (down) or -1 (up).
    """
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    _show(key=key, data={"source": source, "alt": alt}, on_step_change=on_step)
