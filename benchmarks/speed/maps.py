"""Saliency maps of all classes over a forward pass: `python -m benchmarks.speed.maps`. See docs/benchmarks.md."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from benchmarks.speed.methods import weights_files
from benchmarks.tables import machine, print_table, ratio
from utils.evidence.cams import gradient_maps
from utils.networks.surgery import split_at
from utils.reading.reader import BATCH, Reader
from utils.scans.example import synthetic_scan
from utils.scans.preprocessing import preprocess

ROUNDS = 20


def main() -> None:
    print(machine(("tensorflow-cpu", "keras", "tf-keras-vis")))
    rows: list[tuple[str, ...]] = [
        ("", "forward pass, s", "with all maps, s", "over the forward pass (quartiles)")
    ]
    times: list[tuple[list[float], list[float]]] = []
    for weights in weights_files():
        reader = Reader.load(weights)
        scans = [preprocess(synthetic_scan(seed=seed).pixels, reader.size)[0] for seed in range(BATCH)]
        inputs = np.stack(scans)[..., None].astype(np.float32)
        trunk, head = split_at(reader.network, reader.card.evidence_layer)
        forward = keras.Model(
            reader.network.inputs, [trunk.outputs[0], reader.network.get_layer("logits").output]
        )
        alone, with_maps = [], []
        for _ in range(ROUNDS + 2):  # the first two build the graphs
            begin = time.perf_counter()
            features, _ = forward.predict_on_batch(inputs)
            passed = time.perf_counter()
            gradient_maps(head, [np.asarray(features)], len(reader.classes))
            alone.append(passed - begin)
            with_maps.append(time.perf_counter() - begin)
        times.append((alone[2:], with_maps[2:]))
        rows.append(_row(reader.card.title, *times[-1]))
    both = [[sum(rounds) for rounds in zip(*kind, strict=True)] for kind in zip(*times, strict=True)]
    rows.append(_row("both", *both))
    print_table(f"{BATCH} scans at once, Grad-CAM of every class", rows)


def _row(title: str, alone: Sequence[float], with_maps: Sequence[float]) -> tuple[str, ...]:
    seconds = [f"{statistics.median(times):.3f}" for times in (alone, with_maps)]
    return (title, *seconds, ratio(with_maps, alone))


if __name__ == "__main__":
    main()
