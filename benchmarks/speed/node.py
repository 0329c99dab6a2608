"""The DICOM node with its networks: many senders at once, and one series. See docs/benchmarks.md.

`python -m benchmarks.speed.node load --data DIR` sends a series from each of 20 senders at once (Debian's dcmtk) and
counts errors and memory. `python -m benchmarks.speed.node series --data DIR` compares the way from C-STORE to the
report with reading the same files in a process of its own. The slices are those of DIR/nickparvar.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from pydicom import dcmread

from benchmarks.real_series import real_slices, single_frames
from benchmarks.tables import (
    family,
    machine,
    megabytes,
    memory_now,
    peak_memory_of,
    print_table,
    processor_seconds,
    ratio,
)
from tests.support.dicom_peers import NODE, SCANNER, Archive, NodeProcess, running, send

QUIET = 10.0  # seconds without an image until a series is read: the default of the node
KIND = ("--kinds", "sr")
MOST_SECONDS = 4 * 3600  # of a run
SETTLING = 3.0  # seconds that the decoder process may need to start
FAILURES = {"series rejected", "series put aside", "reading failed"}  # events of the node's log


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(required=True)
    load = commands.add_parser("load", help="many senders at once")
    load.add_argument("--senders", type=int, default=20, help="associations at once (20)")
    load.add_argument("--slices", type=int, default=100, help="slices of each (100)")
    load.add_argument(
        "--quick", action="store_true", help="a reader without networks: the network and the disk"
    )
    load.set_defaults(run=_load)
    series = commands.add_parser("series", help="one series, over reading it alone")
    series.add_argument("--slices", type=int, default=24, help="slices of the series (24)")
    series.add_argument("--repeats", type=int, default=3, help="series (3)")
    series.set_defaults(run=_series)
    for command in (load, series):
        command.add_argument("--data", type=Path, required=True, help="the folder that holds the data sets")
        command.add_argument("--quiet", type=float, default=QUIET, help="seconds of quiet (10)")
    options = parser.parse_args(arguments)
    print(machine(("pynetdicom", "pydicom", "openvino")))
    options.run(options)


def _load(options: argparse.Namespace) -> None:
    """Send a series from each sender at once (dcmtk's storescu); wait until all reports have come."""
    program = ["-m", "tests.support.node_program"] if options.quick else ["model.py", "node"]
    senders, images = options.senders, real_slices(options.data)
    with tempfile.TemporaryDirectory() as folder, Archive() as archive:
        for seed in range(senders):
            _write(Path(folder, str(seed)), single_frames(images, options.slices, seed))
        node = NodeProcess(Path(folder) / "spool", archive.address, options.quiet, KIND, program)
        with running(node):
            node.wait_for_event("networks loaded")
            time.sleep(SETTLING)
            idle, begin = _memory(node, memory_now), time.monotonic()
            failures = _send_at_once(node, [Path(folder, str(seed)) for seed in range(senders)])
            taken = time.monotonic() - begin
            _wait(archive, senders, node)
            total = time.monotonic() - begin
            after, peak = _memory(node, memory_now), _memory(node, peak_memory_of)
        stored = sum(line.get("stored", 0) for line in node.lines())
        refused = sum(line.get("refused", 0) for line in node.lines())
    print_table(
        f"{senders} senders at once, {options.slices} slices each",
        [
            ("", ""),
            ("slices stored; refused", f"{stored}; {refused}"),
            ("senders with an error", str(failures)),
            (
                "series; reports; reports that came twice",
                f"{senders}; {len(archive.received)}; {_twice(archive)}",
            ),
            ("seconds until all slices were stored", f"{taken:.0f}"),
            ("seconds until all reports had come", f"{total:.0f}"),
            ("memory of the idle node, networks loaded", megabytes(idle)),
            ("peak over that", megabytes(peak - idle)),
            ("at the end, over that", megabytes(after - idle)),
        ],
    )


def _memory(node: NodeProcess, of: Callable[[int], float | None]) -> float:
    """Bytes of the node and its decoder process. The sum of both peaks: no more than that was used at any time."""
    return sum(of(process) or 0.0 for process in family(node.process.pid))


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


def _series(options: argparse.Namespace) -> None:
    """Send one series after the other; the first of each way does not count."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    reader = multiprocessing.get_context("spawn").Process(target=_read_alone, args=(there,), daemon=True)
    reader.start()
    assert reader.pid is not None
    images, ways, alone = real_slices(options.data), [], []
    with tempfile.TemporaryDirectory() as folder, Archive() as archive:
        node = NodeProcess(Path(folder) / "spool", archive.address, options.quiet, KIND, ["model.py", "node"])
        with running(node):
            node.wait_for_event("networks loaded")
            for number in range(options.repeats + 1):
                files = single_frames(images, options.slices, number)
                through = partial(_through, node, archive, files, number + 1)
                ways.append(_timed(node.process.pid, through))
                here.send(files)
                alone.append(_timed(reader.pid, here.recv))
    here.send(None)
    reader.join()
    (way, way_processor), (base, base_processor) = (zip(*times[1:], strict=True) for times in (ways, alone))
    less = [seconds - options.quiet for seconds in way]
    print_table(
        f"A series of {options.slices} slices, median of {options.repeats}; quartiles in brackets",
        [
            ("", "seconds", "over reading it alone"),
            ("reading it alone", f"{statistics.median(base):.2f}", "1"),
            ("first C-STORE to the report", f"{statistics.median(way):.2f}", ratio(way, base)),
            (f"less {options.quiet:g} s of quiet", f"{statistics.median(less):.2f}", ratio(less, base)),
            ("processor seconds, reading it alone", f"{statistics.median(base_processor):.2f}", "1"),
            (
                "processor seconds of the node",
                f"{statistics.median(way_processor):.2f}",
                ratio(way_processor, base_processor),
            ),
        ],
    )


def _timed(process: int, work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock, and processor seconds of a process and its children meanwhile."""
    begin, used = time.monotonic(), processor_seconds(process)
    work()
    return time.monotonic() - begin, processor_seconds(process) - used


def _through(node: NodeProcess, archive: Archive, files: Sequence[bytes], reports: int) -> None:
    """Send a series to the node and wait for its report, the one with this number."""
    images = [dcmread(io.BytesIO(data)) for data in files]
    if send(node.port, images) != [0] * len(images):
        raise SystemExit("the node did not take all slices")
    _wait(archive, reports, node)


def _read_alone(pipe: Connection) -> None:
    """Read each series that comes, without making results, and answer when it was read."""
    from utils.commands.dicom_reading import SeriesReader

    reader = SeriesReader.load(())
    while files := pipe.recv():
        reader.read(files)
        pipe.send(None)


def _wait(archive: Archive, count: int, node: NodeProcess) -> None:
    """Until the archive has so many results. A series without a report ends the program: it would wait for ever."""
    end = time.monotonic() + MOST_SECONDS
    while len(archive.received) < count:
        events = {line["event"] for line in node.lines()}
        if time.monotonic() > end or node.process.poll() is not None or events & FAILURES:
            raise SystemExit(f"only {len(archive.received)} of {count} reports came:\n{node.log.read_text()}")
        time.sleep(0.1)


def _twice(archive: Archive) -> int:
    return sum(count > 1 for count in archive.received.values())


if __name__ == "__main__":
    main()
