"""The decoder process: native decoders and hostile files may crash, hang or fill memory there, not in the app.

One long-lived process, started when it is first needed and again when it has died. The parent sends the bytes of a
file; the answer is lines of JSON, each frame followed by its float32 numbers. Nothing is pickled, and the process can
write no file. `utils/scans/decoder_program.py` is its program.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from typing import Any, BinaryIO

import numpy as np

from utils.paths import REPOSITORY
from utils.scans.decoded import Decoded, FrameFacts
from utils.scans.errors import DecoderFailed, UnreadableScan
from utils.scans.limits import (
    DECODER_SECONDS,
    DECODER_SECONDS_PER_MEGABYTE,
    LARGEST_STACK,
    MEGABYTE,
    MOST_FRAMES,
)

REQUEST = struct.Struct("<QdQ")  # length of the file in bytes, processor seconds, most pixels
STARTING_SECONDS = 120.0  # by the clock: on a busy machine importing the decoders takes a while
WAITING = 30.0  # seconds by the clock for one of processor time, before a sleeping decoder is stopped
LONGEST_LINE = 16 * MEGABYTE  # of an answer: the facts about all frames
GROWN = 64 * MEGABYTE  # a process that kept more than this of a file is replaced
FAILED = "This file makes its decoder fail; it is damaged, so export it again."
TOO_LONG = "This file takes too long to decode; select a part of it, or export it uncompressed."
TOO_MUCH_MEMORY = "This file needs more memory than a scan may take; select a part of it, or export it again."


class DecoderProcess:
    """The process, its pipes, and a lock: it decodes one file at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def decode(
        self, data: bytes, seconds: float = DECODER_SECONDS, most_pixels: int = LARGEST_STACK
    ) -> tuple[Decoded, float]:
        """Decode a file there. Returns it, frames in a list, and the processor time until the first of them.

        Raises UnreadableScan with the decoder's own sentence, DecoderFailed where it crashed, ran longer than
        `seconds` of processor time until its first frame (`limits` adds more for each) or out of memory.
        A file with more pixels than `most_pixels`, in all frames, is refused as too much for this upload.
        """
        longest = seconds + DECODER_SECONDS_PER_MEGABYTE * len(data) / MEGABYTE
        with self._lock:
            process = self._running()
            watchdog = _Watchdog(process, WAITING * longest + 2)
            refusal = None
            try:
                process.stdin.write(REQUEST.pack(len(data), seconds, most_pixels))  # type: ignore[union-attr]
                process.stdin.write(data)  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                decoded, end = _receive(process.stdout, watchdog)  # type: ignore[arg-type]
            except _Refused as answer:
                refusal, end = answer.refusal, answer.end
            except Exception:  # it died or its answer is invalid: the pipe cannot be used any more
                is_late = watchdog.has_barked or _ran_out_of_time(process)
                self._stop()
                raise DecoderFailed(TOO_LONG if is_late else FAILED) from None
            except BaseException:  # an interrupt in the middle of an answer
                self._stop()
                raise
            finally:
                watchdog.stop()
            if end["leaves"]:
                self._stop()
        if refusal is not None:
            refusal.seconds = float(end["seconds"])
            raise refusal
        return decoded, float(end["seconds"])

    def start(self) -> None:
        """Start the process in the background, so that the first file finds it ready."""
        threading.Thread(target=self._warm_up, daemon=True, name="start-decoder").start()

    def _warm_up(self) -> None:
        with self._lock, contextlib.suppress(DecoderFailed):  # the first file tries again, and reports it
            self._running()

    def stop(self) -> None:
        """End the process; the next file starts another one."""
        with self._lock:
            self._stop()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.poll() is None else None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        environment = {
            **os.environ,
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "utils.scans.decoder_program"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # decoders remark on what they read there, names included
                cwd=REPOSITORY,
                env=environment,
            )
        except OSError:
            raise DecoderFailed("The decoder of such files could not be started; try again.") from None
        self._process = process
        timer = threading.Timer(STARTING_SECONDS, process.kill)
        timer.start()
        try:
            if process.stdout.readline() != b"ready\n":  # type: ignore[union-attr]
                self._stop()
                raise DecoderFailed("The decoder of such files could not be started; try again.")
        finally:
            timer.cancel()
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):  # what was not flushed cannot be
                pipe.close()  # type: ignore[union-attr]


