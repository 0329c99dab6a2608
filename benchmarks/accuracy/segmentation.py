"""U-Nets on fold 1, alone and as an ensemble, with and without the mirror image. See docs/experiments.md.

`python -m benchmarks.accuracy.segmentation --data DIR FILE.keras [FILE.keras ...]`; no test part is used.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd

from benchmarks.tables import print_table
from utils.datasets.masks import read_mask, with_outlines
from utils.datasets.protocols import split_samples
from utils.datasets.samples import load_samples
from utils.datasets.sources import default_sources
from utils.evaluation.outline_figures import Scored, compare_all, fit_operating_point, outline_figures
from utils.scans.preprocessing import preprocess
from utils.scans.upload import read_scan_file
from utils.training.objectives import predict_logits


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="+", type=Path, help="weights of one input size")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the data sets")
    options = parser.parse_args()
    samples = with_outlines(split_samples(load_samples(options.data, default_sources()), "patient-disjoint"))
    rows = samples[samples["part"] == "validation"].reset_index(drop=True)
    networks = {str(file): keras.saving.load_model(file, compile=False) for file in options.networks}
    size = next(iter(networks.values())).input_shape[1]
    scans = [read_scan_file(path) for path in rows["path"]]
    truths = [read_mask(mask, scan.shape) > 127 for mask, scan in zip(rows["mask"], scans, strict=True)]
    images, geometries = zip(*(preprocess(scan.pixels, size) for scan in scans), strict=True)
    table: list[tuple[str, ...]] = [("", "Dice", "figshare slices", "LGG", "false positives per 100")]
    for name, probabilities in _probability_maps(networks, np.stack(images)):
        scored = [Scored(*case) for case in zip(probabilities, geometries, truths, strict=True)]
        comparison = compare_all(scored, fit_operating_point(scored))
        figures = outline_figures(pd.concat([rows, comparison], axis=1), resamples=1)
        dice = [
            part["dice"] for part in (figures, figures["sources"]["nickparvar"], figures["sources"]["lgg"])
        ]
        false = figures["false_outlines_per_100"]
        table.append((name, *(f"{value:.3f}" for value in dice), f"{false:.1f}"))
    print_table("Fold 1, each method at its best operating point", table)


def _probability_maps(
    networks: dict[str, keras.Model], images: np.ndarray
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and probabilities, (N, S, S), of each method; `images`: (N, S, S) uint8."""
    alone = {name: predict_logits(network, images)[..., 0] for name, network in networks.items()}
    mirrored = images[:, :, ::-1]
    both = {
        name: (alone[name] + predict_logits(network, mirrored)[:, :, ::-1, 0]) / 2
        for name, network in networks.items()
    }
    for suffix, methods in (("", alone), (", both images", both)):
        yield from ((f"{name}{suffix}", maps) for name, maps in methods.items())
        if len(methods) > 1:
            yield f"their mean{suffix}", np.mean(list(methods.values()), axis=0)


if __name__ == "__main__":
    main()
