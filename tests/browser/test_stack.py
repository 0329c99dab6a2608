"""A volume in a real browser: no notch of the wheel and no key is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.steps import go, settled
from tests.support.mr_series import Drawn, series

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
SLICES = 12


def test_every_notch_and_key_moves_one_slice(page: Page, address: str) -> None:
    from playwright.sync_api import FilePayload

    page.goto(address)
    files = [
        FilePayload(name=name, mimeType="application/dicom", buffer=data)
        for name, data in series(Drawn(slices=SLICES, shape=(64, 60)))
    ]
    page.locator('input[type="file"]').set_input_files(files)
    expect(page.get_by_text("curves along the volume")).to_be_visible()
    go(page, "Volume")
    stack = page.locator(".stack[data-drawn]")
    expect(stack).to_be_visible()
    settled(page)
    last = int(page.get_by_role("slider", name="Slice").get_attribute("max") or 0)
    assert last >= 5
    page.locator(".stack canvas").hover()
    for _ in range(last):
        page.mouse.wheel(0, -100)
    expect(stack).to_have_attribute("data-drawn", "0")
    for notch in range(1, last):  # faster than the server answers
        page.mouse.wheel(0, 100)
        expect(stack).to_have_attribute("data-position", str(notch))
    page.keyboard.press("ArrowDown")
    expect(stack).to_have_attribute("data-position", str(last))
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    expect(stack).to_have_attribute("data-drawn", str(last - 3))
    settled(page)
    expect(stack).to_have_attribute("data-position", str(last - 3))  # the server's answer moves nothing back
