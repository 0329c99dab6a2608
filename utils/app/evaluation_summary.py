"""The first screen of the Evaluation page: how good the models are, here and elsewhere, and when not to use them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from utils.app import panels
from utils.reports.words import LIMITS
from utils.results.records import Evaluation
from utils.results.tables import answers_table
from utils.results.titles import BASELINE_TITLES
from utils.wording import percent


def summary(evaluations: Sequence[Evaluation]) -> None:
    """The answers without a click; nothing where no model was evaluated on new patients."""
    measured = [evaluation for evaluation in evaluations if evaluation.model not in BASELINE_TITLES]
    rows = answers_table(measured)
    if not rows:
        return
    left, right = st.columns([5, 2], gap="large")
    with left:
        st.subheader("Accuracy on new patients")
        panels.wide_table(rows, "Accuracy on new patients")
        st.caption(
            "Sensitivity: share of the scans with a tumour that are detected. Specificity: share of the scans without "
            "a tumour that are not reported. At the threshold with 95 % specificity on validation scans. In brackets: "
            "95 % CI, patient-level bootstrap. A collection never seen, which models were trained without, is what to "
            "expect at another hospital."
        )
    with right:
        st.subheader("When not to use it")
        st.markdown("\n".join(f"- {sentence}" for sentence in (*_from_figures(measured), *LIMITS[:4])))


def _from_figures(measured: Sequence[Evaluation]) -> tuple[str, ...]:
    """What the figures forbid: to rely on a collection never seen, or on a negative answer."""
    unseen = [
        evaluation.record.tumor.sensitivity
        for evaluation in measured
        if evaluation.protocol.is_never_seen and evaluation.record.tumor is not None
    ]
    known = [share for share in unseen if share is not None]
    first = "For diagnosis or to exclude a tumour: it is not a medical device."
    if not known:
        return (first,)
    worst = f"On scans of a new hospital without a test there: sensitivity fell to {percent(min(known))}."
    return first, worst
