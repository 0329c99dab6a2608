"""Site profiles: written, read again, and refused where they do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.acceptance import RULE, made_scans
from tests.support.networks import change_card
from utils.acceptance.drift import ANSWERS, LOOKS, latest_drift
from utils.acceptance.profile import SiteProfileError, default_profile, make_profile, read_profile
from utils.acceptance.run import accept
from utils.records.acceptance import Distributions, SiteProfile
from utils.records.base import write_record


@pytest.fixture
def profile(ensemble_models: Path) -> SiteProfile:
    return make_profile(accept(made_scans(120, tumor_shift=4), RULE, None), " North  clinic ")


@pytest.fixture
def file(profile: SiteProfile, tmp_path: Path) -> Path:
    write_record(tmp_path / "profile.json", profile)
    return tmp_path / "profile.json"


def changed(file: Path, **values: object) -> Path:
    file.write_text(json.dumps(json.loads(file.read_text()) | values), encoding="utf-8")
    return file


def test_a_profile_is_read_as_it_was_written(profile: SiteProfile, file: Path, monkeypatch) -> None:
    assert read_profile(file) == profile
    assert profile.title.startswith("North clinic, version 20") and profile.title.endswith(" UTC")
    assert profile.verdict == "refitted" and profile.active_rule == profile.rule
    assert default_profile() is None
    monkeypatch.setenv("BRAIN_MRI_SITE_PROFILE", str(file))
    assert default_profile() == profile


def test_no_value_of_a_profile_belongs_to_a_scan(profile: SiteProfile) -> None:
    values = profile.distributions
    for column in (values.tumor_probability, *values.novelty.values()):
        assert list(column) == sorted(column) and len(column) == 120
    assert sum(profile.scans.values()) == 120


def test_the_evaluated_rule_stays_where_it_may(file: Path) -> None:
    assert read_profile(changed(file, verdict="as evaluated")).active_rule is None


def test_profiles_of_other_networks_are_refused(file: Path, ensemble_models: Path) -> None:
    change_card(ensemble_models / "cnn.keras", weights_sha256="1" * 64)
    with pytest.raises(SiteProfileError, match=r"North clinic.* other networks; repeat the acceptance"):
        read_profile(file)


def test_profiles_of_another_ensemble_are_refused(file: Path, ensemble_models: Path) -> None:
    ensemble = ensemble_models / "ensemble.json"
    ensemble.write_text(ensemble.read_text() + "\n")
    with pytest.raises(SiteProfileError, match="other networks"):
        read_profile(file)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"verdict": "not here"}, "must not be used there"),
        ({"format": 2}, "no site profile of this version: `format`"),
        ({"created": "yesterday"}, "no time in ISO 8601"),
        ({"rule": {"temperature": 0, "referral_thresholds": {}}}, "`rule.temperature`"),
        ({"rule": {"temperature": 1, "referral_thresholds": {}}}, "they are not those of glioma"),
    ],
)
def test_unusable_profiles_are_refused_in_a_sentence(file: Path, values: dict, reason: str) -> None:
    with pytest.raises(SiteProfileError, match=reason):
        read_profile(changed(file, **values))


def test_files_that_are_no_profile_are_refused_in_a_sentence(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"\xff\x00")
    with pytest.raises(SiteProfileError, match="not valid JSON"):
        read_profile(file)
    with pytest.raises(SiteProfileError, match="cannot be read"):
        read_profile(tmp_path / "missing.json")


def test_without_a_verdict_there_is_no_profile(ensemble_models: Path) -> None:
    with pytest.raises(SiteProfileError, match="A verdict needs at least 50 scans"):
        make_profile(accept(made_scans(12), RULE, None), "Here")
    with pytest.raises(SiteProfileError, match="1 to 60 characters"):
        make_profile(accept(made_scans(120), RULE, None), "  ")


def test_scans_like_those_of_the_profile_raise_no_alarm_and_others_do() -> None:
    random = np.random.default_rng(1)
    profile = Distributions(
        tumor_probability=tuple(np.sort(random.random(100))),
        novelty={"cnn": tuple(np.sort(random.normal(size=100)))},
    )
    alike = {ANSWERS: random.random(40), "cnn": random.normal(size=40)}
    result = latest_drift(profile, alike)
    assert result is not None and result.scans == 40 and not result.departing
    other = {ANSWERS: random.random(40), "cnn": random.normal(2, size=40)}
    result = latest_drift(profile, other)
    assert result is not None and result.departing == ("cnn",)


def test_the_monitor_waits_for_its_first_scans_and_then_begins_again() -> None:
    profile = Distributions(tumor_probability=tuple(np.linspace(0, 1, 100)), novelty={})
    values = np.concatenate([np.full(50, 0.99), np.linspace(0, 1, 30)])
    assert latest_drift(profile, {ANSWERS: values[: LOOKS[0] - 1]}) is None
    departed = latest_drift(profile, {ANSWERS: values[:60]})
    assert departed is not None and departed.departing, "until the next window can be tested"
    again = latest_drift(profile, {ANSWERS: values})
    assert again is not None and again.scans == 30 and not again.departing
