"""The archive of the PACS page, as `secrets.toml` configures it. Address and credentials are never shown."""

from __future__ import annotations

from typing import Any

import streamlit as st

from utils.app import access
from utils.dicomweb.archive import Archive
from utils.dicomweb.errors import ArchiveError

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


def file_names(series: str, count: int) -> list[str]:
    """Neutral names of the files of a series; the same series has the same names in a session."""
    numbers = st.session_state.setdefault("pacs-series", {})
    number = numbers.setdefault(series, len(numbers) + 1)
    return [f"PACS series {number}, image {image}" for image in range(1, count + 1)]
