"""The program of the decoder process: files in, frames out, inside limits. `decoder_process` starts it."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from utils.scans.decode import decode
from utils.scans.decoder_process import FAILED, GROWN, REQUEST, TOO_MUCH_MEMORY
from utils.scans.errors import UnreadableScan
from utils.scans.limits import (
    DECODER_MEMORY,
    DECODER_SECONDS_PER_MEGABYTE,
    DECODER_SECONDS_PER_MEGAPIXEL,
    MEGABYTE,
    UPLOAD_FULL,
)


def main() -> None:
    """Read requests and answer them until the parent process ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)  # what a native library prints must not mix with the answers
    _import_decoders()
    idle = _address_space()
    _limit(idle)
    answers.write(b"ready\n")
    answers.flush()
    while len(header := requests.read(REQUEST.size)) == REQUEST.size:
        length, seconds, most_pixels = REQUEST.unpack(header)
        started = time.process_time()
        _alarm(seconds)
        used = _answer(requests.read(length), most_pixels, answers, started, seconds)
        _alarm(0)
        leaves = _address_space() > idle + GROWN
        answers.write(json.dumps({"end": True, "leaves": leaves, "seconds": used}).encode() + b"\n")
        answers.flush()


def _answer(data: bytes, most_pixels: int, answers: BinaryIO, started: float, seconds: float) -> float:
    """Write the facts and frames of one file, or why it is refused. Returns the processor time to its first frame."""
    used = None
    more = DECODER_SECONDS_PER_MEGABYTE * len(data) / MEGABYTE
    allowed, spare = seconds + more, 0.01  # 0 would be no alarm at all
    try:
        decoded = decode(data)
        del data
        facts = asdict(replace(decoded, frames=(), facts=()))
        del facts["frames"]
        facts["facts"] = [vars(entry) for entry in decoded.facts]
        answers.write(json.dumps(facts).encode() + b"\n")
        for frame in decoded.frames:
            if frame.size * decoded.count > most_pixels:
                raise UnreadableScan(UPLOAD_FULL)
            if used is None:
                used = time.process_time() - started
                allowed = max(seconds, used) + more
            allowed += DECODER_SECONDS_PER_MEGAPIXEL * frame.size / 1e6
            _alarm(max(allowed - (time.process_time() - started), 0) + spare)
            frame = np.ascontiguousarray(frame, np.float32)
            answers.write(json.dumps({"frame": frame.shape}).encode() + b"\n")
            answers.write(frame.data)
    except UnreadableScan as error:
        _refuse(answers, str(error))
    except MemoryError:
        _refuse(answers, TOO_MUCH_MEMORY, failed=True)
    except Exception:
        _refuse(answers, FAILED, failed=True)
    return time.process_time() - started if used is None else used


def _refuse(answers: BinaryIO, sentence: str, failed: bool = False) -> None:
    answers.write(json.dumps({"refused": sentence, "failed": failed}).encode() + b"\n")


def _import_decoders() -> None:
    """All of them before the limits: the first file must not pay for the imports."""
    for module in (
        "PIL.BmpImagePlugin",
        "PIL.TiffImagePlugin",
        "PIL.WebPImagePlugin",
        "cv2",
        "pydicom.pixels.decoders",
        "utils.scans.dicom",
        "utils.scans.nifti",
        "utils.scans.images",
    ):
        importlib.import_module(module)


def _limit(idle: int) -> None:
    """Memory, no core dumps and no files. Where the system has no such limits (Windows) the clock alone guards."""
    try:
        import resource
    except ImportError:
        return
    if idle:
        resource.setrlimit(resource.RLIMIT_AS, (idle + DECODER_MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _alarm(seconds: float) -> None:
    """End this process after so much processor time, also inside native code; 0: do not."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _address_space() -> int:
    """Bytes of this process, 0 where the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


if __name__ == "__main__":
    main()
