"""Keys of Streamlit's buttons, and the sheet that lists every key of the page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from utils.app.components import component

_show_sheet = component("shortcuts", "shortcuts.js", "keyboard.js", "dom.js", "shortcuts.css")
_list_keys = component("button_keys", "button_keys.js", "keyboard.js")


def sheet() -> None:
    """The sheet of shortcuts at "?", with a button that opens it. A page begins with this."""
    st.session_state["shortcuts"] = {}
    with st.container(key="shortcuts"):
        _show_sheet(key="shortcuts-sheet")


def button(title: str, shortcut: str, group: str, **options: Any) -> bool:
    """A button that a key presses, under its group on the sheet of shortcuts; options: those of `st.button`."""
    groups = st.session_state.setdefault("shortcuts", {})
    groups.setdefault(group, {})[shortcut] = title
    return st.button(title, shortcut=shortcut, **options)


def list_buttons() -> None:
    """Tell the sheet the keys of this page's buttons. A page that is not stopped ends with this."""
    groups = [
        {"title": group, "rows": [{"keys": [key], "title": title} for key, title in rows.items()]}
        for group, rows in st.session_state["shortcuts"].items()
    ]
    with st.container(key="button-keys"):
        _list_keys(key="keys-of-buttons", data={"groups": groups})
