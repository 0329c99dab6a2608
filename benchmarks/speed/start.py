"""Time until the app shows its first page, over an empty Streamlit app: `python -m benchmarks.speed.start`.

Needs the packages of requirements-dev.txt and Chromium. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed.browser import UPLOAD_AREA, browsing, read_example, server, tab
from benchmarks.speed.read import SCANS_KEPT, SIDE_KEPT, synthetic_files
from benchmarks.tables import machine, megabytes, memory_now, peak_memory_of, print_table
from utils.paths import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EMPTY_APP = 'import streamlit as st\n\nst.title("An empty app")\n'


@dataclass(frozen=True)
class Start:
    """Seconds from the start of the process until the first page and, for the app, the first answer."""

    page: float
    answer: float | None = None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5, help="starts of each app (5)")
    parser.add_argument(
        "--kept", type=int, default=SCANS_KEPT, help="scans uploaded for the memory (100); 0 for none"
    )
    options = parser.parse_args(arguments)
    print(machine(("streamlit", "tensorflow-cpu", "tensorflow", "keras")))
    with browsing() as browser, tempfile.TemporaryDirectory() as folder:
        empty = Path(folder, "empty.py")
        empty.write_text(EMPTY_APP, encoding="utf-8")
        _starts(browser, empty, options.repeats)
        if options.kept:
            _memory(browser, Path(folder), options.kept)


def _starts(browser: Browser, empty: Path, repeats: int) -> None:
    """Start both apps in turns. The first start of each reads cold files and does not count."""
    empty_starts, app_starts = [], []
    for number in range(repeats + 1):
        empty_start, app_start = _start_empty(browser, empty), _start_app(browser)
        if number:
            empty_starts.append(empty_start.page)
            app_starts.append(app_start)
    pages = [start.page for start in app_starts]
    answers = [start.answer for start in app_starts if start.answer is not None]
    differences = [app - base for app, base in zip(pages, empty_starts, strict=True)]
    rows = [
        ("an empty Streamlit app, its title", empty_starts),
        ("the app, its upload area", pages),
        ("the app over the empty one", differences),
        ("the app, example read", answers),
    ]
    table = [("", "seconds", "fastest", "slowest")]
    table += [
        (name, f"{statistics.median(times):.2f}", f"{min(times):.2f}", f"{max(times):.2f}")
        for name, times in rows
    ]
    print_table(f"From the start of the process until the page is visible, median of {repeats} starts", table)


def _memory(browser: Browser, folder: Path, count: int) -> None:
    """Memory of the real server after many uploads."""
    paths = []
    for number, data in enumerate(synthetic_files(count, SIDE_KEPT)):
        paths.append(folder / f"scan {number}.png")
        paths[-1].write_bytes(data)
    with server(REPOSITORY / "app.py") as (process, _, url), tab(browser) as page:
        page.goto(url)
        read_example(page)
        ready = memory_now(process.pid)
        page.set_input_files('input[type="file"]', paths)
        page.get_by_text(f"{count + 1} files").wait_for()
        progress = page.locator('[data-testid="stProgress"]')
        progress.wait_for()
        progress.wait_for(state="detached")  # all of them are read
        rows = [
            ("", "memory"),
            ("both networks ready, example read", megabytes(ready)),
            (f"after {count} scans", megabytes(memory_now(process.pid))),
            ("at its peak", megabytes(peak_memory_of(process.pid))),
        ]
    print_table(f"Memory of the app's server ({SIDE_KEPT} x {SIDE_KEPT} PNG, uploaded at once)", rows)


def _start_empty(browser: Browser, script: Path) -> Start:
    with server(script) as (_, begin, url), tab(browser) as page:
        page.goto(url)
        page.get_by_role("heading", name="An empty app").wait_for()
        return Start(time.perf_counter() - begin)


def _start_app(browser: Browser) -> Start:
    with server(REPOSITORY / "app.py") as (_, begin, url), tab(browser) as page:
        page.goto(url)
        page.locator(UPLOAD_AREA).wait_for()
        shown = time.perf_counter() - begin
        read_example(page)
        return Start(shown, time.perf_counter() - begin)


if __name__ == "__main__":
    main()
