"""When the session refers a scan to a person: the thresholds, and the control that changes them."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from utils.app import resources, site
from utils.classes import CLASSES
from utils.paths import models_folder
from utils.reading.conclusion import Referral
from utils.wording import CLASS_TITLES, percent


def custom_threshold() -> float | None:
    """The custom referral threshold of this session (0..1), for every class; None where the default is used."""
    return st.session_state.get("referral-threshold")


def thresholds() -> Mapping[str, float] | None:
    """By class, the confidence below which a scan is referred; None where each network's card has its own threshold."""
    own = custom_threshold()
    return fitted_thresholds() if own is None else dict.fromkeys(CLASSES, own)


def fitted_thresholds() -> Mapping[str, float] | None:
    """The referral thresholds of the site profile, else of the ensemble."""
    rule = site.rule()
    return rule.referral_thresholds if rule else resources.ensemble_thresholds()


def rule() -> Referral:
    """The rule by which this session refers scans to a person."""
    is_custom = custom_threshold() is not None
    return Referral(
        thresholds(),
        accuracy=None if is_custom or site.rule() else resources.ensemble_accuracy(),
        is_custom=is_custom,
        site_profile=site.title(),
    )


def control() -> None:
    """Choose the referral threshold; shows its coverage and accuracy on the test scans."""
    current, fitted = custom_threshold(), fitted_thresholds()
    origin = "of the site profile" if site.rule() else "fitted on validation scans"
    is_custom = st.toggle(
        "Custom threshold",
        value=current is not None,
        help=f"Off: the referral threshold of each class, {origin}",
    )
    value = 100 * (current or 0.9)
    if is_custom:
        value = st.slider("Indeterminate below", 50.0, 99.9, value, 0.1, format="%.1f %%")
    elif fitted:
        limits = (f"{CLASS_TITLES[name]} {percent(limit, 1)}" for name, limit in fitted.items())
        st.markdown("Indeterminate below  \n" + "  \n".join(limits))
    chosen = dict.fromkeys(CLASSES, value / 100) if is_custom else fitted
    limits_of = tuple((chosen or {}).items())
    effect = _effect(str(models_folder()), limits_of) if limits_of and not site.rule() else ""
    if effect:
        st.caption(effect)
    threshold = value / 100 if is_custom else None
    if threshold != current:
        st.session_state["referral-threshold"] = threshold
        st.rerun()


@st.cache_resource(show_spinner=False, ttl=600, max_entries=64)
def _effect(models: str, limits: tuple[tuple[str, float], ...]) -> str:
    from utils.results.track_record import referral_statement

    measured = resources.ensemble()
    if measured is None or measured.predictions is None:
        return ""
    effect = referral_statement(measured.predictions, dict(limits))
    if effect is None:
        return "Every test scan of held-out patients would be referred."
    coverage, accuracy = effect
    return (
        f"Test scans of held-out patients: {percent(coverage)} not referred, with an accuracy of "
        f"{percent(accuracy, 1)}."
    )
