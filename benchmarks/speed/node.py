"""The DICOM node with its networks: many senders at once, and one series. See docs/benchmarks.md.

`python -m benchmarks.speed.node load --senders 20 --slices 100` sends a drawn series from each sender at once (Debian's
dcmtk) and counts errors and memory. `python -m benchmarks.speed.node series --slices 24` compares the way from C-STORE
to the report with reading the same files in a process of its own.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from benchmarks.tables import machine, megabytes, memory_now, peak_memory_of, print_table, ratio
from tests.support import mr_series
from tests.support.dicom_peers import NODE, SCANNER, Archive, NodeProcess, running, send
from tests.support.mr_series import Drawn

SIDE = 256  # pixels of a slice
QUIET = 10.0  # seconds without an image until a series is read: the default
KIND = ("--kinds", "sr")
MOST_SECONDS = 4 * 3600  # of a run


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    load = commands.add_parser("load", help="many senders at once")
    load.add_argument("--senders", type=int, default=20, help="associations at once (20)")
    load.add_argument("--slices", type=int, default=100, help="slices of each (100)")
    load.add_argument(
        "--quick", action="store_true", help="a reader without networks: the network and the disk"
    )
    load.set_defaults(run=lambda options: _load(options.senders, options.slices, options.quick))
    series = commands.add_parser("series", help="one series, over reading it alone")
    series.add_argument("--slices", type=int, default=24, help="slices of the series (24)")
    series.add_argument("--repeats", type=int, default=5, help="series (5)")
    series.set_defaults(run=lambda options: _series(options.slices, options.repeats))
    options = parser.parse_args(arguments)
    print(machine(("pynetdicom", "pydicom", "openvino", "keras")))
    options.run(options)


def drawn(slices: int, seed: int) -> list[bytes]:
    """The files of a drawn series."""
    return [data for _, data in mr_series.series(Drawn(slices=slices, shape=(SIDE, SIDE), seed=1000 * seed))]


def _load(senders: int, slices: int, quick: bool) -> None:
    """Send a series from each sender at once (dcmtk's storescu); wait until all reports have come."""
    program = ["-m", "tests.support.node_program"] if quick else ["model.py", "node"]
    with tempfile.TemporaryDirectory() as folder, Archive() as archive:
        for seed in range(senders + 1):
            _write(Path(folder, str(seed)), drawn(slices, seed))
        node = NodeProcess(Path(folder) / "spool", archive.address, QUIET, KIND, program)
        with running(node):
            node.wait_for_event("networks loaded")
            loaded = memory_now(node.process.pid)
            failures = _send_at_once(node, [Path(folder, str(senders))])  # warm-up
            _wait(archive, 1, node)
            idle, begin = memory_now(node.process.pid), time.monotonic()
            failures += _send_at_once(node, [Path(folder, str(seed)) for seed in range(senders)])
            taken = time.monotonic() - begin
            _wait(archive, senders + 1, node)
            total = time.monotonic() - begin
            after, peak = memory_now(node.process.pid), peak_memory_of(node.process.pid)
        stored = sum(line.get("stored", 0) for line in node.lines()) - slices
        refused = sum(line.get("refused", 0) for line in node.lines())
    print_table(
        f"{senders} senders at once, {slices} slices each",
        [
            ("", ""),
            ("slices stored; refused", f"{stored}; {refused}"),
            ("senders with an error", str(failures)),
            (
                "series; reports; reports that came twice",
                f"{senders}; {len(archive.received) - 1}; {_twice(archive)}",
            ),
            ("seconds until all slices were stored", f"{taken:.0f}"),
            ("seconds until all reports had come", f"{total:.0f}"),
            ("memory of the idle node, networks loaded", megabytes(loaded)),
            ("memory of the idle node, after one series", megabytes(idle)),
            ("peak over the latter", _difference(peak, idle)),
            ("at the end, over the latter", _difference(after, idle)),
        ],
    )


def _write(folder: Path, files: Sequence[bytes]) -> None:
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / f"{number:04}.dcm").write_bytes(data)


def _send_at_once(node: NodeProcess, folders: Sequence[Path]) -> int:
    """Send each folder through an association of its own; how many of them failed."""
    address = ["-aet", SCANNER, "-aec", NODE, "+sd", "127.0.0.1", str(node.port)]
    senders = [
        subprocess.Popen(
            ["storescu", *address, str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for folder in folders
    ]
    return sum(sender.wait() != 0 for sender in senders)


def _series(slices: int, repeats: int) -> None:
    """Send one series after the other; the first of each way does not count."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    reader = multiprocessing.get_context("spawn").Process(target=_read_alone, args=(there,), daemon=True)
    reader.start()
    ways, alone = [], []
    with tempfile.TemporaryDirectory() as folder, Archive() as archive:
        node = NodeProcess(Path(folder) / "spool", archive.address, QUIET, KIND, ["model.py", "node"])
        with running(node):
            node.wait_for_event("networks loaded")
            for number in range(repeats + 1):
                files = drawn(slices, number)
                images, begin = _data_sets(files), time.monotonic()
                if send(node.port, images) != [0] * slices:
                    raise SystemExit("the node did not take all slices")
                _wait(archive, number + 1, node)
                way = time.monotonic() - begin - QUIET
                here.send(files)
                seconds = here.recv()
                if number:
                    ways.append(way)
                    alone.append(seconds)
    here.send(None)
    reader.join()
    print_table(
        f"A series of {slices} slices, median of {repeats}",
        [
            ("", "seconds"),
            ("reading it alone", f"{statistics.median(alone):.2f}"),
            (f"first C-STORE to the report, less {QUIET:.0f} s of quiet", f"{statistics.median(ways):.2f}"),
            ("over reading it alone (quartiles)", ratio(ways, alone)),
        ],
    )


def _read_alone(pipe: Connection) -> None:
    """Answer the files of each series with the seconds of reading them, without making results."""
    from utils.commands.dicom_reading import SeriesReader

    reader = SeriesReader.load(())
    while files := pipe.recv():
        begin = time.monotonic()
        reader.read(files)
        pipe.send(time.monotonic() - begin)


def _data_sets(files: Sequence[bytes]) -> list[Dataset]:
    return [dcmread(io.BytesIO(data)) for data in files]


def _wait(archive: Archive, count: int, node: NodeProcess) -> None:
    """Until the archive has so many results."""
    end = time.monotonic() + MOST_SECONDS
    while len(archive.received) < count:
        if time.monotonic() > end or node.process.poll() is not None:
            raise SystemExit(f"only {len(archive.received)} of {count} reports came:\n{node.log.read_text()}")
        time.sleep(0.02)


def _twice(archive: Archive) -> int:
    return sum(count > 1 for count in archive.received.values())


def _difference(size: float | None, base: float | None) -> str:
    return "unknown" if size is None or base is None else megabytes(size - base)


if __name__ == "__main__":
    main()
