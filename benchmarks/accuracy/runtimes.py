"""OpenVINO in float32 against Keras on test scans: labels, logits, maps and outlines. See docs/cli.md, "Runtime".

Run it with `python -m benchmarks.accuracy.runtimes --data DIR [--most 200]`. It looks at no labels of the scans.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import print_table
from utils.datasets.protocols import shipped_protocol, split_samples
from utils.datasets.samples import load_samples
from utils.evidence.outlines import outline
from utils.networks.cards import load_card
from utils.networks.runtime.choice import FLOAT32, KERAS
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.reading.reader import BATCH, Reader
from utils.reading.segmenter import Segmenter
from utils.scans.files import batches
from utils.scans.scan import Scan
from utils.scans.upload import read_scan_file


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the data sets")
    parser.add_argument(
        "--most", type=int, help="scans of the test part, evenly spaced (default: all of them)"
    )
    options = parser.parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    paths = _test_scans(options.data)
    step = max(1, len(paths) // options.most) if options.most else 1
    paths = paths[::step][: options.most]
    table: list[tuple[str, ...]] = [("", "scans", "same label", "logits", "maps, logits")]
    for weights in reading_networks():
        table.append((load_card(weights).title, *classifier_differences(weights, paths)))
    print_table("OpenVINO float32 and Keras: largest differences", table)
    table = [("", "scans", "largest difference of a probability", "pixels of outlines that differ")]
    table.append(
        (load_card(segmentation_weights()).title, *outline_differences(segmentation_weights(), paths))
    )
    print_table("The same for the segmentation network", table)


def classifier_differences(weights: Path, paths: Sequence[str]) -> tuple[str, str, str, str]:
    """Scans, those with the same label, and the largest differences of logits and of Grad-CAM maps."""
    ours, reference = (Reader.load(weights, runtime) for runtime in (FLOAT32, KERAS))
    assert (ours.runtime, reference.runtime) == (FLOAT32, KERAS)
    same, logits, maps = 0, 0.0, 0.0
    for scans in _scans(paths):
        for own, other in zip(ours.read_many(scans), reference.read_many(scans), strict=True):
            same += own.label == other.label
            logits = max(logits, float(np.abs(own.logits - other.logits).max()))
            maps = max(maps, float(np.abs(own.maps - other.maps).max()))
    return str(len(paths)), str(same), f"{logits:.1e}", f"{maps:.1e}"


def outline_differences(weights: Path, paths: Sequence[str]) -> tuple[str, str, str]:
    """Scans, the largest difference of a pixel's probability, and the pixels that are in one outline alone."""
    ours, reference = (Segmenter.load(weights, runtime) for runtime in (FLOAT32, KERAS))
    probabilities, pixels = 0.0, 0
    for scans in _scans(paths):
        for scan, *outputs in zip(scans, ours.outputs(scans), reference.outputs(scans), strict=True):
            difference = outputs[0].probabilities - outputs[1].probabilities
            probabilities = max(probabilities, float(np.abs(difference).max()))
            own, other = (
                outline(output.probabilities, output.geometry, ours.point, scan.spacing).mask
                for output in outputs
            )
            pixels += int((own ^ other).sum())
    return str(len(paths)), f"{probabilities:.1e}", str(pixels)


def _test_scans(data: Path) -> list[str]:
    """Files of the test part of the shipped protocol, of the sources that every network was trained on."""
    cards = [load_card(weights) for weights in reading_networks()]
    shared = set.intersection(*(set(card.sources) for card in cards))
    samples = split_samples(load_samples(data, tuple(sorted(shared))), shipped_protocol().name)
    return list(samples.loc[samples["part"] == "test", "path"])


def _scans(paths: Sequence[str]) -> Iterator[list[Scan]]:
    return ([read_scan_file(path) for path in batch] for batch in batches(paths, BATCH))


if __name__ == "__main__":
    main()
