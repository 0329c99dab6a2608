"""Networks computed by OpenVINO, and the cache of what was converted for it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
import os
import struct
import tempfile
import threading
import time
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.networks.cards import Card
from utils.networks.runtime.archive import read_layers
from utils.networks.runtime.choice import BFLOAT16, processor_flags
from utils.networks.runtime.library import openvino
from utils.paths import user_folder

FORMAT = 2  # of the cached files and of the graph that they hold: count up with every change of graph.py
KEPT = 30 * 86_400  # seconds that an unused file stays in the cache
HEAD = struct.Struct(
    "<IQQ44x"
)  # CRC of what follows, bytes of the compiled network, bytes of the arrays behind it

Arrays = tuple[np.ndarray, ...]
# The compiled network, the arrays of its layer `logits`, and the cached file, which has to live as long as it
Opened = tuple[Any, Arrays, mmap.mmap | None]


class OpenVinoBackend:
    """A network compiled for this processor. See `backend.Backend`."""

    def __init__(self, card: Card, outputs: Sequence[str], runtime: str) -> None:
        """Raises UnsupportedNetwork where the network has something that is not translated."""
        self.runtime = runtime
        self.layers = read_layers(card.weights)
        model, self.logits, self._file = _compiled(card, outputs, runtime)
        self._request = model.create_infer_request()
        self._lock = threading.Lock()

    def run(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        with self._lock:
            results = self._request.infer([np.ascontiguousarray(inputs, np.float32)])
            return tuple(np.array(results[place], np.float32) for place in range(len(results)))

    def release(self) -> None:
        with self._lock:
            self._request.get_compiled_model().release_memory()
            # The pages of the file come again where they are needed: OpenVINO mostly uses copies in another order
            if self._file is not None and hasattr(mmap, "MADV_DONTNEED"):
                self._file.madvise(mmap.MADV_DONTNEED)


def _threads() -> int:
    """$OMP_NUM_THREADS, which OpenVINO itself does not read; 0, all cores, without it."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdecimal() else 0


def _compiled(card: Card, outputs: Sequence[str], runtime: str) -> Opened:
    """The network from the cache, or converted and put there."""
    core = openvino().Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if runtime == BFLOAT16 else "f32",
        "ENABLE_CPU_PINNING": False,  # several processes may share the processor
        "INFERENCE_NUM_THREADS": _threads(),
    }
    file = _cached_file(card, outputs, runtime)
    cached = _imported(core, settings, file)
    if cached is not None:
        return cached
    from utils.networks.runtime.graph import build

    graph, logits = build(card.weights, outputs)
    model = core.compile_model(graph, "CPU", settings)
    _write(file, model.export_model().getbuffer(), logits)
    return _imported(core, settings, file) or (model, logits, None)  # the cached one needs less memory


def _imported(core: Any, settings: Mapping[str, Any], file: Path) -> Opened | None:
    """A cached network; None where there is none, a damaged one, or one of another version of OpenVINO."""
    cached = _read(file)
    if cached is None:
        return None
    compiled, logits, mapped = cached
    with contextlib.suppress(RuntimeError):
        weights = openvino().Tensor(compiled, shared_memory=True)  # pages of the file, not a copy
        return core.import_model(weights, "CPU", settings), logits, mapped
    return None


def _cached_file(card: Card, outputs: Sequence[str], runtime: str) -> Path:
    """Where a network is cached: the name stands for everything that the content depends on."""
    facts = (FORMAT, card.version, *outputs, runtime, openvino().__version__, *sorted(processor_flags()))
    return user_folder("cache") / "networks" / f"{hashlib.sha256(repr(facts).encode()).hexdigest()}.bin"


def _read(file: Path) -> tuple[np.ndarray, Arrays, mmap.mmap] | None:
    """A cached network, the arrays of its layer `logits` and the file; None where there is none, or a damaged one."""
    try:
        with file.open("rb") as stream:
            mapped = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY)
        content = np.frombuffer(mapped, np.uint8)
        os.utime(file)
        check, compiled, arrays = HEAD.unpack(content[: HEAD.size].tobytes())
        if zlib.crc32(memoryview(mapped)[4:]) != check:
            return None
        ends = HEAD.size + compiled, HEAD.size + compiled + arrays
        stored = np.load(io.BytesIO(content[slice(*ends)].tobytes()), allow_pickle=False)
        return content[HEAD.size : ends[0]], tuple(stored[key] for key in stored.files), mapped
    except (OSError, ValueError, KeyError, struct.error, zipfile.BadZipFile):
        return None


def _write(file: Path, compiled: memoryview, logits: Sequence[np.ndarray]) -> None:
    """Put a network into the cache, whole or not at all. Without a folder to write to there is no cache."""
    arrays = io.BytesIO()
    np.savez(arrays, *logits)
    parts = HEAD.pack(0, len(compiled), arrays.tell())[4:], compiled, arrays.getbuffer()
    check = 0
    for part in parts:
        check = zlib.crc32(part, check)
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in file.parent.iterdir():
            if old.stat().st_mtime < time.time() - KEPT:
                old.unlink()
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as stream:
            try:
                stream.write(HEAD.pack(check, 0, 0)[:4])
                stream.writelines(parts)
                stream.close()
                Path(stream.name).replace(file)
            except OSError:
                Path(stream.name).unlink(missing_ok=True)
