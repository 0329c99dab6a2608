"""Kills of `model.py archive` (SIGKILL, Ctrl-C): `python -m benchmarks.faults.archive_kills --kills 30`.

A drawn archive is read once undisturbed, with the shipped networks or those of $BRAIN_MRI_MODELS. Then decoders,
inference actors and the command itself are killed at random moments, and the command is started again until it is
done; its rows must be those of the undisturbed run, each once. A run that is done before all kills begins anew in
another folder.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from tests.support.archives import write_archive
from utils.archive.run_record import read_run
from utils.archive.writer import ROWS
from utils.paths import REPOSITORY

PATIENCE = 540  # seconds for one step of a run
TOLERANCE = 1e-4  # of probabilities: a batch of another size is added up in another order


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=30, help="number of kills (30)")
    parser.add_argument("--images", type=int, default=600, help="drawn images beside three series (600)")
    parser.add_argument("--longest", type=float, default=20, help="seconds between two kills, at most (20)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and victims (0)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        source, undisturbed = Path(folder, "archive"), Path(folder, "undisturbed")
        write_archive(source, options.images)
        fixed = [str(source), "--workers", "2", "--shard-size", "64", "--output"]
        with Victim([*fixed, str(undisturbed)]) as run:
            code, errors = run.finish()
        assert code == 0, errors
        reference = ds.dataset(undisturbed / ROWS).to_table()
        killed, problems, runs = _kill(options, fixed, Path(folder), reference)
    print(
        f"{killed.total()} kills ({', '.join(f'{count} {kind}' for kind, count in killed.items())}) in {runs} runs of "
        f"{len(reference)} rows: {len(problems)} rows lost, doubled or different"
    )
    print(*problems[:10], sep="\n")
    return 1 if problems else 0


def _kill(
    options: argparse.Namespace, fixed: Sequence[str], folder: Path, reference: pa.Table
) -> tuple[Counter[str], list[str], int]:
    """Kills of each kind, what is wrong with the rows, and the number of runs that were finished."""
    dice = random.Random(options.seed)
    killed: Counter[str] = Counter()
    problems: list[str] = []
    runs = 0
    while killed.total() < options.kills:
        output = folder / f"{runs}"
        while not _is_done(output):
            with Victim([*fixed, str(output)]) as run:
                while run.process.poll() is None and killed.total() < options.kills:
                    end = time.monotonic() + dice.uniform(0, options.longest)
                    while run.process.poll() is None and time.monotonic() < end:
                        time.sleep(0.1)
                    if run.process.poll() is None:
                        killed[run.kill_any(dice)] += 1
                code, errors = run.finish()
            assert code in (0, 130, -signal.SIGKILL, -signal.SIGINT), errors
            if code != -signal.SIGINT:  # Ctrl-C before the command had begun
                assert "Traceback" not in errors, errors
        problems += different_rows(ds.dataset(output / ROWS).to_table(), reference)
        runs += 1
    return killed, problems, runs


def _is_done(output: Path) -> bool:
    run = read_run(output)
    return run is not None and run.counts is not None


class Victim:
    """A run of the command in a process of its own; with its end all its processes have ended."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [sys.executable, "model.py", "archive", *arguments]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=self._errors, text=True
        )
        self._family: set[int] = set()

    def __enter__(self) -> Victim:
        return self

    def __exit__(self, *_: object) -> None:
        self._family |= set(descendants(self.process.pid))
        self.process.kill()
        self.process.wait()
        end = time.monotonic() + PATIENCE
        while any(map(_is_alive, self._family)):  # the processes of Ray end with their driver
            assert time.monotonic() < end, "processes are left"
            time.sleep(0.1)
        self._errors.close()

    def workers(self, kind: str = "") -> list[int]:
        """The processes of actors, "Decoder" or "Inference", at the moment."""
        family = descendants(self.process.pid)
        self._family |= set(family)
        return [
            pid for pid, name in family.items() if "ray::" in name and "MapWorker" in name and kind in name
        ]

    def kill(self, pid: int, number: int = signal.SIGKILL) -> None:
        self.workers()
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.kill(pid, number)

    def kill_any(self, dice: random.Random) -> str:
        """Kill a worker or the command; returns what was killed."""
        kind = dice.choice(("Decoder", "Inference", "command", "Ctrl-C"))
        workers = self.workers(kind)
        if workers:
            self.kill(dice.choice(workers))
            return kind
        if kind == "Ctrl-C":
            self.kill(self.process.pid, signal.SIGINT)
            return kind
        self.kill(self.process.pid)
        return "command"

    def finish(self) -> tuple[int, str]:
        """Wait for the end; the exit code and standard error."""
        code = self.process.wait(PATIENCE)
        self._errors.seek(0)
        return code, self._errors.read()


def wait_for(condition: Callable[[], Any], run: Victim) -> None:
    """Wait until a condition holds. Raises AssertionError where the run ends first."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert run.process.poll() is None, run.finish()[1]
        assert time.monotonic() < end
        time.sleep(0.05)


def different_rows(table: pa.Table, reference: pa.Table) -> list[str]:
    """What is missing, doubled or different, a sentence each."""
    written: dict[tuple, list[dict]] = defaultdict(list)
    for row in table.to_pylist():
        written[row["unit"], row["row"]].append(row)
    problems = []
    for expected in reference.to_pylist():
        rows = written.pop((expected["unit"], expected["row"]), [])
        if len(rows) != 1:
            problems.append(f"row {expected['unit']}.{expected['row']} is there {len(rows)} times")
        elif not _is_equal(rows[0], expected):
            problems.append(f"row {expected['unit']}.{expected['row']} is different")
    return problems + [f"row {key} is too much" for key in written]


def _is_equal(row: dict, expected: dict) -> bool:
    for name, value in row.items():
        other = expected[name]
        if isinstance(value, float) and isinstance(other, float):
            if not np.isclose(value, other, atol=TOLERANCE, rtol=TOLERANCE):
                return False
        elif value != other:
            return False
    return True


def descendants(root: int) -> dict[int, str]:
    """The processes below a process -> their command lines."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                name = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            children[int(parent)].append((int(entry.name), name))
    family: dict[int, str] = {}
    waiting = [root]
    while waiting:
        for pid, name in children[waiting.pop()]:
            family[pid] = name
            waiting.append(pid)
    return family


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:1]
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
