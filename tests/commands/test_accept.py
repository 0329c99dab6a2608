"""`model.py accept`: the verdict and table of a folder, and the profile that `predict` answers with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.acceptance import RULE, made_scans
from utils.acceptance.profile import make_profile
from utils.acceptance.run import accept
from utils.records.base import write_record


@pytest.fixture
def folder(tmp_path: Path, site_files: dict[str, bytes]) -> Path:
    for name, data in site_files.items():
        file = tmp_path / "site" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return tmp_path / "site"


@pytest.fixture
def profile(ensemble_models: Path, tmp_path: Path) -> Path:
    write_record(
        tmp_path / "p.json", make_profile(accept(made_scans(120, tumor_shift=4), RULE, None), "North")
    )
    return tmp_path / "p.json"


def test_few_scans_give_figures_and_no_profile(
    run, ensemble_models: Path, folder: Path, tmp_path: Path
) -> None:
    code, output, errors = run("accept", folder, "--json", tmp_path / "f.json")
    assert code == 0 and output.startswith("No verdict: too few scans. A verdict needs at least 50 scans")
    assert "Specificity (1 scan)" in output and not errors
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["verdict"] is None and figures["as_evaluated"]["n"] == 4
    code, _, errors = run("accept", folder, "--output", tmp_path / "none.json")
    assert code == 2 and "No site profile was written." in errors and not (tmp_path / "none.json").exists()


def test_a_table_names_the_diagnoses(run, ensemble_models: Path, folder: Path) -> None:
    (folder / "t.csv").write_text("file,diagnosis\na.png,glioma\nb.png,glioma\n")
    code, output, errors = run("accept", folder)
    assert code == 0 and "Sensitivity (2 scans)" in output and errors.count("No diagnosis is known") == 2
    (folder / "t.csv").write_text("file,diagnosis\na.png,gliomatosis\n")
    code, _, errors = run("accept", folder)
    assert code == 2 and "a diagnosis that is not known: gliomatosis" in errors


def test_missing_things_are_a_sentence(run, models_copy: Path, folder: Path) -> None:
    code, _, errors = run("accept", folder)
    assert code == 2 and "Acceptance needs the ensemble" in errors
    code, _, errors = run("accept", folder / "nowhere")
    assert code == 2 and "is not a folder" in errors


def test_what_cannot_work_is_said_before_the_scans_are_read(
    run, ensemble_models: Path, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for _ in ("without a file", "with a table alone"):
        code, _, errors = run("accept", empty)
        assert code == 2 and "holds no scans" in errors
        (empty / "T.CSV").write_text("file,diagnosis\na.png,glioma\n")
    code, _, errors = run("accept", empty, "--name", "x" * 61)
    assert code == 2 and "must have 1 to 60 characters" in errors


def test_predict_answers_with_the_profile_and_names_it(run, profile: Path, folder: Path, monkeypatch) -> None:
    scan = folder / "glioma" / "a.png"
    code, output, _ = run("predict", scan, "--site-profile", profile)
    assert code == 0, "networks without a joint answer have one with a profile"
    assert json.loads(output)["ensemble"]["site_profile"].startswith("North, version ")
    monkeypatch.setenv("BRAIN_MRI_SITE_PROFILE", str(profile))
    assert json.loads(run("predict", scan)[1])["ensemble"]["site_profile"].startswith("North, version ")
    profile.write_text("{}")
    code, _, errors = run("predict", scan)
    assert code == 2 and "is no site profile of this version" in errors
