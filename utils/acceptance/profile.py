"""Site profiles: made from an acceptance, and read from a file where they fit the networks in use."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from utils.networks.cards import NetworkUnavailable, load_card
from utils.networks.shipped import ENSEMBLE, load_ensemble, reading_networks, segmentation_weights
from utils.paths import file_sha256, models_folder, shown
from utils.records.acceptance import FORMAT, LONGEST_NAME, AnswerRule, SiteProfile
from utils.records.base import InvalidRecord, parse_record

if TYPE_CHECKING:
    from utils.acceptance.run import Acceptance

NO_ENSEMBLE = (
    "Acceptance needs the ensemble, whose file is missing, damaged or was fitted for other networks; run "
    "`python model.py calibrate --data DIR`."
)


class SiteProfileError(ValueError):
    """A site profile, or an acceptance, that cannot be used. Its text is one sentence with the remedy."""


def evaluated_rule(models: Path | None = None) -> AnswerRule:
    """The rule of the ensemble as it is shipped. Raises SiteProfileError without an ensemble."""
    ensemble = load_ensemble(models)
    if ensemble is None:
        raise SiteProfileError(NO_ENSEMBLE)
    return AnswerRule(temperature=1.0, referral_thresholds=ensemble.referral_thresholds)


def make_profile(acceptance: Acceptance, name: str, models: Path | None = None) -> SiteProfile:
    """The profile of an acceptance with a verdict. Raises SiteProfileError where there is none, or for its name."""
    decision, name = acceptance.decision, checked_name(name)
    if decision.verdict is None:
        raise SiteProfileError(decision.reason)
    weights, ensemble = _identity(models or models_folder())
    return SiteProfile(
        format=FORMAT,
        name=name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        weights_sha256=weights,
        ensemble_sha256=ensemble,
        verdict=decision.verdict,
        reason=decision.reason,
        scans=dict(sorted(Counter(acceptance.scores.targets.tolist()).items())),
        figures=acceptance.as_evaluated,
        refitted=acceptance.refitted,
        rule=acceptance.rule,
        distributions=acceptance.scores.distributions,
    )


def checked_name(name: str) -> str:
    """The name of a site with single spaces. Raises SiteProfileError where it is empty or too long."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise SiteProfileError(f"The name of the site must have 1 to {LONGEST_NAME} characters.")
    return name


def read_profile(file: Path, models: Path | None = None) -> SiteProfile:
    """The profile in a file, for the networks in use. Raises SiteProfileError."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SiteProfileError(f"The site profile {shown(file)} cannot be read ({error.strerror}).") from None
    return parse_profile(content, file, models)


def parse_profile(content: bytes, file: Path, models: Path | None = None) -> SiteProfile:
    """The profile in the content of a file, which is named in errors. Raises SiteProfileError."""
    try:
        profile = parse_record(content, SiteProfile, file)
    except InvalidRecord as error:
        raise SiteProfileError(
            f"{shown(file)} is no site profile of this version: {error.problem}."
        ) from None
    if (profile.weights_sha256, profile.ensemble_sha256) != _identity(models or models_folder()):
        raise SiteProfileError(
            f"The site profile {profile.title} was fitted for other networks; repeat the acceptance with these."
        )
    if profile.verdict == "not here":
        raise SiteProfileError(
            f"The site profile {profile.title} says that the networks must not be used there; it cannot be applied."
        )
    return profile


def default_profile() -> SiteProfile | None:
    """The profile that $BRAIN_MRI_SITE_PROFILE names; None where it is not set. Raises SiteProfileError."""
    file = os.environ.get("BRAIN_MRI_SITE_PROFILE")
    return read_profile(Path(file).expanduser()) if file else None


def _identity(models: Path) -> tuple[dict[str, str], str]:
    """The SHA-256 of the weights of each network and of the file of the ensemble. Raises SiteProfileError."""
    files = [*reading_networks(models), segmentation_weights(models)]
    try:
        weights = {file.stem: load_card(file).version for file in files if file.is_file()}
        return weights, file_sha256(models / ENSEMBLE)
    except (NetworkUnavailable, OSError):
        raise SiteProfileError(NO_ENSEMBLE) from None
