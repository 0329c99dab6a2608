"""Tables, machine description and memory of processes for the benchmarks; standard library only."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MB = 1e6


def peak_memory() -> float:
    """The peak memory (bytes, RSS) of this process."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory_now(process: int | str = "self") -> float | None:
    """The current memory (bytes, RSS) of a process; None without /proc."""
    return _status(process, "VmRSS")


def peak_memory_of(process: int) -> float | None:
    """The peak memory (bytes, RSS) of another process; None without /proc."""
    return _status(process, "VmHWM")


def family(process: int) -> list[int]:
    """A process and its children; only itself without /proc."""
    parents = {int(file.name): _status(file.name, "PPid") for file in Path("/proc").glob("[0-9]*")}
    return [process, *(child for child, parent in parents.items() if parent == process)]


def processor_seconds(process: int) -> float:
    """What a process and its children have used so far. Needs /proc."""
    ticks = 0
    for member in family(process):
        fields = Path(f"/proc/{member}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))  # of its own, and of children that have ended
    return ticks / os.sysconf("SC_CLK_TCK")


def megabytes(size: float | None) -> str:
    return "unknown" if size is None else f"{size / MB:.0f} MB"


def ratio(times: Sequence[float], base: Sequence[float]) -> str:
    """The median and quartiles of the ratios of each round: the load of the machine affects both times of a round."""
    ratios = [time / reference for time, reference in zip(times, base, strict=True)]
    if len(ratios) < 4:
        return f"{statistics.median(ratios):.2f}"
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first row names the columns, the first column is text, the others are numbers."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"\n{title}")
    for row in rows:
        cells = [row[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        print("  ".join(cells).rstrip(), flush=True)


def machine(packages: Sequence[str]) -> str:
    """Processor, cores, load and versions in one line."""
    versions = [f"Python {platform.python_version()}"]
    for package in packages:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    load = f", load {os.getloadavg()[0]:.1f} before" if hasattr(os, "getloadavg") else ""
    return f"{_processor()}, {os.cpu_count()} cores{load}; {', '.join(versions)}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _status(process: int | str, key: str) -> float | None:
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    unit = 1024 if key.startswith("Vm") else 1
    return next((float(line.split()[1]) * unit for line in lines if line.startswith(f"{key}:")), None)