class _Watchdog:
    """Kills a process that sends nothing for some seconds by the clock."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self.has_barked = False
        self._process, self._seconds = process, seconds
        self._start()

    def frame_came(self) -> None:
        """Begin to wait anew."""
        if time.monotonic() - self._started > 1:
            self.stop()
            self._start()

    def stop(self) -> None:
        self._timer.cancel()

    def _start(self) -> None:
        self._started = time.monotonic()
        self._timer = threading.Timer(self._seconds, self._bark)
        self._timer.daemon = True
        self._timer.start()

    def _bark(self) -> None:
        self.has_barked = True
        self._process.kill()


def _ran_out_of_time(process: subprocess.Popen[bytes]) -> bool:
    """Whether the alarm of its own processor time has ended the process."""
    try:
        return process.wait(1) == -getattr(signal, "SIGPROF", 0) != 0
    except subprocess.TimeoutExpired:
        return False


def _receive(stream: BinaryIO, watchdog: _Watchdog) -> tuple[Decoded, dict[str, Any]]:
    """One whole answer. The process is not trusted to keep the limits: what it sends is counted.

    Raises _Refused for a refusal, and EOFError, ValueError, KeyError or TypeError for an invalid answer.
    """
    facts: dict[str, Any] = {}
    refusal: UnreadableScan | None = None
    frames: list[np.ndarray] = []
    pixels = 0
    while "end" not in (line := _line(stream)):
        if "frame" in line:
            height, width = (int(side) for side in line["frame"])
            pixels += height * width
            if min(height, width) < 1 or pixels > LARGEST_STACK or len(frames) >= MOST_FRAMES:
                raise ValueError("more than was promised")
            frames.append(_frame(stream, height, width))
            watchdog.frame_came()
        elif "refused" in line:
            refusal = (DecoderFailed if line["failed"] else UnreadableScan)(str(line["refused"]))
        else:
            facts = line
    if refusal is not None:
        raise _Refused(refusal, line)
    facts["notes"] = tuple(facts["notes"])
    facts["facts"] = tuple(_frame_facts(entry) for entry in facts["facts"])
    decoded = Decoded(**facts, frames=frames)
    if not len(frames) == len(decoded.facts) == decoded.count or len({frame.shape for frame in frames}) != 1:
        raise ValueError("not what was promised")
    return decoded, line


def _frame_facts(entry: dict[str, Any]) -> FrameFacts:
    """JSON knows no tuples."""
    facts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()
    }
    return FrameFacts(**facts)


class _Refused(Exception):
    """A complete answer that refuses the file."""

    def __init__(self, refusal: UnreadableScan, end: dict[str, Any]) -> None:
        super().__init__()
        self.refusal, self.end = refusal, end


def _frame(stream: BinaryIO, height: int, width: int) -> np.ndarray:
    buffer = bytearray(4 * height * width)
    view, done = memoryview(buffer), 0
    while done < len(buffer):
        read = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not read:
            raise EOFError
        done += read
    return np.frombuffer(buffer, np.float32).reshape(height, width)


def _line(stream: BinaryIO) -> dict[str, Any]:
    text = stream.readline(LONGEST_LINE)
    if not text.endswith(b"\n"):
        raise EOFError
    return json.loads(text)


_decoder = DecoderProcess()
atexit.register(_decoder.stop)


def decoder() -> DecoderProcess:
    """The decoder process that all threads of this program share."""
    return _decoder
