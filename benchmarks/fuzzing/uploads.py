"""Read damaged files of every format: `python -m benchmarks.fuzzing.uploads --inputs 100000`.

See docs/benchmarks.md.

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

from benchmarks.tables import machine, megabytes, memory_now, peak_memory_of, print_table
from tests.support.corpus import bombs, corpus, mutated
from utils.scans.decoder_process import decoder
from utils.scans.limits import DECODER_MEMORY
from utils.scans.scan import Refusal, Stack
from utils.scans.upload import read_stacks

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
    watch = Watch(files["tiff"])
    rows = [("", "what came out", "processor seconds", "memory")]
    for name, data in bombs().items():
        problem, seconds, peak = watch.read(name, data)
        rows.append((name, problem or watch.last, f"{seconds:.2f}", megabytes(peak)))
        watch.note(name, data, problem, options.keep)
    print_table("Bombs", rows)
    watch.outcome.clear()
    watch.refused.clear()
    slowest, most = (0.0, ""), (0.0, "")
    started = time.monotonic()
    for number in range(options.inputs):
        name, data = mutated(random.Random(f"{options.seed}-{number}"), files)
        label = f"{number} ({name})"
        problem, seconds, peak = watch.read(name, data)
        watch.note(label, data, problem, options.keep)
        slowest, most = max(slowest, (seconds, label)), max(most, (peak, label))
        if (number + 1) % 1000 == 0:
            print(
                f"{number + 1}: {dict(watch.outcome)}, {watch.ended} decoders ended, slowest {slowest[0]:.2f} s, "
                f"peak {megabytes(most[0])}, now {megabytes(watch.grown)} more, "
                f"{time.monotonic() - started:.0f} s by the clock",
                flush=True,
            )
    reasons = watch.refused.most_common(30)
    print_table("Why files were refused", [("", "files"), *((why, str(n)) for why, n in reasons)])
    print_table(
        f"{options.inputs} damaged files",
        [
            ("", "what came out"),
            ("scans", str(watch.outcome["scans"])),
            ("refusals", str(watch.outcome["refusals"])),
            ("other exceptions, hangs, too much memory", str(len(watch.failures))),
            ("decoder processes that ended", str(watch.ended)),
            ("slowest, processor seconds", f"{slowest[0]:.2f}, input {slowest[1]}"),
            ("most memory for one", f"{megabytes(most[0])}, input {most[1]}"),
            ("memory at the end above the start", megabytes(watch.grown)),
        ],
    )
    return 1 if watch.failures else 0


class Watch:
    """Reads inputs and measures what each costs, in this process and in the decoder's."""

    def __init__(self, warm: bytes) -> None:
        """`warm` is a file that the decoder reads: its start is not the next input's fault."""
        self.outcome: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.failures: list[str] = []
        self.ended = 0
        self.last = ""
        self._warm = warm
        self._start_decoder()
        self._before = memory_now("self") or 0.0

    @property
    def grown(self) -> float:
        """Bytes that this process has more than at the start."""
        return (memory_now("self") or 0.0) - self._before

    def read(self, name: str, data: bytes) -> tuple[str, float, float]:
        """What is wrong (or nothing), processor seconds, and bytes more than before at the peak."""
        Path("/proc/self/clear_refs").write_text("5")  # the peak of this process begins anew
        mine, spent = memory_now("self") or 0.0, time.process_time() + processor_seconds(self._pid)
        try:
            parts = read_stacks([(name, data)])
            problem = judge(parts, self.outcome, self.refused)
            self.last = parts[0].reason if parts and isinstance(parts[0], Refusal) else "a scan"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        peak = (peak_memory_of(os.getpid()) or 0.0) - mine
        if (decoder().pid or 0) == self._pid:
            seconds = time.process_time() + processor_seconds(self._pid) - spent
            peak += (peak_memory_of(self._pid) or 0.0) - self._decoder_before
        else:  # it ended or was ended: it had no more memory than its limit
            seconds = time.process_time() + dead_seconds() - spent
            peak += DECODER_MEMORY
            self.ended += 1
        self._start_decoder()
        if seconds > MOST_SECONDS:
            problem = problem or f"{seconds:.1f} s of processor time"
        if peak > MOST_MEMORY:
            problem = problem or f"{megabytes(peak)} more memory"
        return problem, seconds, peak

    def note(self, label: str, data: bytes, problem: str, keep: Path | None) -> None:
        """Remember and show an input that failed, and keep it where asked."""
        if not problem:
            return
        self.failures.append(f"{label}: {problem}")
        print("FAILED", self.failures[-1], flush=True)
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{label.split()[0]}-{len(self.failures)}.bin").write_bytes(data)

    def _start_decoder(self) -> None:
        """Have one running whose own peak so far is small, so that the next input's shows."""
        pid = decoder().pid or 0
        if not pid or (peak_memory_of(pid) or 0.0) > (memory_now(pid) or 0.0) + 20e6:
            decoder().stop()
            read_stacks([("warm", self._warm)])
            pid = decoder().pid or 0
            dead_seconds()
        self._pid, self._decoder_before = pid, memory_now(pid) or 0.0


def judge(parts: list[Stack | Refusal], outcome: Counter[str], refused: Counter[str]) -> str:
    """Count what came out; says what is wrong with it, or nothing."""
    for part in parts:
        text = part.reason if isinstance(part, Refusal) else " ".join(part.notes)
        if any(secret in text for secret in SECRETS):
            return f"an identifier in: {text}"
        if isinstance(part, Refusal):
            outcome["refusals"] += 1
            refused["".join(" " if letter.isdigit() else letter for letter in text)] += 1
            if not text.endswith(".") or "\n" in text:
                return f"no sentence: {text}"
            continue
        outcome["scans"] += 1
        for scan in part.scans:
            fine = scan.pixels.dtype == np.float32 and scan.pixels.ndim == 2
            if (
                not fine
                or not np.isfinite(scan.pixels).all()
                or scan.pixels.min() < 0
                or scan.pixels.max() > 1
            ):
                return "pixels that are no brightness"
    return "" if parts else "nothing came out"


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
