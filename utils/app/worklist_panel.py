"""The worklist beside the scan, and the bar that picks a scan on the other pages."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from utils.app import review_panel, session
from utils.app.components import component
from utils.reading.conclusion import reading_in_words
from utils.reading.worklist import Entry, representative

_keep_thumbnails = component("worklist_thumbnails", "worklist_thumbnails.js")
_show = component("worklist", "worklist_panel.js", "keyboard.js", "dom.js", "worklist_panel.css")


def worklist_panel(entries: Sequence[Entry], selected: str | None, is_bar: bool = False) -> None:
    """One row per scan with thumbnail, status and review; the arrow keys step through those that were read.

    selected: the key of the scan in view, which is the row that is marked. A bar has a menu instead of rows.
    """
    key = "scan-bar" if is_bar else "worklist-panel"
    if not is_bar:
        shown = {
            entry.key: session.thumbnail(representative(entry)) for entry in entries if entry.is_accepted
        }
        with st.container(key="thumbnails"):
            _keep_thumbnails(key="worklist-thumbnails", data=shown)
    _show(
        key=key,
        data={
            "rows": [_row(entry, is_bar) for entry in entries],
            "selected": selected,
            "steps": st.session_state.get("steps", 0),
            "isBar": is_bar,
        },
        on_select_change=lambda: _select(st.session_state[key].select),
    )


def _select(key: str | None) -> None:
    if key:
        session.select(key)
        st.session_state["steps"] = st.session_state.get("steps", 0) + 1


def _row(entry: Entry, is_bar: bool) -> dict[str, str | bool]:
    row: dict[str, str | bool] = {"key": entry.key, "name": entry.name, "isRead": entry.is_read}
    if is_bar:
        return row
    scan = representative(entry)
    shown = scan.is_read and session.predictions_shown(entry)
    review = review_panel.reviews().get(entry.key)
    return row | {
        "status": scan.status,
        "title": scan.status_title,
        "answer": "; ".join(map(reading_in_words, scan.readings)) if shown else entry.reason or "",
        "review": review_panel.VERDICT_TITLES[review.verdict] if review else "",
    }
