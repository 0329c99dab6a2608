"""OpenVINO in float32 against Keras, and in bfloat16 against float32, on test scans: labels, logits, maps, outlines.

See docs/cli.md, "Runtime". Run it with `python -m benchmarks.accuracy.runtimes --data DIR [--most 200]`. It looks at no
labels of the scans. bfloat16 is compared where processor and cards allow it.
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
from utils.networks.runtime.choice import BFLOAT16, FLOAT32, KERAS, choose, has_bfloat16
from utils.networks.shipped import load_ensemble, reading_networks, segmentation_weights
from utils.reading.joint import JointReader
from utils.reading.reader import BATCH, Reader
from utils.reading.segmenter import Segmenter
from utils.reading.worklist import Entry, read_entries, with_referral_thresholds
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
    cards = [load_card(weights) for weights in reading_networks()]
    has_both = has_bfloat16() and all(card.bfloat16 for card in cards)
    for pair in ((FLOAT32, KERAS), *([(BFLOAT16, FLOAT32)] if has_both else [])):
        table: list[tuple[str, ...]] = [("", "scans", "same label", "logits", "maps, logits")]
        table += [(card.title, *classifier_differences(card.weights, paths, pair)) for card in cards]
        print_table(f"{' and '.join(pair)}: largest differences", table)
    if has_both:
        table = [
            ("scans", "same label", "answered", "answered by both", "largest difference of a probability")
        ]
        print_table(
            f"The ensemble's answers with {BFLOAT16} and {FLOAT32}", [*table, answer_differences(paths)]
        )
    table = [("", "scans", "largest difference of a probability", "pixels of outlines that differ")]
    table.append(
        (load_card(segmentation_weights()).title, *outline_differences(segmentation_weights(), paths))
    )
    print_table(f"{FLOAT32} and {KERAS} for the segmentation network", table)


def classifier_differences(
    weights: Path, paths: Sequence[str], pair: tuple[str, str] = (FLOAT32, KERAS)
) -> tuple[str, str, str, str]:
    """Scans, those with the same label, and the largest differences of logits and of Grad-CAM maps."""
    ours, reference = (Reader.load(weights, runtime) for runtime in pair)
    assert (ours.runtime, reference.runtime) == pair
    same, logits, maps = 0, 0.0, 0.0
    for scans in _scans(paths):
        for own, other in zip(ours.read_many(scans), reference.read_many(scans), strict=True):
            same += own.label == other.label
            logits = max(logits, float(np.abs(own.logits - other.logits).max()))
            maps = max(maps, float(np.abs(own.maps - other.maps).max()))
    return str(len(paths)), str(same), f"{logits:.1e}", f"{maps:.1e}"


def answer_differences(paths: Sequence[str]) -> tuple[str, str, str, str, str]:
    """Scans, those with the same label, those answered with each runtime and with both, and the probabilities."""
    ensemble = load_ensemble()
    assert ensemble is not None
    joint = JointReader(Segmenter.load(segmentation_weights()), ensemble.detection)
    answers = []
    for runtime in (BFLOAT16, FLOAT32):
        with choose(runtime):
            readers = [Reader.load(weights) for weights in reading_networks()]
        read = [
            with_referral_thresholds(entry, ensemble.referral_thresholds)
            for scans in _scans(paths)
            for entry in read_entries(
                [Entry("", "", scan) for scan in scans], readers, joint, with_maps=False
            )
        ]
        assert all(entry.joint for entry in read)
        answers.append(
            (
                np.array([entry.joint.label for entry in read if entry.joint]),
                np.array([entry.status == "agree" for entry in read]),
                np.stack([entry.joint.probabilities for entry in read if entry.joint]),
            )
        )
    (labels, answered, probabilities), (other_labels, other_answered, other_probabilities) = answers
    return (
        str(len(paths)),
        str((labels == other_labels).sum()),
        f"{answered.sum()}; {other_answered.sum()}",
        str((answered & other_answered).sum()),
        f"{np.abs(probabilities - other_probabilities).max():.3f}",
    )


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
