"""`model.py archive` over a plain loop: `python -m benchmarks.speed.archive --slices 20000`. See docs/benchmarks.md.

Draws slices (and takes real ones with --real DIR), reads them with a plain loop in one process, then with the command
in a process tree of its own, whose processor time and memory are sampled. Slices of the command count from the first
finished shard on, so that the start of Ray and of the networks is listed apart. Linux only.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from benchmarks.faults.archive_kills import descendants
from benchmarks.tables import machine, megabytes, print_table
from tests.support.brains import draw
from utils.archive.writer import ROWS
from utils.paths import REPOSITORY
from utils.scans.files import batches, files_in, read_files

SIDE = 256  # pixels of a drawn slice
DRAWINGS = 200  # different ones; a file more is a copy under another name
BATCH = 16
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Sample:
    """Of the process tree: seconds since its start, processor seconds, memory (bytes, PSS), finished rows."""

    seconds: float
    cpu: float
    memory: float
    rows: int


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--slices", type=int, default=20_000, help="slices that the command reads (20000)")
    parser.add_argument(
        "--plain", type=int, default=1_000, help="of them those that the plain loop reads (1000)"
    )
    parser.add_argument(
        "--real", type=Path, help="folder of real images that come in turn with the drawn ones"
    )
    parser.add_argument(
        "--workers", type=int, default=len(os.sched_getaffinity(0)), help="inference processes"
    )
    parser.add_argument("--shard-size", type=int, default=256, help="slices in a shard (256)")
    options = parser.parse_args(arguments)
    os.environ["OMP_NUM_THREADS"] = "1"
    print(machine(("ray", "openvino", "pyarrow")))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "slices")
        _write_slices(source, options.slices, options.real)
        before = _plain_loop(source, options.plain)
        samples = _archive(source, Path(folder, "out"), options)
        after = _plain_loop(source, options.plain)
    _print(samples, (before, after), options)


def _write_slices(source: Path, count: int, real: Path | None) -> None:
    source.mkdir()
    drawn = []
    for seed in range(min(DRAWINGS, count)):
        file = source / f"drawing{seed}.png"
        Image.fromarray(np.rint(draw(SIDE, SIDE, seed=seed) * 255).astype(np.uint8)).save(file)
        drawn.append(file)
    originals = drawn if real is None else _in_turn(drawn, sorted(files_in([real])))
    for number, original in zip(range(count), itertools.cycle(originals), strict=False):
        folder = source / f"{number // 1000:05}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number:08}{original.suffix}").write_bytes(original.read_bytes())
    for file in drawn:
        file.unlink()


def _in_turn(drawn: Sequence[Path], real: Sequence[Path]) -> list[Path]:
    length = max(len(drawn), len(real))
    pairs = zip(itertools.cycle(drawn), itertools.cycle(real), strict=False)
    return [file for pair in itertools.islice(pairs, length) for file in pair]


def _plain_loop(source: Path, count: int) -> tuple[float, float]:
    """Seconds and processor seconds a slice of reading in one process, in batches, and keeping the results."""
    program = "import sys; from benchmarks.speed.archive import plain_loop; plain_loop(*sys.argv[1:])"
    output = subprocess.check_output(
        [sys.executable, "-c", program, str(source), str(count)], cwd=REPOSITORY, text=True
    )
    seconds, cpu = output.split()[-2:]
    return float(seconds), float(cpu)


def plain_loop(source: str, count: str) -> None:
    """Prints seconds and processor seconds a slice, without the start."""
    from utils.archive.inference import load_networks, run_cards
    from utils.archive.rows import columns_of
    from utils.reading.worklist import Entry, read_entries

    networks = load_networks(run_cards())
    inputs = batches(read_files(files_in([Path(source)])), BATCH)
    rows: list[dict] = []
    began = ended = 0.0, 0.0
    for number, batch in enumerate(itertools.islice(inputs, 1 + -(-int(count) // BATCH))):
        entries = [Entry("", item.file, item.scan, reason=item.reason) for item in batch]
        entries = read_entries(entries, networks.readers, networks.joint_reader, with_maps=False)
        rows += [columns_of(entry, networks.referral_thresholds) for entry in entries]
        ended = time.perf_counter(), sum(os.times()[:4])
        if number == 0:  # the first batch warms up
            began, rows = ended, []
    print(*((end - start) / len(rows) for start, end in zip(began, ended, strict=True)))


def _archive(source: Path, output: Path, options: argparse.Namespace) -> list[Sample]:
    command = [sys.executable, "model.py", "archive", str(source), "--output", str(output)]
    command += ["--workers", str(options.workers), "--shard-size", str(options.shard_size)]
    samples: list[Sample] = []
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    cpu: dict[int, float] = {}
    sizes: dict[Path, int] = {}
    while process.poll() is None:
        memory = 0.0
        for pid in (process.pid, *descendants(process.pid)):
            cpu[pid] = max(_cpu(pid), cpu.get(pid, 0.0))
            memory += _memory(pid)
        for file in (output / ROWS).glob("shard-*.parquet"):
            if file not in sizes:
                sizes[file] = pq.read_metadata(file).num_rows
        samples.append(Sample(time.perf_counter() - began, sum(cpu.values()), memory, sum(sizes.values())))
        time.sleep(2)
    if process.returncode:
        sys.exit(f"The command ended with {process.returncode}.")
    return samples


def _print(
    samples: Sequence[Sample], plain: Sequence[tuple[float, float]], options: argparse.Namespace
) -> None:
    first = next(sample for sample in samples if sample.rows)
    last = max(samples, key=lambda sample: (sample.rows, -sample.seconds))
    rows = last.rows - first.rows
    seconds, cpu = (last.seconds - first.seconds) / rows, (last.cpu - first.cpu) / rows
    loop_seconds, loop_cpu = (sum(values) / len(plain) for values in zip(*plain, strict=True))
    print(
        f"{last.rows} rows; {options.workers} inference processes; until the first shard {first.seconds:.0f} s"
    )
    table = [
        ("", "slices/s", "CPU ms a slice", "slices per CPU second"),
        ("plain loop", f"{1 / loop_seconds:.1f}", f"{1000 * loop_cpu:.1f}", f"{1 / loop_cpu:.1f}"),
        ("archive", f"{1 / seconds:.1f}", f"{1000 * cpu:.1f}", f"{1 / cpu:.1f}"),
        ("archive over loop", f"{loop_seconds / seconds:.2f}", f"{cpu / loop_cpu:.2f}", ""),
    ]
    print_table("Speed (plain loop: mean of before and after)", table)
    tenths = list(_tenths([sample for sample in samples if sample.rows]))
    memories = [("rows", "memory of all processes")]
    memories += [(f"{sample.rows:,}", megabytes(sample.memory)) for sample in tenths]
    print_table("Memory (PSS)", memories)


def _tenths(samples: Sequence[Sample]) -> Iterator[Sample]:
    for number in range(10):
        yield samples[number * (len(samples) - 1) // 9]


def _cpu(pid: int) -> float:
    """Processor seconds of a process; 0 where it has ended."""
    try:
        values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(values[11]) + int(values[12])) / TICKS


def _memory(pid: int) -> float:
    """Memory (bytes, PSS: shared pages count in part) of a process; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0.0)


if __name__ == "__main__":
    main()
