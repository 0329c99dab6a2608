"""Networks computed by OpenVINO, and the cache of what was converted for it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from utils.networks.cards import Card
from utils.networks.runtime.archive import read_layers
from utils.networks.runtime.choice import BFLOAT16, processor_flags
from utils.networks.runtime.library import openvino
from utils.paths import user_folder

FORMAT = 1  # of the cached files and of the graph that they hold: count up with every change of graph.py
KEPT = 30 * 86_400  # seconds that an unused file stays in the cache

Converted = tuple[bytes, tuple[np.ndarray, ...]]  # the compiled network, the arrays of its layer `logits`


class OpenVinoBackend:
    """A network compiled for this processor. See `backend.Backend`."""

    def __init__(self, card: Card, outputs: Sequence[str], runtime: str) -> None:
        """Raises UnsupportedNetwork where the network has something that is not translated."""
        self.runtime = runtime
        self.layers = read_layers(card.weights)
        model, self.logits = _compiled(card, outputs, runtime)
        self._request = model.create_infer_request()
        self._lock = threading.Lock()

    def run(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        with self._lock:
            results = self._request.infer([np.ascontiguousarray(inputs, np.float32)])
            return tuple(np.array(results[place], np.float32) for place in range(len(results)))


def _compiled(card: Card, outputs: Sequence[str], runtime: str) -> tuple[Any, tuple[np.ndarray, ...]]:
    """The compiled network: from the cache, or converted and put there."""
    core = openvino().Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if runtime == BFLOAT16 else "f32",
        "ENABLE_CPU_PINNING": False,  # several processes may share the processor
    }
    file = _cached_file(card, outputs, runtime)
    cached = _read(file)
    if cached is not None:
        with contextlib.suppress(RuntimeError):  # not of this version of OpenVINO after all
            return core.import_model(cached[0], "CPU", settings), cached[1]
    from utils.networks.runtime.graph import build

    graph, logits = build(card.weights, outputs)
    model = core.compile_model(graph, "CPU", settings)
    _write(file, (model.export_model().getvalue(), logits))
    return model, logits


def _cached_file(card: Card, outputs: Sequence[str], runtime: str) -> Path:
    """Where a network is cached: the name stands for everything that the content depends on."""
    facts = (FORMAT, card.version, *outputs, runtime, openvino().__version__, *sorted(processor_flags()))
    return user_folder("cache") / "networks" / f"{hashlib.sha256(repr(facts).encode()).hexdigest()}.npz"


def _read(file: Path) -> Converted | None:
    """A cached network; None where there is none, or a damaged one (the archive has checksums)."""
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = [archive[f"logits{number}"] for number in range(len(archive.files) - 1)]
            compiled = archive["compiled"].tobytes()
        os.utime(file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return compiled, tuple(arrays)


def _write(file: Path, converted: Converted) -> None:
    """Put a network into the cache, whole or not at all. Without a folder to write to there is no cache."""
    compiled, logits = converted
    arrays = {f"logits{number}": array for number, array in enumerate(logits)}
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for old in file.parent.glob("*.npz"):
            if old.stat().st_mtime < time.time() - KEPT:
                old.unlink()
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as stream:
            try:
                np.savez(stream, compiled=np.frombuffer(compiled, np.uint8), **arrays)  # type: ignore[arg-type]
                stream.close()
                Path(stream.name).replace(file)
            except OSError:
                Path(stream.name).unlink(missing_ok=True)
