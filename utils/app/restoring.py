"""The worklist of a tab after it was reloaded, for as long as this process holds it.

A reload begins a new session. The tab keeps a random token in its session storage, which ends with the tab; the process
keeps what belongs to the token, in memory only, until nobody has used it for HELD_MINUTES. Headers of DICOM files are
not kept.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

import streamlit as st

from utils.app import access, session
from utils.app.components import component
from utils.wording import counted

HELD_MINUTES = 30
KEPT = (
    "worklist", "background", "reviews", "names", "shown-anyway", "selected", "reviewer",
    "referral-threshold", "case-store", "stored-cases", "known-to-store", "site-profile",
)  # fmt: skip
_show_tab = component("tab", "tab.js")


@dataclass
class Held:
    """What one tab has on its worklist. seen: time.monotonic() of its last use; user: who is logged in, or ""."""

    state: dict[str, Any]
    seen: float
    user: str


class Holder:
    """The worklists of all tabs of this process. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}

    def put(self, token: str, held: Held) -> None:
        with self._lock:
            self._held[token] = held

    def get(self, token: str, user: str) -> Held | None:
        """What a token holds, for the user who left it there."""
        self.drop_old()
        with self._lock:
            held = self._held.get(token)
            return held if held and held.user == user else None

    def forget(self, token: str) -> None:
        with self._lock:
            self._held.pop(token, None)

    def drop_old(self) -> None:
        with self._lock:
            oldest = time.monotonic() - 60 * HELD_MINUTES
            for token in [token for token, held in self._held.items() if held.seen < oldest]:
                del self._held[token]


@st.cache_resource(show_spinner=False)
def _holder() -> Holder:
    holder = Holder()

    def drop_old_ones() -> None:
        while True:
            time.sleep(60)
            holder.drop_old()

    threading.Thread(target=drop_old_ones, daemon=True, name="drop-worklists").start()
    return holder


def hold() -> None:
    """Hold this session's worklist for a reload of its tab; called at every run of a page."""
    token = st.session_state.setdefault("tab-token", secrets.token_urlsafe(24))
    if st.session_state.get("worklist"):
        state = {name: st.session_state[name] for name in KEPT if name in st.session_state}
        _holder().put(token, Held(state, time.monotonic(), access.user_name()))
        st.session_state.pop("former-tab", None)
    elif "former-tab" not in st.session_state:
        _holder().forget(token)
    _show_tab(key="tab", data={"token": token}, height=1, on_former_change=_reloaded)


def offer() -> None:
    """Offer the scans that the tab had before it was reloaded, or before the worklist was cleared."""
    if session.entries():
        return
    former = _holder().get(st.session_state.get("former-tab", ""), access.user_name())
    if former is not None:
        _question(former.state["worklist"], "were open in this tab before it was reloaded", former)
    elif session.cleared():
        _question(session.cleared(), "were removed from the worklist", None)


def _question(worklist: dict[str, Any], what: str, former: Held | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        count = len(worklist)
        st.markdown(f"{counted(count, 'file')} {what if count != 1 else what.replace('were', 'was', 1)}.")
        if st.button("Restore" if former else "Undo", icon=":material/undo:"):
            if former:
                st.session_state.update(former.state)
            else:
                session.undo_clear()
            st.rerun()
        if st.button("Forget", icon=":material/delete:"):
            _holder().forget(st.session_state.pop("former-tab", ""))
            session.forget_cleared()
            st.rerun()


def _reloaded() -> None:
    """The tab had another token before: keep what belongs to it under the new one, until the user has decided."""
    former = st.session_state["tab"].former
    held = _holder().get(former or "", access.user_name())
    if held is not None and held.state.get("worklist") and not st.session_state.get("worklist"):
        st.session_state["former-tab"] = token = st.session_state["tab-token"]
        _holder().put(token, Held(held.state, time.monotonic(), held.user))
        _holder().forget(former)
