"""The day of a site: sixty scans of known diagnosis dropped, a verdict, and a profile that the report names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pypdf
import pytest
from playwright.sync_api import expect

from tests.browser.steps import SCAN, go, measure_site, settled, upload
from tests.support.acceptance import site_scan

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_site_is_accepted_and_its_profile_is_in_the_report(
    page: Page, site_address: str, site_zip: bytes, tmp_path: Path
) -> None:
    measure_site(page, site_address, site_zip)
    expect(page.get_by_text("Use as evaluated.")).to_be_visible()
    for figure in ("Sensitivity", "Specificity"):
        row = page.get_by_role("row").filter(has_text=f"{figure} (30 scans)")
        expect(row.first).to_contain_text(re.compile(r"100\s%"))
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    page.get_by_label("Name of the site").fill("North")
    page.keyboard.press("Enter")
    settled(page)
    page.get_by_role("button", name="Use this profile in this session").click()
    expect(page.get_by_text("In use. Site profile North, version")).to_be_visible()

    go(page, "Read")
    upload(page, {"scan.png": site_scan(99, has_tumor=True)})
    expect(page.locator(SCAN)).to_be_visible()
    expect(page.get_by_text("Site profile North, version")).to_contain_text("of 60 scans answered")
    with page.expect_download() as download:
        page.get_by_role("button", name="Report of this scan (PDF)").click()
    download.value.save_as(tmp_path / "report.pdf")
    words = " ".join(sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "report.pdf").pages)
    assert "Site profile: North, version" in " ".join(words.split()) and "glioma" in words.lower()
