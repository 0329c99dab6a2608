"""Components whose code is in the files beside this module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st


def component(name: str, *files: str) -> Any:
    """A component from JavaScript files, the first of which has the default export, and style sheets."""
    texts = {
        suffix: "\n".join(
            Path(__file__).with_name(file).read_text(encoding="utf-8")
            for file in files
            if file.endswith(suffix)
        )
        for suffix in (".js", ".css")
    }
    return st.components.v2.component(name, css=texts[".css"] or None, js=texts[".js"])
