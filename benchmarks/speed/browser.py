"""A browser and a server for the benchmarks of pages. Needs requirements-dev.txt and Chromium."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.methods import weights_files
from tests.support.processes import CHROMIUM_FLAGS, ServerFailed, chromium, streamlit_server
from utils.networks.cards import NetworkUnavailable, check_weights, load_card

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

UPLOAD_AREA = '[data-testid="stFileUploaderDropzone"]'
EVIDENCE = 'canvas[aria-label*="Grad-CAM saliency map"]'
LONGEST = 300  # seconds that an action may take


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser. Ends the program with a message if Chromium, Playwright or a network is missing."""
    path = chromium()
    if path is None:
        sys.exit("Chromium is missing; install it (Debian: `apt-get install chromium`).")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("Playwright is missing; install it with `pip install -r requirements-dev.txt`.")
    try:
        for weights in weights_files():
            check_weights(load_card(weights))
    except NetworkUnavailable as error:
        sys.exit(f"Nothing to measure: {error}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def read_example(page: Page) -> None:
    """Load both networks and read the synthetic example."""
    page.get_by_role("button", name="Try the synthetic example").click()
    page.locator(EVIDENCE).nth(1).wait_for()


@contextmanager
def tab(browser: Browser) -> Iterator[Page]:
    """A tab with an empty cache, as on a first visit."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(LONGEST * 1000)
    tab = context.new_page()
    try:
        yield tab
    finally:
        context.close()


@contextmanager
def server(script: Path) -> Iterator[tuple[subprocess.Popen, float, str]]:
    """A running Streamlit server: its process, start time and address."""
    try:
        with streamlit_server(script) as running:
            yield running.process, running.begin, running.address
    except ServerFailed as error:
        sys.exit(str(error))
