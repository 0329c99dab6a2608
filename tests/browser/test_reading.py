"""Reading in a real browser: the upload itself, the pictures, the keys, two people at once."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.steps import (
    EVIDENCE,
    PAGES,
    PATIENCE,
    SCAN,
    at_size_of,
    overlays,
    picture,
    settled,
    side_by_side,
    upload,
)
from utils.paths import REPOSITORY
from utils.wording import CLASS_TITLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    Serving = Callable[..., AbstractContextManager[str]]

pytestmark = pytest.mark.browser


def test_uploaded_scan_is_read_and_its_evidence_drawn(page: Page, address: str, png_bytes, brain) -> None:
    page.goto(address)
    upload(page, {"scan.png": png_bytes(0)})
    expect(page.locator(SCAN)).to_be_visible()
    settled(page)
    for title in ("CNN", "VGG16"):  # title: answer, probability
        heading = page.locator(".title", has_text=f"{title}: ").first.inner_text()
        assert any(name in heading for name in CLASS_TITLES.values()) and "%" in heading
    side_by_side(page)
    plain = at_size_of(picture(page, SCAN), brain)
    assert np.abs(plain.mean(axis=2) - brain * 255).mean() < 4  # the scan itself, not a part of it or another
    drawn = [at_size_of(overlay, brain) for overlay in overlays(page)]
    for overlay in drawn:
        assert np.abs(overlay - plain).max() > 30
        outside = brain == 0
        assert np.abs(overlay - plain)[:5, :5].max() < 8 and outside[:5, :5].all()  # no evidence in the air
    page.get_by_role("button", name="Saliency map", exact=True).click()
    for overlay in overlays(page):
        np.testing.assert_allclose(at_size_of(overlay, brain), plain, atol=1)
    page.get_by_role("button", name="Saliency map", exact=True).click()
    for before, after in zip(drawn, overlays(page), strict=True):
        np.testing.assert_allclose(at_size_of(after, brain), before, atol=1)


def test_all_panes_change_together_and_reset(page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    upload(page, {"scan.png": png_bytes(0)})
    expect(page.locator(SCAN)).to_be_visible()
    settled(page)
    side_by_side(page)
    before = [picture(page, SCAN), *overlays(page)]
    for name in ("Zoom in", "Invert"):
        page.get_by_role("button", name=name).click()
        for old, new in zip(before, [picture(page, SCAN), *overlays(page)], strict=True):
            assert np.abs(old - new).mean() > 3
        page.get_by_role("button", name="Reset").click()
        for old, new in zip(before, [picture(page, SCAN), *overlays(page)], strict=True):
            np.testing.assert_array_equal(old, new)
    for name in ("Brightness", "Contrast"):
        page.get_by_role("slider", name=name).focus()
        page.keyboard.press("End")
        assert np.abs(picture(page, SCAN) - before[0]).mean() > 3
        page.get_by_role("button", name="Reset").click()
    page.keyboard.press("i")  # wherever the focus is
    assert picture(page, SCAN)[0, 0].min() > 200  # black is white
    page.keyboard.press("0")
    page.keyboard.press("e")
    overlay = page.get_by_role("button", name="Saliency map", exact=True)
    expect(overlay).to_have_attribute("aria-pressed", "false")


def test_broken_file_beside_a_good_one(page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    upload(page, {"broken.png": b"This is no picture", "scan.png": png_bytes(3)})
    expect(page.locator(SCAN)).to_be_visible()
    settled(page)
    alert = page.locator('[data-testid="stAlert"]', has_text="broken.png")
    expect(alert.first).to_contain_text("not an image")
    assert picture(page, SCAN).shape[2] == 3


def test_arrow_keys_go_through_the_scans(page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    upload(page, {"first.png": png_bytes(1), "second.png": png_bytes(2)})
    expect(page.locator('canvas[aria-label="The scan first.png"]')).to_be_visible()
    settled(page)
    onward = page.get_by_role("button", name="Next").is_enabled()  # the order is by need
    page.keyboard.press("ArrowRight" if onward else "ArrowLeft")
    expect(page.locator('canvas[aria-label="The scan second.png"]')).to_be_visible()
    settled(page)
    page.keyboard.press("ArrowLeft" if onward else "ArrowRight")
    expect(page.locator('canvas[aria-label="The scan first.png"]')).to_be_visible()


def test_opacity_is_changed_by_the_keyboard_without_leaving_the_scan(
    page: Page, address: str, png_bytes
) -> None:
    page.goto(address)
    upload(page, {"first.png": png_bytes(1), "second.png": png_bytes(2)})
    expect(page.locator('canvas[aria-label="The scan first.png"]')).to_be_visible()
    settled(page)
    before = overlays(page)[0]
    page.get_by_role("slider", name="Opacity").focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    expect(page.locator('canvas[aria-label="The scan first.png"]')).to_have_count(1)
    assert (overlays(page)[0] != before).any()


def test_two_browsers_never_see_each_other_s_scans(browser: Browser, address: str, png_bytes) -> None:
    """Two people, with scans of the same name and of different ones, at the same time; then a third who has none."""
    contexts = [browser.new_context() for _ in range(3)]
    try:
        tabs = [context.new_page() for context in contexts]
        for seed, (tab, own) in enumerate(zip(tabs[:2], ("anna.png", "bert.png"), strict=True)):
            tab.set_default_timeout(PATIENCE * 1000)
            tab.goto(address)
            upload(tab, {"scan.png": png_bytes(seed), own: png_bytes(10 + seed)})
        for tab in tabs[:2]:
            expect(tab.locator(SCAN)).to_be_visible()
            tab.get_by_role("button", name="Sort and filter").click()
            tab.get_by_text("Prioritise for review").click()  # off: "scan.png" comes first
            tab.keyboard.press("Escape")
            expect(tab.locator('button[aria-label="Next"]:not([disabled])')).to_be_visible()
            tab.locator(SCAN).click()  # keys belong to a switch as long as it has the focus
        for seed, (tab, own, other) in enumerate(
            zip(tabs[:2], ("anna.png", "bert.png"), ("bert.png", "anna.png"), strict=True)
        ):
            sent = np.asarray(Image.open(io.BytesIO(png_bytes(seed))), dtype=int)
            assert np.abs(at_size_of(picture(tab, SCAN), sent)[..., 0] - sent).mean() < 4
            tab.keyboard.press("ArrowRight")
            expect(tab.locator(f'canvas[aria-label="The scan {own}"]')).to_be_visible()
            settled(tab)
            sent = np.asarray(Image.open(io.BytesIO(png_bytes(10 + seed))), dtype=int)
            shown = at_size_of(picture(tab, f'canvas[aria-label="The scan {own}"]'), sent)
            assert np.abs(shown[..., 0] - sent).mean() < 4
            expect(tab.locator("body")).to_contain_text("2 files")
            assert other not in tab.content()
        tabs[2].set_default_timeout(PATIENCE * 1000)
        tabs[2].goto(address)
        expect(tabs[2].get_by_text("Upload brain MRI for analysis")).to_be_visible()
        assert "anna" not in tabs[2].content() and "bert" not in tabs[2].content()
    finally:
        for context in contexts:
            context.close()


def test_every_page_opens_without_an_error(page: Page, address: str) -> None:
    for name in PAGES:
        page.goto(f"{address}/{name}")
        expect(page.get_by_text("Not a medical device").first).to_be_visible()
        settled(page)


def test_example_goes_along_to_the_other_pages(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Try the synthetic example").click()
    expect(page.locator('canvas[aria-label="The scan Synthetic example"]')).to_be_visible()
    for title in ("Compare", "Heatmaps"):
        page.get_by_role("link", name=title).click()
        expect(
            page.locator(f"{EVIDENCE.format('CNN')}, img[alt*='Grad-CAM saliency map of CNN']").first
        ).to_be_visible()
        settled(page)


def test_shipped_networks_read_the_example(page: Page, serving: Serving) -> None:
    missing = [name for name in ("cnn.keras", "vgg16.keras") if not (REPOSITORY / "models" / name).is_file()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} is not in models/ yet")
    with serving(REPOSITORY / "models") as address:
        page.goto(address)
        page.get_by_role("button", name="Try the synthetic example").click()
        expect(page.locator(EVIDENCE.format("VGG16")).first).to_be_visible()
        settled(page)
        expect(page.locator("body")).to_contain_text("%")
        page.goto("about:blank")
