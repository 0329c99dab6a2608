"""The Acceptance page in all its states, and what a profile changes on the others."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from tests.pages.steps import again, charts_of, opened
from tests.support.acceptance import RULE, made_scans, zipped
from utils.acceptance.profile import make_profile
from utils.acceptance.run import accept
from utils.app.acceptance_panel import Result
from utils.cases.reviews import Review
from utils.reading.conclusion import Referral
from utils.records.acceptance import SiteProfile
from utils.reports.pdf import report_pdf
from utils.reports.reported import ReportedScan, Settings


@pytest.fixture
def profile(ensemble_models: Path) -> SiteProfile:
    return make_profile(accept(made_scans(120, tumor_shift=4), RULE, None), "North")


def measured(**options) -> AppTest:
    page = opened("acceptance")
    page.session_state["acceptance"] = Result(
        accept(made_scans(**options), RULE, None), (("x.png", "Broken."),)
    )
    return again(page)


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    return again(page)


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files])
    return press(again(page), "Measure")


def test_the_first_visit_says_what_to_bring(ensemble_models: Path) -> None:
    page = opened("acceptance")
    assert page.header[0].value == "Acceptance at this site"
    assert "50 to 200 scans" in page.markdown[0].value and not page.error


def test_class_folders_in_a_zip_are_measured(ensemble_models: Path, site_files) -> None:
    page = upload(opened("acceptance"), ("site.zip", zipped(site_files)))
    assert "No verdict: too few scans" in page.info[0].value
    assert "Specificity (1 scan)" in page.markdown[0].value
    page = press(page, "Start again")
    assert "50 to 200 scans" in page.markdown[0].value


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([("t.csv", b"file,diagnosis\na.png,gliomatosis\n")], "not known: gliomatosis"),
        ([("a.png", b"text")], "No scan could be used."),
        ([("z.zip", b"PK\x03\x04 damaged")], "No scan could be used."),
    ],
)
def test_what_cannot_be_used_is_a_sentence(ensemble_models: Path, files: list, reason: str) -> None:
    page = upload(opened("acceptance"), *files)
    assert reason in page.error[0].value


def test_without_an_ensemble_the_page_says_so(models_copy: Path, site_files) -> None:
    page = upload(opened("acceptance"), ("site.zip", zipped(site_files)))
    assert "Acceptance needs the ensemble" in page.error[0].value


def test_reviewed_scans_of_the_session_are_measured(ensemble_models: Path, make_entry) -> None:
    entry = make_entry("a.png", ("glioma", "glioma"))
    page = opened("acceptance", entry)
    page.session_state["reviews"] = {entry.key: Review("disagree", "metastasis")}
    page = press(again(page), "Measure on 1 reviewed scan of this session")
    assert "Sensitivity (1 scan)" in page.markdown[0].value


def test_a_verdict_comes_first_with_table_diagram_and_profile(ensemble_models: Path) -> None:
    page = measured(count=120)
    assert page.success[0].value.startswith("**Use as evaluated.**")
    assert "| Sensitivity (60 scans) |" in page.markdown[0].value and len(charts_of(page)) == 1
    assert any("Broken." in text.value for text in page.markdown)
    page = press(page, "Use this profile in this session")
    assert "**In use.** Site profile This site, version" in page.markdown[0].value
    page = press(page, "Stop using it")
    assert "In use" not in page.markdown[0].value


def test_what_must_not_be_used_cannot_be_used(ensemble_models: Path) -> None:
    page = measured(count=120, evidence=0.5)
    assert page.error[0].value.startswith("**Do not use here.**")
    assert not [button for button in page.button if button.label.startswith("Use this profile")]


def test_refitted_thresholds_are_named_beside_the_answer(profile: SiteProfile, make_entry) -> None:
    page = opened("read")
    entry = make_entry("a.png", ("glioma", "glioma"), 0.99)
    page.session_state["worklist"] = {entry.key: entry}
    page.session_state["site-profile"] = profile
    page = again(page)
    assert any(profile.title in caption.value for caption in page.caption)


def test_a_configured_profile_that_does_not_fit_is_an_error(
    ensemble_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.json").write_text("{}")
    monkeypatch.setenv("BRAIN_MRI_SITE_PROFILE", str(tmp_path / "p.json"))
    assert "Scans are read as evaluated" in opened("acceptance").error[0].value


def test_scans_that_depart_raise_an_alarm(profile: SiteProfile, make_entry) -> None:
    entries = [make_entry(f"{number}.png", ("glioma", "glioma"), 0.55) for number in range(20)]
    page = opened("acceptance", *entries)
    page.session_state["site-profile"] = profile
    page = again(page)
    assert (
        "Drift: 20 scans differ" in page.warning[0].value
        and "probabilities of a tumour" in page.warning[0].value
    )


def test_reports_name_the_profile(make_entry) -> None:
    scan = ReportedScan(
        "Scan 1",
        make_entry("a.png", ("glioma", "glioma")),
        Settings(1.0),
        referral=Referral(site_profile="North, v"),
    )
    pdf = report_pdf([scan], [], datetime.now(UTC))
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)
    assert "Site profile: North, v." in " ".join(text.split())
