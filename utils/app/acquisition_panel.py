"""Sequence and plane of a scan on the pages, with how far to trust what was recognised from the image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from utils.paths import models_folder
from utils.reading.acquisition import IMAGE, recognition_trust
from utils.reading.worklist import Entry

if TYPE_CHECKING:
    from utils.records.sequences import SequencesRecord


def acquisition(entry: Entry, before: str = "", *sentences: str) -> None:
    """Sequence and plane with their origin, and further sentences; the help has the accuracy of the recogniser."""
    known = entry.acquisition
    record = measured() if known.sequence_origin == IMAGE else None
    words = f"{before}{known.in_words}{'.' if sentences else ''}"
    st.caption(" ".join([words, *sentences]), help=recognition_trust(record) if record else None)


def measured() -> SequencesRecord | None:
    """What was measured about the recognition; None where it was not, or with other weights."""
    return _measured(str(models_folder()))


@st.cache_resource(show_spinner=False, ttl=600)
def _measured(models: str) -> SequencesRecord | None:
    from utils.results.records import load_sequences  # pandas, a second to import

    return load_sequences(Path(models))
