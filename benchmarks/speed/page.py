"""Response times of the page in a browser: `python -m benchmarks.speed.page`.

Needs the packages of requirements-dev.txt and Chromium. See docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.speed import methods
from benchmarks.speed.browser import browsing, read_example, server, tab
from benchmarks.tables import machine, print_table
from utils.paths import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Page

DRAWN = '.viewer[data-ready$=" {}"]'  # all panes
PROGRESS = '[data-testid="stProgress"]'
# Milliseconds from a change of a slider until the second frame after it, when the new image is visible.
SLIDE = """slider => new Promise(resolve => {
    const begin = performance.now();
    slider.value = slider.value > 0.5 ? 0.3 : 0.8;
    slider.dispatchEvent(new Event("input"));
    requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now() - begin)));
})"""
CLICKS = 30


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10, help="scans uploaded one by one (10)")
    parser.add_argument("--scans", type=int, default=200, help="scans uploaded at once (200)")
    parser.add_argument(
        "--pictures",
        type=Path,
        required=True,
        help="a folder with that many scans (PNG, JPEG); drawn ones are graded as not a brain MRI",
    )
    options = parser.parse_args(arguments)
    print(machine(("streamlit", "tensorflow-cpu", "tensorflow", "keras")))
    count = options.repeats + options.scans
    scans = sorted(file for kind in ("*.png", "*.jpg") for file in options.pictures.glob(kind))[:count]
    if len(scans) < count:
        parser.error(f"{options.pictures} holds {len(scans)} images; {count} are needed.")
    files = [file.read_bytes() for file in scans]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        plain = pool.apply(_plain_seconds, (files[:1],))
    with browsing() as browser, tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.png") for number in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(data)
        with server(REPOSITORY / "app.py") as (_, _, url), tab(browser) as page:
            page.goto(url)
            read_example(page)
            rows = {"two plain forward passes": [plain]}
            uploaded = [_upload(page, path) for path in paths[: options.repeats]]
            rows["one scan uploaded, until both maps show"] = uploaded
            rows["over the plain passes"] = [seconds - plain for seconds in uploaded]
            slider = page.get_by_role("slider", name="Opacity")
            rows["opacity moved, until the maps have changed"] = [
                slider.evaluate(SLIDE) / 1000 for _ in range(options.repeats)
            ]
            page.get_by_role("button", name="Sort and filter").click()
            page.get_by_text("Prioritise for review").click()  # off: the next scan is one that was read
            page.keyboard.press("Escape")
            page.set_input_files('input[type="file"]', paths[options.repeats :])
            page.locator(PROGRESS).wait_for()
            page.locator(
                DRAWN.format(paths[options.repeats].name)
            ).wait_for()  # else a click returns to the scan that is shown
            rows[f"Next or Previous, while {options.scans} scans are read"] = _clicks(page)
            print(f"{page.locator(PROGRESS).inner_text()} at the end of these clicks")
            page.locator(PROGRESS).wait_for(state="detached")
            rows["the same when all are read"] = _clicks(page)
            for words, pause in (("a second after the scan before", 1.0), ("at once", 0.0)):
                name = f"Next through {CLICKS} scans, {words}"
                rows[name], rows[f"{name}: until the findings show"] = _forward(page, pause)
    table = [("", "median s", "fastest", "slowest", "times")]
    table += [
        (name, f"{statistics.median(times):.3f}", f"{min(times):.3f}", f"{max(times):.3f}", str(len(times)))
        for name, times in rows.items()
    ]
    print_table("In a browser on this machine", table)


def _plain_seconds(files: Sequence[bytes]) -> float:
    """The median of ten runs of two forward passes, in a process of its own."""
    run = methods.plain(files)
    times = []
    for _ in range(12):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times[2:])


def _upload(page: Page, path: Path) -> float:
    begin = time.perf_counter()
    page.set_input_files('input[type="file"]', path)
    page.locator(DRAWN.format(path.name)).wait_for()
    return time.perf_counter() - begin


def _clicks(page: Page) -> list[float]:
    """Seconds from a click on Next, and then Previous, until the other scan is drawn."""
    times = []
    viewer = page.locator(".viewer[data-ready]")
    for number in range(CLICKS):
        before = viewer.get_attribute("data-ready")
        begin = time.perf_counter()
        page.get_by_role("button", name=("Previous", "Next")[number % 2]).click()
        while viewer.get_attribute("data-ready") == before:
            time.sleep(0.005)
        times.append(time.perf_counter() - begin)
    return times


def _forward(page: Page, pause: float) -> tuple[list[float], list[float]]:
    """Seconds from clicks on Next until the next scan is drawn, and until its findings are; pause: before each."""
    scans, findings = [], []
    viewer, behind = page.locator(".viewer[data-ready]"), page.locator(".st-key-room[data-behind]")
    for _ in range(CLICKS):
        time.sleep(pause)
        before = viewer.get_attribute("data-ready")
        begin = time.perf_counter()
        page.get_by_role("button", name="Next").click()
        while viewer.get_attribute("data-ready") == before:
            time.sleep(0.005)
        scans.append(time.perf_counter() - begin)
        while behind.count():
            time.sleep(0.005)
        findings.append(time.perf_counter() - begin)
    return scans, findings


if __name__ == "__main__":
    main()
