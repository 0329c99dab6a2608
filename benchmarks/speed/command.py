"""`model.py predict` of one file over an empty Python: `python -m benchmarks.speed.command`. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.read import SIDE, synthetic_files
from benchmarks.tables import machine, print_table
from utils.networks.runtime.choice import FLOAT32, KERAS
from utils.paths import REPOSITORY

EMPTY = "Python that imports numpy"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7, help="rounds (7)")
    options = parser.parse_args(arguments)
    print(machine(("openvino", "tensorflow-cpu", "keras")))
    with tempfile.TemporaryDirectory() as folder:
        scan = Path(folder, "scan.png")
        scan.write_bytes(synthetic_files(1, SIDE)[0])
        predict = [sys.executable, "model.py", "predict", str(scan), "--runtime"]
        commands = {
            EMPTY: [sys.executable, "-c", "import numpy"],
            **{f"predict, {runtime}": [*predict, runtime] for runtime in (FLOAT32, KERAS)},
        }
        times = _measure(commands, options.repeats)
    rows = [("", "seconds", "more (median of the rounds)", "processor seconds")]
    for name, rounds in times.items():
        seconds, used = zip(*rounds, strict=True)
        more = [own - base for own, (base, _) in zip(seconds, times[EMPTY], strict=True)]
        rows.append(
            (
                name,
                f"{statistics.median(seconds):.2f}",
                f"{statistics.median(more):.2f}",
                f"{statistics.median(used):.2f}",
            )
        )
    print_table(f"From the start of the process to its end, median of {options.repeats} rounds", rows)


def _measure(commands: dict[str, list[str]], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """(seconds by the clock, processor seconds with child processes) of each command, run in turns.

    The first round, which fills the caches, does not count.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for number in range(repeats + 1):
        for name, command in commands.items():
            before, begin = os.times(), time.perf_counter()
            done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
            if done.returncode > 1:  # 1: the detector rejects the drawing, which was read all the same
                sys.exit(done.stderr)
            seconds, after = time.perf_counter() - begin, os.times()
            used = after.children_user + after.children_system - before.children_user - before.children_system
            if number:
                times[name].append((seconds, used))
    return times


if __name__ == "__main__":
    main()
