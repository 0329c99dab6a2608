"""The reading room: how much of the screen the images have, fast keys, drop anywhere, a reload."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.steps import DROP, PATIENCE, READY, Connection, settled, upload

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser
REQUIRED_SHARE = 0.45
# The share of the window that canvases cover, and the top of the largest; places of the panes of the page
SHARE = """() => {
    const roots = [...document.querySelectorAll("*")].map(node => node.shadowRoot).filter(Boolean);
    const canvases = roots.flatMap(root => [...root.querySelectorAll(".panes canvas")]);
    const boxes = canvases.map(node => node.getBoundingClientRect());
    const seen = (from, to, size) => Math.max(0, Math.min(to, size) - Math.max(from, 0));
    const area = boxes.map(b => seen(b.left, b.right, innerWidth) * seen(b.top, b.bottom, innerHeight));
    return area.reduce((sum, one) => sum + one, 0) / (innerWidth * innerHeight);
}"""
ROW = '.row[aria-current="true"]'
# Keep the page's thread busy, as on a slow computer, in turns of some milliseconds
BUSY = """([work, rest]) => setInterval(() => {
    const end = performance.now() + work;
    while (performance.now() < end);
}, work + rest)"""


def files_of(png_bytes, count: int) -> dict[str, bytes]:
    return {f"{number}.png": png_bytes(number) for number in range(count)}


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1920, 1080)])
def test_images_have_their_share_of_the_screen(
    browser: Browser, address: str, png_bytes, width: int, height: int
) -> None:
    tab = browser.new_page(viewport={"width": width, "height": height})
    try:
        tab.set_default_timeout(PATIENCE * 1000)
        tab.goto(address)
        upload(tab, files_of(png_bytes, 3))
        expect(tab.locator(READY)).to_be_visible()
        expect(tab.locator(".row:not([disabled])")).to_have_count(3)
        settled(tab)
        assert tab.evaluate(SHARE) >= REQUIRED_SHARE
        for name in ("Agree", "Disagree", "Unsure"):  # whichever are there stand beside the image
            for button in tab.get_by_role("button", name=name).all():
                place = button.bounding_box()
                assert place is not None and place["y"] < height
    finally:
        tab.close()


@pytest.mark.parametrize(("width", "columns"), [(390, 1), (1024, 2)])
def test_panes_stand_in_one_column_on_a_phone_and_two_on_a_tablet(
    browser: Browser, address: str, png_bytes, width: int, columns: int
) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 844})
    try:
        tab.set_default_timeout(PATIENCE * 1000)
        tab.goto(address)
        upload(tab, files_of(png_bytes, 1))
        expect(tab.locator(READY)).to_be_visible()
        settled(tab)
        viewer, findings = (
            tab.locator(f".st-key-room-{name}").bounding_box() for name in ("viewer", "findings")
        )
        assert viewer is not None and findings is not None
        if columns == 1:
            assert findings["y"] >= viewer["y"] + viewer["height"] and findings["x"] == viewer["x"]
        else:
            assert findings["x"] >= viewer["x"] + viewer["width"]
        worklist = tab.locator(".st-key-room-worklist").bounding_box()
        assert worklist is not None and worklist["y"] + worklist["height"] <= 330, (
            "an empty band above the image"
        )
    finally:
        tab.close()


@pytest.fixture
def rows(page: Page, address: str, png_bytes) -> Locator:
    """The rows of a worklist of six scans that are read; the first was clicked."""
    page.goto(address)
    upload(page, files_of(png_bytes, 6))
    expect(page.locator(".row:not([disabled])")).to_have_count(6)
    settled(page)
    rows = page.locator(".row")
    rows.first.click()
    return rows


def test_no_arrow_key_is_lost_and_reviews_belong_to_the_marked_scan(page: Page, rows: Locator) -> None:
    expect(page.locator(f"{ROW} .name")).to_have_text(rows.first.locator(".name").inner_text())
    for _ in range(4):
        page.keyboard.press("ArrowRight", delay=0)
    expect(rows.nth(4)).to_have_attribute("aria-current", "true")
    page.keyboard.press("u")  # at once, before the scan is drawn
    page.keyboard.press("ArrowRight")
    expect(rows.nth(4).locator(".review")).to_contain_text("Unsure")
    expect(rows.nth(5)).to_have_attribute("aria-current", "true")
    expect(page.locator(".review")).to_have_count(1)


@pytest.mark.parametrize("busy", [None, (80, 5), (150, 10)])
def test_reviews_and_steps_in_a_row_are_all_taken(
    page: Page, rows: Locator, busy: tuple[int, int] | None
) -> None:
    expect(rows.first).to_have_attribute("aria-current", "true")
    if busy:
        page.evaluate(BUSY, busy)
    keys = "dudud"  # fields appear and go, so that the buttons change their place
    for key in keys:
        page.keyboard.press(key, delay=0)
        page.keyboard.press("ArrowRight", delay=0)
    expect(rows.nth(5)).to_have_attribute("aria-current", "true")
    expect(page.locator(".review")).to_have_count(5)
    expected = [{"d": "✓ Disagree", "u": "✓ Unsure"}[key] for key in keys]
    assert [rows.nth(number).locator(".review").inner_text() for number in range(5)] == expected
    expect(rows.nth(5).locator(".review")).to_have_count(0)
    name = rows.nth(5).locator(".name").inner_text()
    expect(page.locator(f'{READY}[data-ready$=" {name}"]')).to_be_visible()


def test_number_key_waits_for_its_button_and_no_key_acts_behind_the_sheet(page: Page, rows: Locator) -> None:
    page.keyboard.press("d", delay=0)
    page.keyboard.press("1", delay=0)  # before the correct labels are drawn
    page.keyboard.press("ArrowRight", delay=0)
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    expect(rows.first.locator(".review")).to_have_text("✓ Disagree")
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(sheet).to_be_visible()
    page.keyboard.press("u")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    rows.first.click()
    chosen = page.get_by_role("button").filter(has_text="radio_button_checked")
    expect(chosen).to_have_count(2)
    expect(chosen.nth(1).get_by_label("Shortcut 1")).to_be_visible()
    settled(page)
    expect(page.locator(".review")).to_have_count(1)


def test_next_scan_is_shown_before_the_server_answers(page: Page, address: str, png_bytes) -> None:
    connection = Connection(page)
    page.goto(address)
    upload(page, files_of(png_bytes, 3))
    expect(page.locator(".row:not([disabled])")).to_have_count(3)
    settled(page)
    rows, behind = page.locator(".row"), page.locator(".st-key-room[data-behind]")
    rows.first.click()
    settled(page)
    page.wait_for_function("window.brainReaderViews?.size === 1")
    names = [rows.nth(number).locator(".name").inner_text() for number in range(3)]
    connection.hold()  # the server hears nothing from now on
    page.keyboard.press("ArrowRight")
    expect(page.locator(f'{READY}[data-ready$=" {names[1]}"]')).to_be_visible()
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    expect(behind).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    expect(page.locator(f'{READY}[data-ready$=" {names[0]}"]')).to_be_visible()
    expect(behind).to_have_count(0)  # the findings are those of the first scan still
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)  # until the last step was sent
    connection.release()
    expect(behind).to_have_count(0)
    expect(page.locator(f'{READY}[data-ready$=" {names[1]}"]')).to_be_visible()
    page.wait_for_function("window.brainReaderViews?.size === 2")


def test_files_are_dropped_anywhere_and_come_back_after_a_reload(page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    expect(page.get_by_role("button", name="Try the synthetic example")).to_be_visible()
    settled(page)
    page.locator("h2").first.evaluate(DROP, ["scan.png", base64.b64encode(png_bytes(0)).decode()])
    expect(page.locator(READY)).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(".review")).to_be_visible()
    settled(page)
    page.reload()
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".review")).to_be_visible()
    expect(page.locator(READY)).to_be_visible()


def test_another_tab_is_offered_nothing(browser: Browser, page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    upload(page, files_of(png_bytes, 1))
    expect(page.locator(READY)).to_be_visible()
    other = browser.new_page()
    try:
        other.goto(address)
        expect(other.get_by_role("button", name="Try the synthetic example")).to_be_visible()
        settled(other)
        expect(other.get_by_role("button", name="Restore")).to_have_count(0)
    finally:
        other.close()
