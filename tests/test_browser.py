"""The real server in a real browser: what AppTest cannot see. The upload itself, the picture, the keyboard."""

from __future__ import annotations

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from utils.cards import REPOSITORY
from utils.classes import CLASS_TITLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request

pytestmark = pytest.mark.browser
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip
PATIENCE = 120  # seconds; a busy machine loads TensorFlow slowly
PAGES = ("", "compare", "heatmaps", "evaluation", "about")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def serving(models: Path) -> Iterator[str]:
    """The app's address, served by a process of its own that reads with the networks in `models`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "app.py",
        "--server.headless",
        "true",
        "--server.port",
        port,
    ]
    server = subprocess.Popen(
        list(map(str, command)),
        cwd=REPOSITORY,
        env=os.environ | {"BRAIN_MRI_MODELS": str(models)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(address: str, server: subprocess.Popen) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert server.poll() is None, "the server has stopped"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{address} did not answer")


@pytest.fixture(scope="module")
def address(browser: Browser, tiny_models: Path) -> Iterator[str]:
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
    """(H, W, 3) int of a picture, as the server sent it."""
    element: Locator = page.locator(selector).first
    element.wait_for()
    assert element.bounding_box() is not None
    source = element.evaluate("image => image.src")
    return np.asarray(Image.open(io.BytesIO(page.request.get(source).body())).convert("RGB"), dtype=int)


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
    before = overlays(page)[0]
    page.get_by_role("slider").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(200)
    page.wait_for_timeout(1500)
    settled(page)
    assert page.locator('img[alt="The scan first.png"]').count() == 1
    assert (overlays(page)[0] != before).any()


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


def test_shipped_networks_read_the_example(page: Page) -> None:
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
