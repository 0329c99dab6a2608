"""A day's work in a real browser: drop, compare, review, keep, report; with the mouse, by keys alone, on a phone."""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pypdf
import pytest
from playwright.sync_api import expect

from tests.browser.steps import (
    DROP,
    EVIDENCE,
    SCAN,
    TITLES,
    Connection,
    go,
    overlays,
    picture,
    settled,
    side_by_side,
    too_wide,
    upload,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    Serving = Callable[..., AbstractContextManager[str]]

pytestmark = pytest.mark.browser


def kept_review(page: Page) -> Locator:
    return page.get_by_text("Reviewed as Scan 1")


def test_scan_is_dropped_compared_reviewed_and_reported(
    page: Page, address: str, png_bytes, tmp_path: Path
) -> None:
    page.goto(address)
    zone = page.locator('[data-testid="stFileUploaderDropzone"]')
    expect(zone).to_be_visible()
    zone.evaluate(DROP, ["scan.png", base64.b64encode(png_bytes(0)).decode()])
    expect(page.locator(SCAN)).to_be_visible()
    settled(page)
    before = overlays(page)
    page.get_by_text("meningioma", exact=True).first.click()
    expect(page.locator('canvas[aria-label*="saliency map of CNN for meningioma"]')).to_be_visible()
    page.get_by_text("pituitary tumour", exact=True).first.click()
    expect(page.locator('canvas[aria-label*="saliency map of CNN for pituitary tumour"]')).to_be_visible()
    settled(page)
    assert any((old != new).any() for old, new in zip(before, overlays(page), strict=True))

    page.get_by_role("button", name="Unsure").click()
    expect(kept_review(page)).to_be_visible()
    page.get_by_label("Comment").fill("Seen twice")
    page.keyboard.press("Enter")
    settled(page)

    page.get_by_role("link", name="Compare").click()
    expect(page.locator(EVIDENCE.format("VGG16"))).to_be_visible()
    expect(page.get_by_text("Models concordant on")).to_be_visible()

    page.get_by_role("link", name="Cases").click()
    expect(page.get_by_text("scans of this session reviewed")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Report of all scans (PDF)").click()
    download.value.save_as(tmp_path / "report.pdf")
    words = "".join(sheet.extract_text() for sheet in pypdf.PdfReader(tmp_path / "report.pdf").pages)
    for expected in ("Scan 1", "CNN", "VGG16", "Seen twice", "Research and education only"):
        assert expected in words
    assert "scan.png" not in words  # a file's name is often a patient's


def test_review_and_comment_are_kept_when_the_page_is_left_at_once(
    page: Page, address: str, png_bytes
) -> None:
    connection = Connection(page)
    page.goto(address)
    upload(page, {"scan.png": png_bytes(0)})
    expect(page.locator(SCAN)).to_be_visible()

    def leave_at_once() -> None:  # the server hears of the page and of what was before it together
        page.get_by_role("link", name="Cases").click(delay=80)
        connection.release()
        expect(page.get_by_text("scans of this session reviewed")).to_be_visible()
        go(page, "Read")

    settled(page)
    connection.hold()
    page.get_by_role("button", name="Unsure").click()
    leave_at_once()
    comment = page.get_by_label("Comment")
    for words in ("First look", "Seen twice", "Seen three times"):
        expect(comment).to_be_visible()
        settled(page)
        connection.hold()
        comment.fill(words)
        leave_at_once()
        expect(comment).to_have_value(words)


def test_store_keeps_reviews_over_a_restart_only_while_it_is_on(
    page: Page, serving: Serving, tiny_models: Path, png_bytes, tmp_path: Path
) -> None:
    store = tmp_path / "cases.sqlite3"
    environment = {"BRAIN_MRI_CASES": str(store)}
    with serving(tiny_models, environment=environment) as address:
        page.goto(address)
        upload(page, {"scan.png": png_bytes(0)})
        expect(page.locator(SCAN)).to_be_visible()
        page.get_by_role("button", name="Unsure").click()
        expect(kept_review(page)).to_be_visible()
        assert not store.exists()
        page.get_by_role("link", name="Cases").click()
        page.get_by_text("Save reviews on this machine").click()
        expect(page.get_by_role("button", name="Export CSV")).to_be_visible()
        page.goto("about:blank")
    assert b"scan.png" not in store.read_bytes()
    with serving(tiny_models, environment=environment) as address:
        page.goto(f"{address}/cases")
        expect(page.get_by_text("No scan loaded")).to_be_visible()
        expect(page.get_by_role("button", name="Export CSV")).to_have_count(0)  # off until it is switched on
        page.get_by_text("Save reviews on this machine").click()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export CSV").click()
        assert "Scan 1" in Path(download.value.path()).read_text(encoding="utf-8-sig")
        page.get_by_text("Save reviews on this machine").click()
        expect(page.get_by_role("button", name="Export CSV")).to_have_count(0)
        page.goto("about:blank")


def test_a_day_without_a_mouse(page: Page, address: str, png_bytes) -> None:
    from playwright.sync_api import FilePayload

    page.on(
        "filechooser", lambda chooser: None
    )  # asks Chromium for its choosers long before the key is pressed
    page.goto(address)
    expect(page.locator('[data-testid="stFileUploaderDropzone"]')).to_be_visible()
    settled(page)  # what is drawn anew loses the focus
    for _ in range(30):
        page.keyboard.press("Tab")
        inside = "() => !!document.activeElement.closest('[data-testid=\"stFileUploader\"]')"
        if page.evaluate(inside):
            break
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(
        [FilePayload(name=f"{n}.png", mimeType="image/png", buffer=png_bytes(n)) for n in (1, 2)]
    )
    pane = page.locator('canvas[aria-label^="The scan "]').first
    expect(pane).to_be_visible()
    settled(page)
    side_by_side(page)
    plain, drawn = picture(page, 'canvas[aria-label^="The scan "]'), overlays(page)[0]
    page.keyboard.press("e")
    assert np.abs(overlays(page)[0] - plain).max() <= 1
    page.keyboard.press("e")
    np.testing.assert_array_equal(overlays(page)[0], drawn)
    page.keyboard.press("u")
    expect(page.get_by_text("Reviewed as")).to_be_visible()
    other = "2.png" if pane.get_attribute("aria-label") == "The scan 1.png" else "1.png"
    settled(page)
    onward = page.get_by_role("button", name="Next").is_enabled()  # the order is by need
    page.keyboard.press("ArrowRight" if onward else "ArrowLeft")
    expect(page.locator(f'canvas[aria-label="The scan {other}"]')).to_be_visible()


@pytest.mark.parametrize("width", [390, 3840])
def test_every_page_fits_the_phone_and_the_wall(
    browser: Browser, address: str, png_bytes, width: int
) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 900})
    try:
        tab.set_default_timeout(120_000)
        tab.goto(address)
        upload(tab, {"scan.png": png_bytes(0), "broken.png": b"no picture"})
        expect(tab.locator(SCAN)).to_be_visible()
        for title in TITLES:
            go(tab, title)
            settled(tab)
            assert not too_wide(tab), title
    finally:
        tab.close()
