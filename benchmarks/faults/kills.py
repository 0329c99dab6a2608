"""Kills of the DICOM node (SIGKILL): `python -m benchmarks.faults.kills --kills 50`. See docs/benchmarks.md.

Three scanners send drawn series without pause and repeat what was not acknowledged. The node is killed at random
moments and started again. At the end every acknowledged image must be part of exactly one result in the archive.
Instead of the networks a quick reader makes the results: the subject is the spool.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.dicom_peers import Archive, NodeProcess, in_threads, running, send, slices

SCANNERS = 3
SLICES = 6  # of a series
LONGEST_LIFE = 1.5  # seconds between start and kill
LONGEST_SERIES = 120  # seconds until all of a series must have been acknowledged


@dataclass
class Tally:
    """What the scanners know: the UIDs of the images that were acknowledged. Shared by their threads."""

    acknowledged: set[str] = field(default_factory=set)
    interrupted: int = 0  # transfers that ended without an answer
    is_over: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class Outcome:
    """What a run gave. `repeated`: result objects that were delivered more than once, with the same UID."""

    kills: int
    acknowledged: int
    interrupted: int
    lost: int
    twice: int
    results: int
    repeated: int


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="number of kills (50)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (0)")
    options = parser.parse_args(arguments)
    outcome = kill_again_and_again(options.kills, options.seed)
    print(
        f"{outcome.kills} kills: {outcome.acknowledged} images acknowledged, {outcome.interrupted} transfers "
        f"interrupted; {outcome.lost} images lost, {outcome.twice} in two results; {outcome.results} results, "
        f"{outcome.repeated} of them delivered again under the same UID"
    )
    sys.exit(1 if outcome.lost or outcome.twice else 0)


def kill_again_and_again(kills: int, seed: int = 0) -> Outcome:
    """Run scanners, node and archive on this machine."""
    moments, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as folder, Archive() as archive:
        with running(NodeProcess(Path(folder) / "spool", archive.address)) as node:
            threads = in_threads(lambda number: _scan(node.port, number, tally), SCANNERS)
            for _ in range(kills):
                time.sleep(moments.uniform(0, LONGEST_LIFE))
                node.kill()
                node.start()
            tally.is_over.set()
            for thread in threads:
                thread.join()
            _wait_for_all(archive, tally)
        images = Counter(image for names in archive.images.values() for image in names)
        return Outcome(
            kills,
            len(tally.acknowledged),
            tally.interrupted,
            lost=len(tally.acknowledged - images.keys()),
            twice=sum(count > 1 for count in images.values()),
            results=len(archive.received),
            repeated=sum(count > 1 for count in archive.received.values()),
        )


def _scan(port: int, number: int, tally: Tally) -> None:
    """Send one series after the other; each until all of it was acknowledged."""
    series = 0
    while not tally.is_over.is_set():
        series += 1
        left, end = slices(SLICES, series=1000 * (number + 1) + series), time.monotonic() + LONGEST_SERIES
        while left and time.monotonic() < end:
            statuses = send(port, left, patience=3)
            statuses += [None] * (len(left) - len(statuses))
            taken = [image for image, status in zip(left, statuses, strict=True) if status == 0]
            tally.acknowledged |= {str(image.SOPInstanceUID) for image in taken}
            tally.interrupted += statuses.count(None)
            left = [image for image, status in zip(left, statuses, strict=True) if status != 0]
            if left:
                time.sleep(0.1)


def _wait_for_all(archive: Archive, tally: Tally) -> None:
    """Until every acknowledged image has come back, or nothing has come for 30 seconds."""
    seen, since = -1, time.monotonic()
    while time.monotonic() - since < 30:
        images = {image for names in archive.images.values() for image in names}
        if tally.acknowledged <= images:
            time.sleep(2)  # a result that comes twice would come now
            return
        if len(images) != seen:
            seen, since = len(images), time.monotonic()
        time.sleep(0.1)


if __name__ == "__main__":
    main()
