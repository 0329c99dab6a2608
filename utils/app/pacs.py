"""The archive of the PACS page, as `secrets.toml` configures it. Address and credentials are never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from utils.app import access
from utils.dicomweb.errors import ArchiveError

if TYPE_CHECKING:
    from utils.dicomweb.archive import Archive, StudyEntry

SECTION = "pacs"


def is_configured() -> bool:
    """Whether the secrets have a section [pacs]; without it there is no PACS page."""
    return st.secrets.load_if_toml_exists() and SECTION in st.secrets


def archive() -> Archive:
    """The configured archive. Shows what is wrong and stops the page where it cannot be used."""
    if access.is_open_to_network():
        st.error(
            "The PACS page needs a login, because this app is open to a network. See SECURITY.md.",
            icon=":material/error:",
        )
        st.stop()
    from utils.dicomweb.archive import Archive  # half a second to import

    settings: Any = st.secrets[SECTION]
    try:
        return Archive(
            str(settings.get("url", "")), str(settings.get("user", "")), str(settings.get("password", ""))
        )
    except (ArchiveError, AttributeError):  # AttributeError: `pacs` is no section
        st.error(
            "The section [pacs] of the secrets needs `url`, the DICOMweb root of the archive.",
            icon=":material/error:",
        )
        st.stop()


def studies() -> list[StudyEntry] | None:
    """The result of the last search; None before the first."""
    return st.session_state.get("pacs-studies")


def keep_studies(entries: list[StudyEntry]) -> None:
    """Keep the result of a search in the session."""
    st.session_state["pacs-studies"] = entries


def forget_studies() -> None:
    """Before another search: its result and what was selected in it."""
    st.session_state.pop("pacs-studies", None)
    st.session_state["pacs-searches"] = st.session_state.get("pacs-searches", 0) + 1


def table_key(name: str) -> str:
    """The key of a table of the last search: rows that were selected in an earlier result do not count."""
    return f"pacs-{name}-{st.session_state.get('pacs-searches', 0)}"


def loaded_as(series: str) -> str:
    """The neutral name of a series in this session's worklist; "" where it was not loaded."""
    number = _numbers().get(series)
    return "" if number is None else f"PACS {number}"


def file_names(series: str, count: int) -> list[str]:
    """Neutral names of the files of a series; the same series has the same names in a session."""
    numbers = _numbers()
    numbers.setdefault(series, len(numbers) + 1)
    return [f"{loaded_as(series)} ({image})" for image in range(1, count + 1)]


def _numbers() -> dict[str, int]:
    """The series that this session has loaded, by UID."""
    return st.session_state.setdefault("pacs-series", {})
