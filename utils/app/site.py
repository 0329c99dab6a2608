"""The site profile of the session: the one that the user chose, else that of $BRAIN_MRI_SITE_PROFILE."""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

from utils.acceptance.profile import SiteProfileError, read_profile
from utils.paths import models_folder
from utils.records.acceptance import AnswerRule, SiteProfile

_KEY = "site-profile"


def profile() -> SiteProfile | None:
    """The profile in use; None without one, or where the configured one cannot be used (`show_problem`)."""
    if _KEY in st.session_state:
        return st.session_state[_KEY]
    configured = _configured()
    return configured if isinstance(configured, SiteProfile) else None


def use(chosen: SiteProfile | None) -> None:
    """Use a profile in this session; None: none, not even the configured one."""
    st.session_state[_KEY] = chosen


def rule() -> AnswerRule | None:
    """The rule that replaces the evaluated one; None without a profile that has refitted it."""
    chosen = profile()
    return chosen.active_rule if chosen else None


def title() -> str:
    """The profile as reports name it; "" without one."""
    chosen = profile()
    return chosen.title if chosen else ""


def show_problem() -> None:
    """An error where the configured profile cannot be used, unless the session has another."""
    if _KEY not in st.session_state and isinstance(problem := _configured(), str):
        st.error(f"{problem} Scans are read as evaluated.", icon=":material/error:")


def _configured() -> SiteProfile | str | None:
    """The profile of the environment, or why it cannot be used."""
    file = os.environ.get("BRAIN_MRI_SITE_PROFILE")
    if not file:
        return None
    path = Path(file).expanduser()
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _read(path, stamp, models_folder())


@st.cache_resource(show_spinner=False, max_entries=4)
def _read(path: Path, stamp: int, models: Path) -> SiteProfile | str:
    """`stamp` changes when the file does."""
    try:
        return read_profile(path, models)
    except SiteProfileError as error:
        return str(error)
