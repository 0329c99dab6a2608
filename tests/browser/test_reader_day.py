"""The day of a reader: twelve mixed scans dropped, all judged by keys alone, measured, reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pypdf
import pytest
from playwright.sync_api import FilePayload, expect

from tests.browser.steps import READY, go, settled
from tests.support.mr_series import Drawn, series

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
IMAGES = 11


def test_twelve_scans_are_judged_with_twenty_four_keys(
    page: Page, address: str, png_bytes, tmp_path: Path
) -> None:
    files = [
        FilePayload(name=f"{number}.png", mimeType="image/png", buffer=png_bytes(number))
        for number in range(IMAGES)
    ]
    files += [
        FilePayload(name=name, mimeType="application/dicom", buffer=data)
        for name, data in series(Drawn(slices=5, shape=(64, 60)))
    ]
    page.goto(address)
    page.locator('input[type="file"]').set_input_files(files)
    expect(page.locator(".row:not([disabled])")).to_have_count(IMAGES + 1)
    expect(page.locator(READY)).to_be_visible()
    settled(page)
    page.locator(".row").first.click()
    settled(page)
    keys = 0
    for number in range(IMAGES + 1):
        page.keyboard.press("u")
        expect(page.locator(".review")).to_have_count(number + 1)
        page.keyboard.press("ArrowRight")
        keys += 2
    assert keys == 24
    page.keyboard.press("r")
    for key in ("Enter", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(page.locator(f"{READY} output")).to_contain_text("Ruler: 1")
    page.keyboard.press("Escape")
    go(page, "Cases")
    expect(page.get_by_text("12 of 12 scans of this session reviewed")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report of all scans (PDF)").click()
    download.value.save_as(tmp_path / "report.pdf")
    words = "".join(sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "report.pdf").pages)
    assert "12 scans" in words and words.count("The reviewer is unsure.") >= IMAGES + 1
