"""How accuracy falls as scans are degraded step by step: noise, blur, contrast, JPEG, rotation, resolution, inversion.

After Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
ICLR 2019. The changes are made to the scan's own pixels, before the preprocessing that every scan goes through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import OTHER_TUMOR
from utils.evaluation.measurement import log_test, network_facts
from utils.reading.reader import BATCH, Reader
from utils.records.base import write_record
from utils.records.robustness import RobustnessRecord
from utils.scans.scan import Scan
from utils.scans.upload import read_scan_file

Change = Callable[[np.ndarray, float], np.ndarray]  # (H, W) float32, level -> (H, W) float32
SCANS = 300  # scans that every level is measured on, drawn with the classes' shares


def _untouched(pixels: np.ndarray, level: float) -> np.ndarray:
    return pixels


def _noise(pixels: np.ndarray, level: float) -> np.ndarray:
    return pixels + np.random.default_rng(0).normal(0, level, pixels.shape).astype(np.float32)


def _blur(pixels: np.ndarray, level: float) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), level * max(pixels.shape) / 256)


def _contrast(pixels: np.ndarray, level: float) -> np.ndarray:
    return pixels**level


def _jpeg(pixels: np.ndarray, level: float) -> np.ndarray:
    eight_bit = np.rint(255 * pixels).astype(np.uint8)
    encoded = cv2.imencode(".jpg", eight_bit, [cv2.IMWRITE_JPEG_QUALITY, int(level)])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return decoded.astype(np.float32) / 255


def _rotation(pixels: np.ndarray, level: float) -> np.ndarray:
    height, width = pixels.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), level, 1.0)
    return cv2.warpAffine(pixels, matrix, (width, height), flags=cv2.INTER_LINEAR)


def _resolution(pixels: np.ndarray, level: float) -> np.ndarray:
    height, width = pixels.shape
    small = (max(round(width / level), 8), max(round(height / level), 8))
    return cv2.resize(
        cv2.resize(pixels, small, interpolation=cv2.INTER_AREA),
        (width, height),
        interpolation=cv2.INTER_LINEAR,
    )


def _inverted(pixels: np.ndarray, level: float) -> np.ndarray:
    return 1 - pixels


# name -> (change, levels from mild to strong, what a level is)
CHANGES: dict[str, tuple[Change, tuple[float, ...], str]] = {
    "noise": (_noise, (0.02, 0.05, 0.1, 0.2), "standard deviation, of full brightness"),
    "blur": (_blur, (1, 2, 3, 4), "standard deviation, pixels of a side of 256"),
    "brighter": (_contrast, (0.8, 0.6, 0.4), "gamma"),
    "darker": (_contrast, (1.25, 1.7, 2.5), "gamma"),
    "JPEG": (_jpeg, (50, 30, 15, 5), "quality"),
    "rotation": (_rotation, (5, 10, 20, 45), "degrees"),
    "resolution": (_resolution, (2, 3, 4, 6), "times fewer pixels a side"),
    "inverted": (_inverted, (1,), ""),
}


def measure_robustness(
    reader: Reader, protocol: str, part: str, rows: pd.DataFrame, command: str
) -> RobustnessRecord:
    """The accuracy on SCANS of the rows (one known class each), unchanged and under every degradation.

    rows: the samples of the protocol's `part`, "test" or "validation"; an evaluation of the test part is logged in the
    card.
    """
    rows = rows[rows["target"] != OTHER_TUMOR]
    if len(rows) > SCANS:
        rows = rows.groupby("target").sample(frac=SCANS / len(rows), random_state=0)
    scans, targets = [read_scan_file(path) for path in rows["path"]], rows["target"].to_numpy()
    card, unchanged = reader.card, _accuracy(reader, scans, targets, _untouched, 0)
    changes = {
        name: {
            "unit": unit,
            "levels": list(levels),
            "accuracy": [_accuracy(reader, scans, targets, change, level) for level in levels],
        }
        for name, (change, levels, unit) in tqdm(CHANGES.items(), desc=f"{card.name}, robustness")
    }
    if part == "test":
        log_test(card, f"{protocol}, robustness", len(scans))
    facts = {
        **network_facts(card, protocol, command),
        "part": part,
        "n": len(scans),
        "accuracy": unchanged,
        "changes": changes,
    }
    return RobustnessRecord.model_validate(facts)


def _accuracy(
    reader: Reader, scans: Sequence[Scan], targets: np.ndarray, change: Change, level: float
) -> float:
    """The share of scans with the correct label when every scan is changed."""
    correct = 0
    for start in range(0, len(scans), BATCH):
        changed = [
            replace(scan, pixels=np.clip(change(scan.pixels, level), 0, 1).astype(np.float32))
            for scan in scans[start : start + BATCH]
        ]
        labels = [reading.label for reading in reader.read_many(changed, with_maps=False)]
        correct += int(np.sum(np.asarray(labels) == targets[start : start + BATCH]))
    return round(correct / len(scans), 6)


def write_robustness(record: RobustnessRecord, folder: Path) -> Path:
    """Write MODEL.robustness.json, MODEL.robustness.PART.json for another part than the test; returns the path."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if record.part == "test" else f".{record.part}"
    file = folder / f"{record.model}.robustness{suffix}.json"
    write_record(file, record)
    return file
