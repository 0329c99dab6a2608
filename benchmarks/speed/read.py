"""Seconds and memory of reading scans, as ratios: `python -m benchmarks.speed.read`. See docs/benchmarks.md."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from benchmarks.speed import methods
from benchmarks.tables import machine, megabytes, print_table, ratio
from utils.networks.cards import NetworkUnavailable, check_weights, load_card

BATCHES = (1, 8, 64)
SIDE = 320  # pixels, the synthetic example of the app
SIDE_KEPT = 512  # pixels, what most public scans have: what is kept of a scan grows with it
SCANS_KEPT = 100
TITLES = {
    "plain": "two plain forward passes",
    "app": "the app: both networks, both maps",
    "usual": "the usual way: predict, then tf-keras-vis",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--repeats", type=int, default=20, help="rounds for one scan (20); fewer for larger batches"
    )
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES, help="scans at once (1 8 64)")
    parser.add_argument(
        "--kept", type=int, default=SCANS_KEPT, help="scans whose readings are kept (100); 0 for none"
    )
    options = parser.parse_args(arguments)
    try:
        for weights in methods.weights_files():
            check_weights(load_card(weights))
    except NetworkUnavailable as error:
        sys.exit(f"There is nothing to measure: {error}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's remarks would stand between the figures
    print(machine(("tensorflow-cpu", "tensorflow", "keras", "tf-keras-vis", "streamlit")))
    for size in options.batches:
        _one_batch(size, _rounds(options.repeats, size))
    if options.kept:
        _kept(options.kept)


def _rounds(repeats: int, size: int) -> int:
    """Fewer rounds where each takes long: half from 8 scans on, a fifth from 64 on, 3 at least."""
    return max(min(repeats, 3), repeats // (5 if size >= 64 else 2 if size >= 8 else 1))


def _one_batch(size: int, rounds: int) -> None:
    """Each way in its process, in turns: round by round, and each round begins with another one."""
    files = synthetic_files(size, SIDE)
    names = ["plain", "app", "usual"] if size == 1 else ["plain", "app"]
    workers = {name: _start(methods.serve, name, files) for name in names}
    try:
        for _, pipe in workers.values():
            _answer(pipe)
        times: dict[str, list[float]] = {name: [] for name in names}
        for number in range(rounds):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                workers[name][1].send(True)
                times[name].append(float(_answer(workers[name][1])))
        peaks = {}
        for name, (_, pipe) in workers.items():
            pipe.send(False)
            peaks[name] = float(_answer(pipe))
    finally:
        for process, _ in workers.values():
            process.join(5)
            process.kill()
    table = [("", "seconds a scan", "over plain passes", "peak memory", "over plain passes")]
    for name in names:
        seconds = statistics.median(times[name]) / size
        base = "1" if name == "plain" else ratio(times[name], times["plain"])
        memory = "1" if name == "plain" else f"{peaks[name] / peaks['plain']:.2f}"
        table.append((TITLES[name], f"{seconds:.3f}", base, megabytes(peaks[name]), memory))
    scans = "One scan" if size == 1 else f"{size} scans at once"
    print_table(f"{scans} ({SIDE} x {SIDE} PNG), median of {rounds} rounds, with quartiles", table)
    if "usual" in names:
        print(f"the app over the usual way: {ratio(times['app'], times['usual'])}", flush=True)


def _kept(count: int) -> None:
    process, pipe = _start(methods.keep_many, synthetic_files(count, SIDE_KEPT))
    loaded, now, peak = _answer(pipe)
    process.join()
    print_table(
        f"Memory of a process that reads as the app does ({SIDE_KEPT} x {SIDE_KEPT} PNG, readings kept)",
        [
            ("", "memory"),
            ("both networks ready", megabytes(loaded)),
            (f"after {count} scans", megabytes(now)),
            ("at its peak", megabytes(peak)),
        ],
    )


def synthetic_files(count: int, side: int) -> list[bytes]:
    """PNG files of different synthetic scans; the first is the app's example. OpenCV stays out of this process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.starmap(_synthetic_file, [(side, 7 + number) for number in range(count)])


def _synthetic_file(side: int, seed: int) -> bytes:
    from utils.scans.example import synthetic_scan
    from utils.scans.rendering import gray_image, png

    return png(gray_image(synthetic_scan(side, seed).pixels))


def _start(target: Callable[..., None], *arguments: Any) -> tuple[BaseProcess, Connection]:
    """A fresh Python process (nothing of this one's memory in it) and the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_aside, args=(target, *arguments, theirs), daemon=True)
    process.start()
    theirs.close()  # so that a process that dies ends the wait for it
    return process, ours


def _aside(target: Callable[..., None], *arguments: Any) -> None:
    """Run in the new process, with what libraries remark kept out of the tables unless it fails."""
    with tempfile.TemporaryFile() as remarks:
        terminal = os.dup(2)
        os.dup2(remarks.fileno(), 2)
        try:
            target(*arguments)
        except Exception:
            remarks.seek(0)
            os.dup2(terminal, 2)
            os.write(2, remarks.read())
            raise


def _answer(pipe: Connection) -> Any:
    try:
        return pipe.recv()
    except EOFError:
        sys.exit("A process that was measured came to an end; its own message stands above.")


if __name__ == "__main__":
    main()
