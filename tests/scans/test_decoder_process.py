"""The decoder process: it dies, hangs or is stopped, and the next file is read."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.support.corpus import endless_jpeg
from tests.support.uploads import HANG, only, reason
from utils.scans import decoder_process, errors
from utils.scans.scan import Refusal, Stack
from utils.scans.upload import read_stacks


def test_decoder_that_dies_is_one_sentence_and_the_next_file_works(tiff) -> None:
    assert isinstance(only(read_stacks([("a.tif", tiff)])), Stack)
    pid = decoder_process.decoder().pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))  # in the middle of its work
    killer.start()
    assert "decoder fail" in reason(tiff)
    killer.join()
    assert isinstance(only(read_stacks([("a.tif", tiff)])), Stack)
    assert decoder_process.decoder().pid not in (None, pid)


def test_decoder_that_died_idle_is_not_noticed(tiff) -> None:
    read_stacks([("a.tif", tiff)])
    pid = decoder_process.decoder().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    assert isinstance(only(read_stacks([("a.tif", tiff)])), Stack)


def test_decoder_that_hangs_is_ended(tiff, monkeypatch) -> None:
    read_stacks([("a.tif", tiff)])
    pid = decoder_process.decoder().pid
    assert pid is not None
    monkeypatch.setattr(decoder_process, "WAITING", 0)
    os.kill(pid, signal.SIGSTOP)
    assert "takes too long" in reason(tiff)
    assert decoder_process.decoder().pid is None


def test_processor_time_is_bounded(tiff) -> None:
    read_stacks([("a.tif", tiff)])
    with pytest.raises(errors.DecoderFailed):
        decoder_process.decoder().decode(endless_jpeg(), 0.1)
    assert isinstance(only(read_stacks([("a.tif", tiff)])), Stack)


def test_decoder_writes_no_file_no_core_and_has_a_memory_limit(tiff) -> None:
    read_stacks([("a.tif", tiff)])
    pid = decoder_process.decoder().pid
    assert pid is not None
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert 0 < resource.prlimit(pid, resource.RLIMIT_AS)[0] < 2_500_000_000
    assert "tensorflow" not in Path(f"/proc/{pid}/maps").read_text()


def test_many_threads_share_the_decoder(tiff) -> None:
    results: list[Stack | Refusal] = []
    threads = [
        threading.Thread(target=lambda: results.extend(read_stacks([("a.tif", tiff)]))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG)
    assert len(results) == 8 and all(isinstance(part, Stack) for part in results)
    assert len({part.scans[0].pixels.tobytes() for part in results if isinstance(part, Stack)}) == 1


def test_the_decoder_ends_with_its_program() -> None:
    code = (
        "import io, os\nfrom PIL import Image\nfrom utils.scans.decoder_process import decoder\nbuffer = io.BytesIO()\n"
        "Image.linear_gradient('L').save(buffer, 'TIFF')\ndecoder().decode(buffer.getvalue())\n"
        "print(decoder().pid, flush=True)\nos._exit(0)"  # without a farewell
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    pid = int(done.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}/status").exists() or "zombie" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.1)
    raise AssertionError("it runs on")
