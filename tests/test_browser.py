"""The real server in a real browser: what AppTest cannot see. The upload itself, the picture, the keyboard."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from utils.cards import REPOSITORY
from utils.classes import CLASS_TITLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request

    Serving = Callable[..., AbstractContextManager[str]]

pytestmark = pytest.mark.browser
PATIENCE = 120  # seconds; a busy machine loads TensorFlow slowly
PAGES = ("", "compare", "heatmaps", "evaluation", "about")


@pytest.fixture(scope="module")
def address(browser: Browser, serving: Serving, tiny_models: Path) -> Iterator[str]:
    with serving(tiny_models) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own; errors on its console, and requests that leave this machine, fail the test."""
    tab = browser.new_page(viewport={"width": 1440, "height": 1200})
    tab.set_default_timeout(PATIENCE * 1000)
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        source = message.location["url"]
        if (
            message.type == "error" and "/_stcore/" not in source
        ):  # Streamlit looks for itself below each page
            errors.append(f"{message.text} {source}")

    def stay_here(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:")):
            errors.append(f"asked for {request.url}")

    tab.on("console", note)
    tab.on("request", stay_here)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    tab.close()
    assert not errors


def upload(page: Page, files: dict[str, bytes]) -> None:
    from playwright.sync_api import FilePayload

    payloads = [FilePayload(name=name, mimeType="image/png", buffer=data) for name, data in files.items()]
    page.locator('input[type="file"]').set_input_files(payloads)


def settled(page: Page) -> None:
    """Nothing runs any more."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    assert page.locator('[data-testid="stException"]').count() == 0


def picture(page: Page, selector: str) -> np.ndarray:
    """(H, W, 3) int of a picture, as the server sent it: inside the page, at no address of its own."""
    element: Locator = page.locator(selector).first
    element.wait_for()
    assert element.bounding_box() is not None
    kind, _, data = element.evaluate("image => image.src").partition(",")
    assert kind == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=int)


SCAN = 'img[alt="The scan scan.png"]'  # the text for screen readers
EVIDENCE = 'img[alt*="Grad-CAM evidence of {}"]'


def overlays(page: Page) -> list[np.ndarray]:
    """The pictures of both networks, beside the scan."""
    return [picture(page, EVIDENCE.format(title)) for title in ("CNN", "VGG16")]


def test_uploaded_scan_is_read_and_its_evidence_drawn(page: Page, address: str, png_bytes, brain) -> None:
    page.goto(address)
    upload(page, {"scan.png": png_bytes(0)})
    page.locator(SCAN).wait_for()
    settled(page)
    for title in ("CNN", "VGG16"):  # title: answer, probability
        said = page.locator(
            '[data-testid="stMarkdown"], figcaption', has_text=f"{title}: "
        ).first.inner_text()
        assert any(name in said for name in CLASS_TITLES.values()) and "%" in said
    plain = picture(page, SCAN)
    assert plain.shape[:2] == brain.shape
    assert np.abs(plain.mean(axis=2) - brain * 255).mean() < 2  # the scan itself, not a part of it or another
    drawn = overlays(page)
    for overlay in drawn:
        assert overlay.shape == plain.shape
        assert np.abs(overlay - plain).max() > 30
        outside = brain == 0
        assert np.abs(overlay - plain)[:5, :5].max() < 8 and outside[:5, :5].all()  # no evidence in the air
    page.get_by_text("Show evidence").click()
    page.wait_for_function(
        """scan => {
            const pictures = [...document.querySelectorAll('[data-testid="stImage"] img')];
            const source = document.querySelector(scan).src;
            return pictures.filter(picture => picture.src === source).length === 3;
        }""",
        arg=SCAN,
    )
    settled(page)
    page.get_by_text("Show evidence").click()
    page.locator(EVIDENCE.format("CNN")).first.wait_for()
    page.wait_for_function(
        "() => new Set([...document.querySelectorAll('[data-testid=\"stImage\"] img')].map(one => one.src)).size >= 3"
    )
    settled(page)
    for before, after in zip(drawn, overlays(page), strict=True):
        np.testing.assert_array_equal(before, after)


def test_broken_file_beside_a_good_one(page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    upload(page, {"broken.png": b"This is no picture", "scan.png": png_bytes(3)})
    page.locator(SCAN).wait_for()
    settled(page)
    alert = page.locator('[data-testid="stAlert"]', has_text="broken.png")
    assert "not a picture" in alert.first.inner_text()
    assert picture(page, SCAN).shape[2] == 3


def test_arrow_keys_go_through_the_scans(page: Page, address: str, png_bytes) -> None:
    page.goto(address)
    upload(page, {"first.png": png_bytes(1), "second.png": png_bytes(2)})
    page.locator('img[alt="The scan first.png"]').wait_for()
    settled(page)
    page.keyboard.press("ArrowRight")
    page.locator('img[alt="The scan second.png"]').wait_for()
    settled(page)
    page.keyboard.press("ArrowLeft")
    page.locator('img[alt="The scan first.png"]').wait_for()


def test_opacity_is_changed_by_the_keyboard_without_leaving_the_scan(
    page: Page, address: str, png_bytes
) -> None:
    page.goto(address)
    upload(page, {"first.png": png_bytes(1), "second.png": png_bytes(2)})
    page.locator('img[alt="The scan first.png"]').wait_for()
    settled(page)
    before = page.locator(EVIDENCE.format("CNN")).first.get_attribute("src")
    page.get_by_role("slider").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(200)
    page.wait_for_function(
        "([selector, before]) => ![null, undefined, before].includes(document.querySelector(selector)?.src)",
        arg=[EVIDENCE.format("CNN"), before],
    )
    settled(page)
    assert page.locator('img[alt="The scan first.png"]').count() == 1


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
            tab.locator(SCAN).wait_for()
            settled(tab)
        for seed, (tab, own, other) in enumerate(
            zip(tabs[:2], ("anna.png", "bert.png"), ("bert.png", "anna.png"), strict=True)
        ):
            sent = np.asarray(Image.open(io.BytesIO(png_bytes(seed))), dtype=int)
            np.testing.assert_array_equal(picture(tab, SCAN)[..., 0], sent)
            tab.keyboard.press("ArrowRight")
            tab.locator(f'img[alt="The scan {own}"]').wait_for()
            settled(tab)
            sent = np.asarray(Image.open(io.BytesIO(png_bytes(10 + seed))), dtype=int)
            np.testing.assert_array_equal(picture(tab, f'img[alt="The scan {own}"]')[..., 0], sent)
            assert "2 files" in tab.inner_text("body") and other not in tab.content()
        tabs[2].set_default_timeout(PATIENCE * 1000)
        tabs[2].goto(address)
        tabs[2].get_by_text("Drop brain MRI slices").wait_for()
        assert "anna" not in tabs[2].content() and "bert" not in tabs[2].content()
    finally:
        for context in contexts:
            context.close()


def test_every_page_opens_without_an_error(page: Page, address: str) -> None:
    for name in PAGES:
        page.goto(f"{address}/{name}")
        page.get_by_text("Not a medical device").first.wait_for()
        settled(page)


def test_example_goes_along_to_the_other_pages(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Try the synthetic example").click()
    page.locator('img[alt="The scan Synthetic example"]').wait_for()
    for title in ("Compare", "Heatmaps"):
        page.get_by_role("link", name=title).click()
        page.locator(EVIDENCE.format("CNN")).first.wait_for()
        settled(page)


def test_shipped_networks_read_the_example(page: Page, serving: Serving) -> None:
    missing = [name for name in ("cnn.keras", "vgg16.keras") if not (REPOSITORY / "models" / name).is_file()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} is not in models/ yet")
    with serving(REPOSITORY / "models") as address:
        page.goto(address)
        page.get_by_role("button", name="Try the synthetic example").click()
        page.locator(EVIDENCE.format("VGG16")).first.wait_for()
        settled(page)
        assert "%" in page.inner_text("body")
        page.goto("about:blank")
