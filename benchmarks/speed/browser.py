"""A browser and a server for the benchmarks of pages. Needs requirements-dev.txt and Chromium."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.methods import weights_files
from utils.networks.cards import NetworkUnavailable, check_weights, load_card
from utils.paths import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
UPLOAD_AREA = '[data-testid="stFileUploaderDropzone"]'
EVIDENCE = 'canvas[aria-label*="Grad-CAM evidence"]'
LONGEST = 300  # seconds that an action may take


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser. Ends the program with a message if Chromium, Playwright or a network is missing."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
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
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
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
    """A running Streamlit server: its process, start time and address. It uses this repository's settings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    command += ["--server.headless", "true", "--server.address", "127.0.0.1", "--server.port", str(port)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not _listens(port):
            if process.poll() is not None or time.perf_counter() - begin > LONGEST:
                sys.exit(f"The server did not start; see why with `{' '.join(command)}`.")
            time.sleep(0.01)
        yield process, begin, f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
