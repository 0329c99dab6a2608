"""Rates of the out-of-distribution detector on brain MRI and other images. See docs/out-of-distribution.md.

Run it with `python -m benchmarks.accuracy.out_of_distribution --data DIR`. Fold 0, `not_brain_mri/`, the other organs
of `dicom/` and the drawn images are test sets: the detector was neither chosen nor fitted on them. Every test
evaluation is logged in the networks' cards.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables import print_table
from tests.support.other_images import OTHER_IMAGES
from utils.datasets.protocols import split_samples
from utils.datasets.samples import load_samples
from utils.networks.card_facts import TestEvaluation
from utils.networks.cards import log_test_evaluation
from utils.networks.runtime.choice import reference
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.paths import models_folder
from utils.reading.ood_detector import GRADES, worst_grade
from utils.scans.errors import UnreadableScan
from utils.scans.scan import Scan
from utils.scans.upload import read_scan_file

EACH = 60  # drawn images of each kind
EACH_SOURCE = 100  # scans of fold 0, at most
CHANGED = 150  # scans of fold 0 that are rotated, inverted and cropped
BRAINS_IN_DICOM = ("brain_mr", "emri_small")
FOLD = "fold 0, "
NOT_BRAINS = ("not_brain_mri/", "dicom/", "drawn/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the data sets")
    parser.add_argument("--models", nargs="+", help="networks (default: all that the app reads with)")
    parser.add_argument("--output", type=Path, default=models_folder() / "evaluation" / "gate.json")
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from utils.paths import current_commit
    from utils.reading.reader import BATCH, Reader
    from utils.reading.segmenter import Segmenter

    files = [file for file in reading_networks() if not options.models or file.stem in options.models]
    readers = [Reader.load(file) for file in files]
    segmenter = Segmenter.load(segmentation_weights())
    rows = []
    learned = set.intersection(*(set(reader.card.sources) for reader in readers))
    for group, scans in _groups(options.data, tuple(sorted(learned))):
        while batch := list(islice(scans, BATCH)):
            answers = zip(*(reader.read_many(batch, with_maps=False) for reader in readers), strict=True)
            segmentations = segmenter.read_many(batch)
            for scan, readings, segmentation in zip(batch, answers, segmentations, strict=True):
                row: dict[str, Any] = {"group": group, "scan": scan.name}
                row["grade"] = worst_grade((*(reading.grade for reading in readings), segmentation.grade))
                row[segmenter.card.name] = segmentation.grade != "ok"
                for flag in ("inverted", "turned"):
                    row[flag] = any(flag in reading.flags for reading in readings)
                for reader, reading in zip(readers, readings, strict=True):
                    assert reader.card.novelty is not None
                    limit = reader.card.novelty.unusual
                    row[reader.card.name] = float(reading.novelty or 0) / limit
                rows.append(row)
        print(f"{group}: {sum(row['group'] == group for row in rows)}", flush=True)
    table = pd.DataFrame(rows)
    cards = [reader.card for reader in readers]
    result = {
        "date": datetime.date.today().isoformat(),
        "commit": current_commit(),
        "command": "python -m benchmarks.accuracy.out_of_distribution --data DIR",
        "weights_sha256": {card.name: card.version for card in (*cards, segmenter.card)},
        "thresholds": {
            reader.card.name: {
                key: getattr(reader.card.novelty, key) for key in ("unusual", "refused", "turned")
            }
            for reader in readers
        },
        **figures(table, [card.name for card in cards], segmenter.card.name),
    }
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for card in (*cards, segmenter.card):
        log_test_evaluation(
            card,
            TestEvaluation(protocol="gate", date=result["date"], commit=result["commit"], n=len(table)),
        )
    _print(result)


def figures(table: pd.DataFrame, networks: list[str], segmenter: str) -> dict[str, Any]:
    """Shares (0..1) of a table with the columns group, grade, inverted, turned and one column a network.

    The column of a classifier, one of `networks`, holds its novelty score over its threshold of "unusual", that of the
    segmentation network whether its outlier classifier marks the scan.
    """
    score = table[networks].max(axis=1)
    is_brain = table["group"].str.startswith(FOLD)
    one_percent = float(np.quantile(score[is_brain], 0.99, method="higher"))
    other = table["group"].str.startswith(NOT_BRAINS)
    groups = {
        group: _figures(rows, networks, segmenter) for group, rows in table.groupby("group", sort=False)
    }
    return {
        "groups": groups,
        "not brain MRI, all": _figures(table[other], networks, segmenter),
        "at 1 % of fold 0": {
            "score": one_percent,
            "marked": float((score[other] > one_percent).mean()),
            "groups": {
                group: float((score[rows.index] > one_percent).mean())
                for group, rows in table.groupby("group", sort=False)
            },
        },
    }


def _figures(rows: pd.DataFrame, networks: list[str], segmenter: str) -> dict[str, Any]:
    graded = {grade: float((rows["grade"] == grade).mean()) for grade in GRADES[1:]}
    return {
        "n": len(rows),
        **graded,
        "marked": sum(graded.values()),
        "marked_by": {name: float((rows[name] > 1).mean()) for name in networks}
        | {segmenter: float(rows[segmenter].mean())},
        "inverted": float(rows["inverted"].mean()),
        "turned": float(rows["turned"].mean()),
    }


def _groups(data: Path, learned: tuple[str, ...]) -> Iterator[tuple[str, Iterator[Scan]]]:
    """Name and scans of each group. `learned`: the sources that every network was trained on; fold 0 is theirs."""
    samples = split_samples(load_samples(data, learned), "patient-disjoint")
    test = samples[samples["part"] == "test"].sample(frac=1, random_state=0)
    for source, rows in test.groupby("source"):
        yield f"{FOLD}{source}", _readable(rows["path"].head(EACH_SOURCE).map(Path))
    for folder in sorted((data / "not_brain_mri").iterdir()):
        if folder.is_dir():
            yield f"not_brain_mri/{folder.name}", _readable(sorted(folder.iterdir()))
    others = [
        file for file in sorted((data / "dicom").glob("*.dcm")) if not file.name.startswith(BRAINS_IN_DICOM)
    ]
    yield "dicom/ other organs and test pictures", _readable(others)
    for kind, draws in OTHER_IMAGES.items():
        rng = np.random.default_rng(97)
        images = (draw(rng) for draw in draws for _ in range(EACH))
        yield f"drawn/{kind}", (Scan(kind, image, "drawn by code") for image in images)
    sample = test["path"].head(CHANGED).map(Path)
    for name, change in CHANGES.items():
        rng = np.random.default_rng(98)
        scans = _readable(sample)
        yield name, (Scan(scan.name, np.ascontiguousarray(change(scan.pixels, rng)), name) for scan in scans)


def _readable(files) -> Iterator[Scan]:
    for file in files:
        try:
            yield read_scan_file(file)
        except UnreadableScan:
            continue


def _cropped(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of the height and width, at a random place near the centre."""
    height, width = pixels.shape
    top, left = rng.integers(height // 6, height // 3 + 1), rng.integers(width // 6, width // 3 + 1)
    return pixels[top : top + height // 2, left : left + width // 2]


CHANGES = {
    "turned by 90 degrees": lambda pixels, rng: np.rot90(pixels),
    "turned by 180 degrees": lambda pixels, rng: np.rot90(pixels, 2),
    "turned by 270 degrees": lambda pixels, rng: np.rot90(pixels, 3),
    "inverted": lambda pixels, rng: 1 - pixels,
    "cropped": _cropped,
}


def _print(result: dict[str, Any]) -> None:
    groups = result["groups"] | {"not brain MRI, all": result["not brain MRI, all"]}
    at_one = result["at 1 % of fold 0"]["groups"] | {
        "not brain MRI, all": result["at 1 % of fold 0"]["marked"]
    }
    networks = list(result["weights_sha256"])
    head = [
        "share in %",
        "n",
        "refused",
        "unusual",
        "marked",
        *networks,
        "at 1 % of fold 0",
        "inverted",
        "turned",
    ]
    rows = [head]
    for name, row in groups.items():
        shares = [row["refused"], row["unusual"], row["marked"], *row["marked_by"].values(), at_one[name]]
        shares += [row["inverted"], row["turned"]]
        rows.append([name, str(row["n"]), *(f"{100 * share:.1f}" for share in shares)])
    print_table("Images graded as not a brain MRI (refused) or unusual", rows)


if __name__ == "__main__":
    with reference():
        main()
