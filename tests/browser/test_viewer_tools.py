"""The tools of the viewer (ruler, window presets, layouts, slices by wheel), and the sheet of shortcuts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.steps import READY, SCAN, drop_series, go, picture, place_of, settled, upload

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser


def measured(page: Page) -> Locator:
    return page.locator(f"{READY} output")


def width_of(page: Page, selector: str) -> float:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["width"]


def test_ruler_measures_in_mm_by_mouse_and_by_keys_and_escape_removes_it(page: Page, address: str) -> None:
    drop_series(page, address)
    main = page.locator("figure.main canvas")
    assert "left R, right L, top A, bottom P" in (main.get_attribute("aria-label") or "")
    before = picture(page, "figure.main canvas")
    box = main.bounding_box()
    assert box is not None
    middle, half = box["y"] + box["height"] / 2, box["width"] / 2
    page.keyboard.press("r")
    page.mouse.click(box["x"] + half / 2, middle)
    page.mouse.click(box["x"] + 3 * half / 2, middle)  # half of 60 pixels
    expect(measured(page)).to_have_text(re.compile(r"Ruler: (14\.9|15\.0|15\.1) mm"))
    page.mouse.move(box["x"] + half, middle - 40)
    page.mouse.down()
    page.mouse.move(box["x"] + half, middle)
    page.mouse.move(box["x"] + half, middle + box["height"] / 4)
    page.mouse.up()
    expect(measured(page)).to_contain_text("Ruler 2: ")
    page.keyboard.press("Escape")
    expect(measured(page)).to_be_empty()
    page.mouse.move(5, 5)
    np.testing.assert_array_equal(picture(page, "figure.main canvas"), before)
    page.keyboard.press("r")
    slice_shown = place_of(page).inner_text()
    for key in ("Enter", *["ArrowRight"] * 4, "Shift+ArrowDown", "Enter"):  # by 4 and 10 pixels of 0.5 mm
        page.keyboard.press(key)
    expect(measured(page)).to_have_text("Ruler: 5.4 mm")
    assert place_of(page).inner_text() == slice_shown  # the arrows moved the ruler alone
    page.keyboard.press("PageUp")
    expect(measured(page)).to_be_empty()  # it was of the other slice


def test_wheel_scrolls_the_slices_and_ctrl_wheel_zooms(page: Page, address: str) -> None:
    drop_series(page, address)
    viewer = page.locator(READY)
    page.locator("figure.main canvas").hover()
    for _ in range(8):
        page.mouse.wheel(0, -100)
    expect(viewer).to_have_attribute("data-position", "0")
    for notch in range(1, 4):  # faster than the server answers
        page.mouse.wheel(0, 100)
        expect(viewer).to_have_attribute("data-position", str(notch))
    page.keyboard.press("ArrowDown")
    expect(place_of(page)).to_contain_text("(5 of ")
    settled(page)
    page.wait_for_timeout(600)  # until the server has answered
    expect(place_of(page)).to_contain_text("(5 of ")
    before = picture(page, "figure.main canvas")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    expect(viewer).to_have_attribute("data-position", "4")
    assert np.abs(picture(page, "figure.main canvas") - before).mean() > 2
    go(page, "Volume")
    expect(page.locator(READY)).to_have_attribute("data-position", "4")  # the slice goes along


@pytest.mark.parametrize(("title", "key"), [("Compare", "compare"), ("Heatmaps", "study")])
def test_other_pages_have_the_same_viewer(page: Page, address: str, title: str, key: str) -> None:
    drop_series(page, address)
    go(page, title)
    expect(page.locator(f".st-key-{key}-viewer")).to_be_visible()
    settled(page)
    viewer = page.locator(READY)
    expect(place_of(page)).to_contain_text("with brain")
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    expect(viewer).to_have_attribute("data-position", "0")
    page.locator("figure.main canvas").first.hover()
    for _ in range(3):
        page.mouse.wheel(0, 100)
    expect(viewer).to_have_attribute("data-position", "3")
    settled(page)
    page.wait_for_timeout(600)  # until the server has answered
    expect(viewer).to_have_attribute("data-position", "3")
    canvas = page.locator('figure.main canvas[aria-label*="Grad-CAM"]').first
    expect(canvas).to_have_attribute("data-shown", "evidence")
    page.keyboard.press("w")
    expect(page.get_by_role("button", name="Window:")).to_have_text("Window: brain")
    page.keyboard.press("r")
    for key in ("Enter", *["ArrowRight"] * 4, "Enter"):  # by 4 pixels of 0.5 mm
        page.keyboard.press(key)
    expect(measured(page)).to_have_text("Ruler: 2.0 mm")
    page.keyboard.press("Escape")
    layout = page.get_by_role("button", name="Layout:")
    page.keyboard.press("l")
    expect(layout).to_have_text("Layout: 1")
    expect(page.locator("figure.main")).to_have_count(1)
    page.keyboard.press("l")
    expect(layout).to_have_text("Layout: 2")
    expect(page.locator("figure:visible")).to_have_count(2)
    go(page, "Read")
    expect(page.locator(READY)).to_have_attribute("data-position", "3")  # the slice goes along


def test_windows_and_layouts_change_what_is_seen(page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    upload(page, {"scan.png": png_bytes(0)})
    expect(page.locator(SCAN)).to_be_visible()
    settled(page)
    window = page.get_by_role("button", name="Window:")
    shown = {window.inner_text(): picture(page, SCAN)}
    for name in ("brain", "percentiles", "full"):
        page.keyboard.press("w")
        expect(window).to_have_text(f"Window: {name}")
        shown[window.inner_text()] = picture(page, SCAN)
    assert np.abs(shown["Window: brain"] - shown["Window: full"]).mean() > 1
    single = width_of(page, SCAN)
    page.keyboard.press("l")
    expect(page.locator("figure:visible")).to_have_count(2)
    double = width_of(page, SCAN)
    page.keyboard.press("p")
    expect(page.locator('figure.main canvas[aria-label*="VGG16"]')).to_be_visible()
    page.keyboard.press("l")
    expect(page.locator("figure.main")).to_have_count(3)
    assert single > double > width_of(page, SCAN)
    page.keyboard.press("l")
    expect(page.locator("figure.main")).to_have_count(1)


def test_the_open_sheet_follows_the_page(page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    upload(page, {"a.png": png_bytes(1)})
    expect(page.locator(READY)).to_be_visible()
    settled(page)
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet.get_by_text("Unsure")).to_be_visible()
    page.evaluate("document.querySelector('a[href$=\"/evaluation\"]').click()")  # below the sheet
    expect(sheet.get_by_text("Unsure")).to_have_count(0)
    expect(sheet.get_by_text("Open and close")).to_be_visible()


def test_the_sheet_lists_the_keys_that_act_and_no_key_acts_below_it(
    page: Page, address: str, png_bytes
) -> None:
    page.goto(address)
    upload(page, {"a.png": png_bytes(1), "b.png": png_bytes(2)})
    expect(page.locator(READY)).to_be_visible()
    expect(page.locator(".row:not([disabled])")).to_have_count(2)
    settled(page)
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_be_visible()
    for words in ("Unsure", "Previous, next scan", "Ruler", "Window: full, brain, percentiles"):
        expect(sheet.get_by_text(words, exact=True).first).to_be_visible()
    expect(sheet.get_by_text("Previous, next slice")).to_have_count(0)  # there is no stack
    page.keyboard.press("u")
    page.keyboard.press("r")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    settled(page)
    expect(page.locator(".review")).to_have_count(0)
    expect(page.get_by_role("button", name="Ruler")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("u")
    expect(page.locator(".review")).to_have_count(1)
    go(page, "Evaluation")
    expect(page.get_by_role("button", name="Unsure")).to_have_count(0)  # the Read page has gone
    settled(page)
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(sheet.get_by_text("Open and close")).to_be_visible()
    expect(sheet.get_by_text("Unsure")).to_have_count(0)  # no scan is on this page
