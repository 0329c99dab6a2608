"""A volume in a real browser: no notch of the wheel is lost, the tools of the Read page, the slice is remembered."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.steps import READY, drop_series, go, picture, place_of, settled

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser
MAIN = "figure.main canvas"


def drop_on_volume(page: Page, address: str) -> int:
    """The drawn series on the Volume page; the last position."""
    drop_series(page, address)
    go(page, "Volume")
    expect(page.get_by_text("Probabilities of")).to_be_visible()
    expect(place_of(page)).to_contain_text("with brain")
    settled(page)
    return int(page.get_by_role("slider", name="Slice").get_attribute("max") or 0)


def test_every_notch_and_key_moves_one_slice(page: Page, address: str) -> None:
    last = drop_on_volume(page, address)
    assert last >= 5
    viewer = page.locator(READY)
    page.locator(MAIN).hover()
    for _ in range(last):
        page.mouse.wheel(0, -100)
    expect(viewer).to_have_attribute("data-position", "0")
    for notch in range(1, last):  # faster than the server answers
        page.mouse.wheel(0, 100)
        expect(viewer).to_have_attribute("data-position", str(notch))
    page.keyboard.press("ArrowDown")
    expect(viewer).to_have_attribute("data-position", str(last))
    for _ in range(3):
        page.keyboard.press("ArrowUp")
    expect(viewer).to_have_attribute("data-position", str(last - 3))
    settled(page)
    expect(viewer).to_have_attribute("data-position", str(last - 3))  # the server's answer moves nothing back
    slider = page.get_by_role("slider", name="Slice")
    slider.fill("1")
    expect(viewer).to_have_attribute("data-position", "1")
    expect(slider).to_have_attribute("aria-valuetext", place_of(page).inner_text())  # when the slice is drawn


def test_the_tools_of_the_read_page_act_on_a_volume(page: Page, address: str) -> None:
    drop_on_volume(page, address)
    viewer, main = page.locator(READY), page.locator(MAIN)
    position = viewer.get_attribute("data-position")
    assert "left R, right L, top A, bottom P" in (main.get_attribute("aria-label") or "")
    before = picture(page, MAIN)
    box = main.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.keyboard.press("r")
    page.mouse.click(box["x"] + box["width"] / 4, middle)
    page.mouse.click(box["x"] + 3 * box["width"] / 4, middle)  # half of 60 pixels of 0.5 mm
    expect(page.locator(f"{READY} output")).to_have_text(re.compile(r"Ruler: (14\.9|15\.0|15\.1) mm"))
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    window = page.get_by_role("button", name="Window:")
    expect(window).to_have_text("Window: brain")
    page.mouse.move(box["x"] + 50, middle)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 90, middle - 30)
    page.mouse.up(button="right")
    expect(window).to_have_text("Window: custom")
    page.keyboard.press("0")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    assert np.abs(picture(page, MAIN) - before).mean() > 2
    assert viewer.get_attribute("data-position") == position
    page.keyboard.press("l")
    expect(page.locator("figure.main")).to_have_count(2)
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    for words in (
        "Previous, next slice",
        "Ruler",
        "Window: full, brain, percentiles",
        "Layout: 1, 2 or all panes",
    ):
        expect(sheet.get_by_text(words, exact=True).first).to_be_visible()


def test_the_slice_is_remembered_when_the_page_is_left_at_once(page: Page, address: str) -> None:
    last = drop_on_volume(page, address)
    viewer, slider = page.locator(READY), page.get_by_role("slider", name="Slice")
    curves = page.get_by_text("Probabilities of")
    slider.fill("1")
    go(page, "Read")
    expect(curves).to_have_count(0)
    expect(viewer).to_have_attribute("data-position", "1")
    slider.fill("2")
    go(page, "Volume")
    expect(curves).to_be_visible()
    expect(viewer).to_have_attribute("data-position", "2")
    slider.fill(str(last))
    go(page, "Evaluation")  # which has no viewer
    expect(viewer).to_have_count(0)
    go(page, "Volume")
    expect(viewer).to_have_attribute("data-position", str(last))
    settled(page)
    expect(viewer).to_have_attribute("data-position", str(last))


def test_a_click_on_a_curve_brings_its_slice_into_view(page: Page, address: str) -> None:
    last = drop_on_volume(page, address)
    viewer, slider = page.locator(READY), page.get_by_role("slider", name="Slice")
    point = page.locator(".js-plotly-plot .points path").nth(1)  # of the second slice
    expect(point).to_be_visible()
    box = point.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator(".hoverlayer .hovertext").first).to_be_visible()
    slider.fill(str(last))
    page.mouse.down()  # before the server knows of the last slice
    page.mouse.up()
    expect(viewer).to_have_attribute("data-position", "1")
    settled(page)
    page.wait_for_timeout(600)
    expect(viewer).to_have_attribute("data-position", "1")
