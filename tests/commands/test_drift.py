"""The drift monitor of `predict` and of the reader of series that node and `study` use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support import mr_series
from tests.support.acceptance import RULE, made_scans
from tests.support.mr_series import BrightSpots, Drawn
from utils.acceptance.profile import make_profile
from utils.acceptance.run import accept
from utils.commands.dicom_reading import SeriesReader
from utils.records.acceptance import Distributions, SiteProfile
from utils.records.base import write_record

SCANS = 24


@pytest.fixture
def profile(ensemble_models: Path) -> SiteProfile:
    return make_profile(accept(made_scans(120, tumor_shift=4), RULE, None), "North")


@pytest.fixture
def folder(tmp_path: Path, png_bytes) -> Path:
    """Single images and one series, which counts as one scan."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(SCANS - 1):
        (folder / f"{number:02}.png").write_bytes(png_bytes(number))
    for name, data in mr_series.series(Drawn()):
        (folder / f"z{name}").write_bytes(data)
    return folder


def test_predict_ends_with_a_line_where_the_scans_depart(
    run, profile: SiteProfile, folder: Path, tmp_path: Path
) -> None:
    def predict(profile: SiteProfile, *paths: Path) -> str:
        write_record(tmp_path / "p.json", profile)
        code, _, errors = run("predict", *(paths or [folder]), "--site-profile", tmp_path / "p.json")
        assert code == 0
        return errors

    evaluated = profile.model_copy(update={"verdict": "as evaluated"})
    write_record(tmp_path / "p.json", evaluated)
    lines = run("predict", folder, "--site-profile", tmp_path / "p.json")[1].splitlines()
    read = [json.loads(line)["ensemble"] or {} for line in lines]
    means = [
        np.mean([1 - each["probabilities"]["no_tumor"] for each in json.loads(line)["predictions"]])
        for line in lines
    ]
    assert len(read) == SCANS + 3
    alike = Distributions(tumor_probability=tuple(sorted(map(float, means))), novelty={})
    assert predict(evaluated.model_copy(update={"distributions": alike})) == ""
    other = Distributions(tumor_probability=tuple(np.linspace(0.999, 1, 100)), novelty={})
    departed = profile.model_copy(update={"distributions": other})
    errors = predict(departed)
    assert errors.startswith(f"Drift: {SCANS} scans differ from those of the acceptance")
    assert errors.count("\n") == 1
    assert predict(departed, *sorted(folder.glob("*.png"))[:19]) == "", "too few for a test"


def test_series_are_read_with_the_profile_and_seen_by_the_monitor(profile: SiteProfile, tiny_readers) -> None:
    reader = SeriesReader(tiny_readers, BrightSpots(), ["sr"], profile)  # type: ignore[arg-type]
    answer = reader.read([data for _, data in mr_series.series(Drawn())])
    (series,) = answer.read
    assert series.referral.site_profile == profile.title
    assert series.referral.thresholds == profile.rule.referral_thresholds  # type: ignore[union-attr]
    joint = series.key.joint
    assert joint is not None and joint.tumor_threshold == profile.rule.tumor_threshold  # type: ignore[union-attr]
    (seen,) = answer.seen
    assert seen.tumor_probability == pytest.approx(
        max(part.joint.as_evaluated.tumor_probability for part in series.scans if part.joint)
    )
