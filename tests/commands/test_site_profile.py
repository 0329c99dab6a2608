"""`--site-profile` and BRAIN_MRI_SITE_PROFILE, the same in every command; what is unusable is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.steps import Run, one_sentence
from tests.support.acceptance import RULE, made_scans
from utils.acceptance.profile import make_profile
from utils.acceptance.run import accept
from utils.networks.shipped import ENSEMBLE
from utils.records.base import write_record

COMMANDS = {
    "predict": (),
    "study": ("--dicomweb", "http://127.0.0.1:9/dicom-web", "--study", "1.2.3"),
    "node": ("--send-to", "ARCHIVE@127.0.0.1:9", "--allow", "SCANNER"),
    "archive": ("--output", "out"),
}


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, run: Run, tmp_path: Path):
    """A function that runs a command with more options."""
    if request.param == "archive":
        pytest.importorskip("ray.data", reason="Ray is not installed (requirements-archive.txt)")
    paths = [tmp_path] if request.param in ("predict", "archive") else []
    spool = ["--spool", tmp_path / "spool"] if request.param == "node" else []
    return lambda *options: run(request.param, *paths, *COMMANDS[request.param], *spool, *options)


@pytest.fixture
def profile(ensemble_models: Path, tmp_path: Path) -> Path:
    write_record(tmp_path / "p.json", make_profile(accept(made_scans(120), RULE, None), "North"))
    return tmp_path / "p.json"


def test_damaged_and_foreign_profiles_are_not_applied(
    command, profile: Path, ensemble_models: Path, monkeypatch
) -> None:
    missing = profile.with_name("missing.json")
    assert "cannot be read" in one_sentence(*command("--site-profile", missing))
    ensemble = ensemble_models / ENSEMBLE
    ensemble.write_text(ensemble.read_text() + "\n")
    assert "was fitted for other networks" in one_sentence(*command("--site-profile", profile))
    profile.write_text('{"format": 1}')
    monkeypatch.setenv("BRAIN_MRI_SITE_PROFILE", str(profile))
    assert "is no site profile of this version" in one_sentence(*command())


def test_a_damaged_ensemble_is_not_replaced_by_single_networks(command, ensemble_models: Path) -> None:
    (ensemble_models / ENSEMBLE).write_text("{")
    sentence = one_sentence(*command())
    assert "There is no ensemble" in sentence and "it is not valid JSON" in sentence
