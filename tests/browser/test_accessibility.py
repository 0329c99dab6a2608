"""axe-core on every page and state, without sideways scrolling, and a picture of each to be looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import FilePayload, expect

from tests.browser.looks import problems_of
from tests.browser.steps import SCAN, TITLES, go, measure_site, settled
from tests.support.mr_series import Drawn, series

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_no_page_has_a_serious_finding(page: Page, address: str, png_bytes: Callable[[int], bytes]) -> None:
    problems = []

    def inspect(state: str) -> None:
        problems.extend(problems_of(page, state))

    page.goto(address)
    expect(page.get_by_text("Upload brain MRI for analysis")).to_be_visible()
    for title in TITLES:
        go(page, title)
        inspect(f"{title.lower()}-empty")
    go(page, "Read")
    scans = {"scan.png": png_bytes(0), "other.png": png_bytes(1), "broken.png": b"no picture"}
    files = [*scans.items(), *series(Drawn(slices=6, shape=(64, 60)))]
    page.locator('input[type="file"]').set_input_files(
        [FilePayload(name=name, mimeType="application/octet-stream", buffer=data) for name, data in files]
    )
    expect(page.locator(SCAN)).to_be_visible()
    for title in TITLES:
        go(page, title)
        settled(page)
        inspect(f"{title.lower()}-loaded")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    inspect("shortcuts")
    assert not problems


def test_figures_of_a_site_have_no_serious_finding(page: Page, site_address: str, site_zip: bytes) -> None:
    measure_site(page, site_address, site_zip)
    expect(page.locator(".js-plotly-plot")).to_be_visible()
    assert not problems_of(page, "acceptance-figures")
