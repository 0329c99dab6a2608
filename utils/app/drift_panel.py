"""The drift monitor of the session: what it reads against the site profile in use."""

from __future__ import annotations

import streamlit as st

from utils.acceptance.drift import LOOKS, Drift, appearance, latest_drift, values_of
from utils.acceptance.words import drift_in_words
from utils.app import session, site
from utils.results.titles import MODEL_TITLES


def drift() -> Drift | None:
    """The last test of the session's scans; None without a profile, or with fewer scans than the first test takes."""
    profile = site.profile()
    if profile is None:
        return None
    scans = [appearance(entry) for entry in session.as_evaluated() if entry.is_read]
    return latest_drift(profile.distributions, values_of(profile.distributions, scans))


def alarm() -> None:
    """A notice where the scans depart; nothing else."""
    result = drift()
    if result is not None and result.departing:
        st.warning(drift_in_words(result, MODEL_TITLES), icon=":material/trending_down:")


def panel() -> None:
    """What the monitor says, on the Acceptance page."""
    result = drift()
    if result is None:
        read = sum(entry.is_read for entry in session.as_evaluated())
        st.caption(f"Drift monitor: {read} of the {LOOKS[0]} scans read that its first test takes.")
        return
    if result.departing:
        alarm()
    else:
        st.caption(drift_in_words(result, MODEL_TITLES))
