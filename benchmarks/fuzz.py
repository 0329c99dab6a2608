"""Damaged files of every format into the reader: `python -m benchmarks.fuzz --inputs 100000`. See docs/benchmarks.md.

Every input has to give scans or refusals: no other exception, no more than 2 seconds of processor time (of this process
and of the decoder's), no more than 500 MB. Exit code 1 where one does not; the input is then written where --keep says.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.corpus import corpus, mutated
from benchmarks.tables import machine, megabytes, memory_now, peak_memory_of, print_table
from utils.isolation import decoder
from utils.scans import Refusal, Stack, read_stacks

MOST_SECONDS = 2.0
MOST_MEMORY = 500e6  # bytes more than before
SECRETS = ("Secret", "ID-4711", "19700102", "Hidden Hospital", "1.2.826")  # what the corpus' DICOM files hold


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for inputs that failed")
    options = parser.parse_args(arguments)
    files = corpus()
    print(machine(("pillow", "pydicom", "nibabel", "pylibjpeg-openjpeg", "pyjpegls", "python-gdcm")))
    print(f"{options.inputs} inputs, seed {options.seed}, from {len(files)} files", flush=True)
    for name, data in files.items():  # also starts the decoder: its start is not the first input's fault
        read_stacks([(name, data)])
    outcome: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    failures: list[str] = []
    slowest, starts = (0.0, ""), 0
    me, pid = os.getpid(), decoder().pid or 0
    before, decoder_before = memory_now(me) or 0.0, memory_now(pid) or 0.0
    peak, started = 0.0, time.monotonic()
    for number in range(options.inputs):
        rng = random.Random(f"{options.seed}-{number}")
        name, data = mutated(rng, files)
        reset_peak(me)
        spent = time.process_time() + processor_seconds(pid)
        try:
            problem = judge(read_stacks([(name, data)]), outcome, refused)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        now = decoder().pid or 0
        if now == pid:
            seconds = time.process_time() + processor_seconds(pid) - spent
            mine, its = peak_memory_of(me) or 0.0, peak_memory_of(pid) or 0.0
            peak = max(peak, mine - before + its - decoder_before)
        else:  # it ended or was ended; the next one starts now, so that no input pays for it
            starts += 1
            seconds = time.process_time() + dead_seconds() - spent
            read_stacks([("warm", files["tiff"])])
            pid = decoder().pid or 0
            decoder_before = memory_now(pid) or 0.0
        slowest = max(slowest, (seconds, f"{number} ({name})"))
        if seconds > MOST_SECONDS:
            problem = problem or f"{seconds:.1f} s of processor time"
        if peak > MOST_MEMORY:
            problem = problem or f"{megabytes(peak)} more memory"
        if problem:
            failures.append(f"{number} ({name}): {problem}")
            print("FAILED", failures[-1], flush=True)
            if options.keep:
                options.keep.mkdir(parents=True, exist_ok=True)
                (options.keep / f"{options.seed}-{number}.bin").write_bytes(data)
        if (number + 1) % 1000 == 0:
            print(
                f"{number + 1}: {dict(outcome)}, {starts} decoders ended, slowest {slowest[0]:.2f} s, peak "
                f"{megabytes(peak)}, now {megabytes((memory_now(me) or 0.0) - before)} more, "
                f"{time.monotonic() - started:.0f} s by the clock",
                flush=True,
            )
    print_table(
        "Why files were refused", [("", "files"), *((why, str(n)) for why, n in refused.most_common(30))]
    )
    print_table(
        f"{options.inputs} damaged files",
        [
            ("", "what came out"),
            ("scans", str(outcome["scans"])),
            ("refusals", str(outcome["refusals"])),
            ("other exceptions, hangs, too much memory", str(len(failures))),
            ("decoder processes that ended", str(starts)),
            ("slowest, processor seconds", f"{slowest[0]:.2f}, input {slowest[1]}"),
            ("peak memory above the start", megabytes(peak)),
            ("memory at the end above the start", megabytes((memory_now(me) or 0.0) - before)),
        ],
    )
    return 1 if failures else 0


def judge(found: list[Stack | Refusal], outcome: Counter[str], refused: Counter[str]) -> str:
    """Count what came out; says what is wrong with it, or nothing."""
    for one in found:
        text = one.reason if isinstance(one, Refusal) else " ".join(one.notes)
        if any(secret in text for secret in SECRETS):
            return f"an identifier in: {text}"
        if isinstance(one, Refusal):
            outcome["refusals"] += 1
            refused["".join(" " if letter.isdigit() else letter for letter in text)] += 1
            if not text.endswith(".") or "\n" in text:
                return f"no sentence: {text}"
            continue
        outcome["scans"] += 1
        for scan in one.scans:
            fine = scan.pixels.dtype == np.float32 and scan.pixels.ndim == 2
            if (
                not fine
                or not np.isfinite(scan.pixels).all()
                or scan.pixels.min() < 0
                or scan.pixels.max() > 1
            ):
                return "pixels that are no brightness"
    return "" if found else "nothing came out"


def reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


_dead = 0.0


def dead_seconds() -> float:
    """Processor seconds of child processes that ended since the last call, from their start on."""
    global _dead
    times = os.times()
    new, _dead = (
        times.children_user + times.children_system - _dead,
        times.children_user + times.children_system,
    )
    return new


if __name__ == "__main__":
    sys.exit(main())
