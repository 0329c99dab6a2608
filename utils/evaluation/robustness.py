"""How accuracy falls when scans get worse, step by step: noise, blur, contrast, JPEG, rotation, resolution, inversion.

After Hendrycks and Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations",
ICLR 2019. The changes are made to the scan's own pixels, before the preprocessing that every scan goes through.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import OTHER_TUMOR
from utils.networks.card_facts import TestEvaluation
from utils.networks.cards import log_test_evaluation
from utils.paths import current_commit
from utils.reading.reader import BATCH, Reader
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
) -> dict[str, Any]:
    """The accuracy on SCANS of the rows (one known class each), as they are and under every change; JSON-ready.

    rows: the samples of the protocol's `part`, "test" or "validation"; opening the test part is logged in the card.
    """
    rows = rows[rows["target"] != OTHER_TUMOR]
    if len(rows) > SCANS:
        rows = rows.groupby("target").sample(frac=SCANS / len(rows), random_state=0)
    scans = [read_scan_file(path) for path in rows["path"]]
    targets = rows["target"].to_numpy()

    def accuracy(change: Change, level: float) -> float:
        right = 0
        for start in range(0, len(scans), BATCH):
            changed = [
                replace(scan, pixels=np.clip(change(scan.pixels, level), 0, 1).astype(np.float32))
                for scan in scans[start : start + BATCH]
            ]
            labels = [reading.label for reading in reader.read_many(changed, with_maps=False)]
            right += int(np.sum(np.asarray(labels) == targets[start : start + BATCH]))
        return round(right / len(scans), 6)

    card = reader.card
    date, commit = datetime.date.today().isoformat(), current_commit()
    result: dict[str, Any] = {
        "model": card.name, "protocol": protocol, "part": part, "date": date, "commit": commit, "command": command,
        "weights_sha256": card.version, "n": len(scans), "accuracy": accuracy(_untouched, 0), "changes": {},
    }  # fmt: skip
    for name, (change, levels, unit) in tqdm(CHANGES.items(), desc=f"{card.name}, robustness"):
        accuracies = [accuracy(change, level) for level in levels]
        result["changes"][name] = {"unit": unit, "levels": list(levels), "accuracy": accuracies}
    if part == "test":
        log_test_evaluation(
            card,
            TestEvaluation(
                protocol=f"{protocol}, robustness",
                date=date,
                commit=commit,
                n=len(scans),
                weights_sha256=card.version,
            ),
        )
    return result
