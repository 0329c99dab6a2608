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
SIDE_KEPT = 512  # pixels, as most public scans; the memory of a reading grows with it
SCANS_KEPT = 100
TITLES = {
    "plain": "two plain forward passes",
    "openvino-f32": "the app: both networks, both maps, OpenVINO float32",
    methods.FLOAT32_AND_UNET: "the same with the U-Net and its outline",
    "openvino-bf16": "the app, OpenVINO bfloat16",
    methods.BFLOAT16_AND_UNET: "the same with the U-Net and its outline",
    "keras": "the app, Keras",
    "usual": "the usual method: predict, then tf-keras-vis",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--repeats", type=int, default=20, help="rounds for one scan (20); fewer for larger batches"
    )
    parser.add_argument("--batches", type=int, nargs="*", default=BATCHES, help="scans at once (1 8 64)")
    parser.add_argument(
        "--kept",
        type=int,
        default=SCANS_KEPT,
        help="scans whose readings are kept in memory (100); 0 for none",
    )
    options = parser.parse_args(arguments)
    try:
        for weights in methods.weights_files():
            check_weights(load_card(weights))
    except NetworkUnavailable as error:
        sys.exit(f"Nothing to measure: {error}")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # keep TensorFlow's messages out of the tables
    print(machine(("openvino", "tensorflow-cpu", "tensorflow", "keras", "tf-keras-vis", "streamlit")))
    for size in options.batches:
        _measure_batch(size, _rounds(options.repeats, size))
    if options.kept:
        _measure_memory(options.kept)


def _rounds(repeats: int, size: int) -> int:
    """Fewer rounds for large batches: half from 8 scans, a fifth from 64 scans, at least 3."""
    return max(min(repeats, 3), repeats // (5 if size >= 64 else 2 if size >= 8 else 1))


def _measure_batch(size: int, rounds: int) -> None:
    """Run the methods in turns, each in its process; each round begins with another method."""
    files = synthetic_files(size, SIDE)
    names = ["plain", *methods.app_methods(), *(["usual"] if size == 1 else [])]
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
    table = [("", "seconds per scan", "over plain passes", "peak memory", "over plain passes")]
    for name in names:
        seconds = statistics.median(times[name]) / size
        base = "1" if name == "plain" else ratio(times[name], times["plain"])
        memory = "1" if name == "plain" else f"{peaks[name] / peaks['plain']:.2f}"
        table.append((TITLES[name], f"{seconds:.3f}", base, megabytes(peaks[name]), memory))
    scans = "One scan" if size == 1 else f"{size} scans at once"
    print_table(f"{scans} ({SIDE} x {SIDE} PNG), median of {rounds} rounds, with quartiles", table)
    if "usual" in names:
        print(f"the app over the usual method: {ratio(times[names[1]], times['usual'])}", flush=True)


def _measure_memory(count: int) -> None:
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
    """A new Python process without this one's memory, and the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_quietly, args=(target, *arguments, theirs), daemon=True)
    process.start()
    theirs.close()  # a process that dies then ends the wait for it
    return process, ours


def _run_quietly(target: Callable[..., None], *arguments: Any) -> None:
    """Run a function without the messages of libraries on stderr, unless it fails."""
    with tempfile.TemporaryFile() as messages:
        terminal = os.dup(2)
        os.dup2(messages.fileno(), 2)
        try:
            target(*arguments)
        except Exception:
            messages.seek(0)
            os.dup2(terminal, 2)
            os.write(2, messages.read())
            raise


def _answer(pipe: Connection) -> Any:
    try:
        return pipe.recv()
    except EOFError:
        sys.exit("A measured process ended unexpectedly; its message is above.")


if __name__ == "__main__":
    main()
