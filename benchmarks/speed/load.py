"""Concurrent users of the app: `python -m benchmarks.speed.load --sessions 20 --minutes 5`. See docs/benchmarks.md.

Starts the real server on loopback. Every session uploads images of its own, checks that the page shows these images and
the answers of `model.py predict`, and opens the Heatmaps page. At the end the server is killed while all sessions work,
and started again.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from websockets.exceptions import WebSocketException

from benchmarks.speed.methods import weights_files
from benchmarks.speed.read import SIDE, synthetic_files
from benchmarks.tables import machine, megabytes, memory_now, peak_memory_of, print_table
from tests.support.processes import ServerFailed, free_port, streamlit_server
from tests.support.sessions import LONGEST, Session, SessionFailed
from utils.networks.cards import NetworkUnavailable, check_weights, load_card

IMAGES = 3  # per session; then it clears its worklist and begins again
REVIEWS = ("Unsure", "Disagree", "Unsure")  # buttons that every scan has
SECONDS_AFTER = 20  # of load after the restart
LOG = "server.log"
SERVER_GONE = (OSError, WebSocketException)  # raised in a session whose server is killed


@dataclass(frozen=True)
class Image:
    """A file of a session and what the app must show for it: its pixels, (H, W) uint8, and these lines."""

    name: str
    data: bytes
    pixels: np.ndarray
    answers: tuple[str, ...]


@dataclass
class Record:
    """Times and errors of all sessions; shared by their threads."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)

    @contextmanager
    def timed(self, action: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self.seconds[action].append(time.perf_counter() - begin)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=20, help="concurrent sessions (20)")
    parser.add_argument("--minutes", type=float, default=5, help="duration (5)")
    parser.add_argument(
        "--pictures", type=Path, help="PNG files (three per session) instead of images drawn by code"
    )
    options = parser.parse_args(arguments)
    try:
        for weights in weights_files():
            check_weights(load_card(weights))
    except NetworkUnavailable as error:
        sys.exit(f"Nothing to measure: {error}")
    print(machine(("streamlit", "tensorflow-cpu", "tensorflow", "keras")))
    count = options.sessions * IMAGES
    if options.pictures is None:
        files = synthetic_files(count, SIDE)
    else:
        files = [file.read_bytes() for file in sorted(options.pictures.rglob("*.png"))[:count]]
        if len(files) < count:
            sys.exit(f"{options.pictures} holds {len(files)} PNG files; {count} are needed.")
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # keeps TensorFlow out of this process
        sets = pool.apply(_image_sets, (files,))
    port, record, after = free_port(), Record(), Record()
    with tempfile.TemporaryDirectory() as folder:
        with _serving(port, folder) as server:
            memory = _put_under_load(server, port, sets, record, 60 * options.minutes)
            peak = peak_memory_of(server.pid)
            print(f"\n{options.sessions} sessions, {options.minutes:g} minutes")
            _print_errors(record)
            _report(record, memory, peak)
            print(f"\nThe server was {_kill_under_load(server, port, sets)}.")
        with _serving(port, folder) as server:
            _put_under_load(server, port, sets[:2], after, SECONDS_AFTER)
        print("Restarted at the same port: ", end="")
        _print_errors(after)
        leftover = sorted(file.name for file in Path(folder).rglob("*") if file.name != LOG)
        print(f"files left in its temporary folder: {', '.join(leftover) or 'none'}")
        log = Path(folder, LOG).read_text(encoding="utf-8", errors="replace")
        failed = log.count("Uncaught app") + log.count("Exception in ASGI")
        print(f"exceptions in its log: {failed}")
    sys.exit(1 if record.errors or after.errors or leftover or failed else 0)


def _image_sets(files: list[bytes]) -> list[list[Image]]:
    """Different images for every session, read as by `model.py predict`. Runs in its own process."""
    from utils.reading.reader import Reader
    from utils.scans.rendering import gray_image
    from utils.scans.upload import read_scan
    from utils.wording import CLASS_TITLES, probability_in_percent

    readers = [Reader.load(weights) for weights in weights_files()]
    images = []
    for number, data in enumerate(files):
        scan = read_scan(data, f"session {number // IMAGES} scan {number % IMAGES}.png")
        readings = [reader.read(scan) for reader in readers]
        answers = tuple(
            f"{reading.title}: {CLASS_TITLES[reading.label]}, {probability_in_percent(reading.confidence)}"
            for reading in readings
        )
        images.append(Image(scan.name, data, gray_image(scan.pixels), answers))
    return [images[start : start + IMAGES] for start in range(0, len(files), IMAGES)]


