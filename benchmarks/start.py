"""Seconds until the app shows its first page, over an empty Streamlit app: `python -m benchmarks.start`.

Needs the packages of requirements-dev.txt and a Chromium. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.read import SCANS_KEPT, SIDE_KEPT, synthetic_files
from benchmarks.tables import machine, megabytes, memory_now, peak_memory_of, print_table
from benchmarks.ways import weights_files
from utils.cards import REPOSITORY, NetworkUnavailable, check_weights, load_card

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
EMPTY_APP = 'import streamlit as st\n\nst.title("An empty app")\n'
DROP_ZONE = '[data-testid="stFileUploaderDropzone"]'
EVIDENCE = 'canvas[aria-label*="Grad-CAM evidence"]'
LONGEST = 300  # seconds anything may take


@dataclass(frozen=True)
class Start:
    """Seconds from the start of the process until the first page and, where asked, the first answer."""

    page: float
    answer: float | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5, help="starts of each app (5)")
    parser.add_argument(
        "--kept", type=int, default=SCANS_KEPT, help="scans uploaded for the memory (100); 0 for none"
    )
    options = parser.parse_args(arguments)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("No Chromium was found; install it (Debian: `apt-get install chromium`).")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        sys.exit("Playwright is missing; install it with `pip install -r requirements-dev.txt`.")
    try:
        for weights in weights_files():
            check_weights(load_card(weights))
    except NetworkUnavailable as error:
        sys.exit(f"There is nothing to measure: {error}")
    print(machine(("streamlit", "tensorflow-cpu", "tensorflow", "keras")))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        empty = Path(folder, "empty.py")
        empty.write_text(EMPTY_APP, encoding="utf-8")
        _starts(browser, empty, options.repeats)
        if options.kept:
            _memory(browser, Path(folder), options.kept)
        browser.close()


def _starts(browser: Browser, empty: Path, repeats: int) -> None:
    """Both apps in turns; the first start of each, which finds cold files, does not count."""
    empty_starts, app_starts = [], []
    for number in range(repeats + 1):
        one, other = _start_empty(browser, empty), _start_app(browser)
        if number:
            empty_starts.append(one.page)
            app_starts.append(other)
    pages = [start.page for start in app_starts]
    answers = [start.answer for start in app_starts if start.answer is not None]
    later = [mine - other for mine, other in zip(pages, empty_starts, strict=True)]
    rows = [
        ("an empty Streamlit app, its title", empty_starts),
        ("the app, its drop zone", pages),
        ("the app over the empty one", later),
        ("the app, the example read by both networks", answers),
    ]
    table = [("", "seconds", "fastest", "slowest")]
    table += [
        (name, f"{statistics.median(times):.2f}", f"{min(times):.2f}", f"{max(times):.2f}")
        for name, times in rows
    ]
    print_table(f"From the start of the process until the page shows, median of {repeats} starts", table)


def _memory(browser: Browser, folder: Path, count: int) -> None:
    """The real server after many uploads."""
    paths = []
    for number, data in enumerate(synthetic_files(count, SIDE_KEPT)):
        paths.append(folder / f"scan {number}.png")
        paths[-1].write_bytes(data)
    with _server(REPOSITORY / "app.py") as (process, _, url), _tab(browser) as tab:
        tab.goto(url)
        _read_example(tab)
        ready = memory_now(process.pid)
        tab.set_input_files('input[type="file"]', paths)
        tab.get_by_text(f"{count + 1} files").wait_for()
        tab.locator(EVIDENCE).nth(1).wait_for()
        rows = [
            ("", "memory"),
            ("both networks ready, the example read", megabytes(ready)),
            (f"after {count} scans", megabytes(memory_now(process.pid))),
            ("at its peak", megabytes(peak_memory_of(process.pid))),
        ]
    print_table(f"Memory of the app's server ({SIDE_KEPT} x {SIDE_KEPT} PNG, uploaded at once)", rows)


def _start_empty(browser: Browser, script: Path) -> Start:
    with _server(script) as (_, begin, url), _tab(browser) as tab:
        tab.goto(url)
        tab.get_by_role("heading", name="An empty app").wait_for()
        return Start(time.perf_counter() - begin)


def _start_app(browser: Browser) -> Start:
    with _server(REPOSITORY / "app.py") as (_, begin, url), _tab(browser) as tab:
        tab.goto(url)
        tab.locator(DROP_ZONE).wait_for()
        page = time.perf_counter() - begin
        _read_example(tab)
        return Start(page, time.perf_counter() - begin)


def _read_example(tab: Page) -> None:
    tab.get_by_role("button", name="Try the synthetic example").click()
    tab.locator(EVIDENCE).nth(1).wait_for()


@contextmanager
def _tab(browser: Browser) -> Iterator[Page]:
    """A tab of its own, with an empty cache, as for a person who opens the app for the first time."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(LONGEST * 1000)
    tab = context.new_page()
    try:
        yield tab
    finally:
        context.close()


@contextmanager
def _server(script: Path) -> Iterator[tuple[subprocess.Popen, float, str]]:
    """A Streamlit server that answers: its process, when it was started, its address. Both apps get our settings."""
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


if __name__ == "__main__":
    main()