def _put_under_load(
    server: subprocess.Popen, port: int, sets: list[list[Image]], record: Record, seconds: float
) -> list[tuple[float, float]]:
    """Run one thread per session for some seconds; returns (seconds, bytes) of the server's memory."""
    with Session(f"http://127.0.0.1:{port}") as first:  # loads the networks before the clock starts
        first.press("Try the synthetic example")
    begin = time.monotonic()
    until = begin + seconds
    threads = [
        threading.Thread(target=_use_session, args=(port, images, record, until), daemon=True)
        for images in sets
    ]
    memory = [(0.0, memory_now(server.pid) or 0.0)]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        time.sleep(min(5.0, max(0.1, until - time.monotonic())))
        memory.append((time.monotonic() - begin, memory_now(server.pid) or 0.0))
    for thread in threads:
        thread.join(LONGEST)
        if thread.is_alive():
            record.errors.append("A session did not end.")
    memory.append((time.monotonic() - begin, memory_now(server.pid) or 0.0))
    return memory


def _use_session(port: int, images: list[Image], record: Record, until: float) -> None:
    try:
        with record.timed("open the page"):
            session = Session(f"http://127.0.0.1:{port}")
        with session:
            for number, image in enumerate(itertools.cycle(images), start=1):
                _use_scan(session, image, record)  # at least one, however slow the machine
                if time.monotonic() >= until:
                    break
                if number % IMAGES == 0:
                    session.press("Clear worklist")
    except (SessionFailed, *SERVER_GONE) as error:
        record.errors.append(f"{images[0].name}: {type(error).__name__}: {error}")


def _use_scan(session: Session, image: Image, record: Record) -> None:
    """Upload an image, review it, open the Heatmaps page, and check everything that is shown."""
    with record.timed("upload and read a scan"):
        session.upload({image.name: image.data})
    _check(session, image, record, len(image.answers))
    words = session.words()
    for answer in image.answers:
        if answer not in words:
            record.errors.append(f"{image.name}: expected {answer}, shown was: {words}")
    for review in REVIEWS:
        with record.timed("review a scan"):
            session.press(review)
        _check(session, image, record, len(image.answers))
    with record.timed("open Heatmaps"):
        session.go("heatmaps")
    _check(session, image, record, len(image.answers))
    session.go("")


def _check(session: Session, image: Image, record: Record, maps: int) -> None:
    """No image of another scan, all maps of this scan and, where the original image is shown, its own pixels."""
    alts = [alt for alt in session.alts() if not alt.startswith("Colour scale")]
    own = f"The scan {image.name}"
    foreign = [alt for alt in alts if alt != own and not alt.startswith(f"{own} with the Grad-CAM")]
    if foreign or sum(alt != own for alt in alts) != maps:
        record.errors.append(f"{image.name}: the page shows {alts}")
    if own in alts and not np.array_equal(session.picture(own)[..., 0], image.pixels):
        record.errors.append(f"{image.name}: another image is shown")


def _kill_under_load(server: subprocess.Popen, port: int, sets: list[list[Image]]) -> str:
    """Kill the server (SIGKILL) while every session works; returns a sentence on how many were interrupted."""
    record = Record()
    until = time.monotonic() + LONGEST
    threads = [
        threading.Thread(target=_use_session, args=(port, images, record, until), daemon=True)
        for images in sets
    ]
    for thread in threads:
        thread.start()
    while not record.seconds.get("review a scan") and time.monotonic() < until:
        time.sleep(0.1)
    server.kill()
    server.wait()
    for thread in threads:
        thread.join(LONGEST)
    return f"killed (SIGKILL) under load, {len(record.errors)} of {len(sets)} sessions were interrupted"


@contextmanager
def _serving(port: int, folder: str) -> Iterator[subprocess.Popen]:
    """The app's server, with its log and its temporary files in `folder`."""
    environment = {"TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        with streamlit_server(environment=environment, log=Path(folder, LOG), port=port) as server:
            yield server.process
    except ServerFailed as error:
        sys.exit(str(error))


def _report(record: Record, memory: list[tuple[float, float]], peak: float | None) -> None:
    rows = [("", "times", "median", "95th percentile", "slowest")]
    for action, seconds in record.seconds.items():
        high = statistics.quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
        rows.append(
            (
                action,
                str(len(seconds)),
                f"{statistics.median(seconds):.2f} s",
                f"{high:.2f} s",
                f"{max(seconds):.2f} s",
            )
        )
    print_table("Seconds until the page is complete", rows)
    quarters = [memory[round(share * (len(memory) - 1) / 4)] for share in range(5)]
    table = [("", "memory")] + [(f"after {seconds:.0f} s", megabytes(size)) for seconds, size in quarters]
    print_table("Memory of the server", [*table, ("at its peak", megabytes(peak))])


def _print_errors(record: Record) -> None:
    scans = len(record.seconds.get("upload and read a scan", []))
    print(f"{scans} scans read and compared with `model.py predict`: {len(record.errors)} errors or mix-ups")
    for error in record.errors[:20]:
        print(f"  {error}")


if __name__ == "__main__":
    main()
