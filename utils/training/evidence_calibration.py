"""Calibration of the evidence maps: the scale of each method's colours and the threshold of its regions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import TUMORS
from utils.datasets.masks import read_mask
from utils.evidence.cams import GRADIENT_METHODS, METHODS
from utils.evidence.regions import fit_threshold
from utils.reading.reader import BATCH, Reader, Reading
from utils.scans.upload import read_scan_file

SCANS = 600  # validation scans to fit on: more change little and cost minutes
SCORED = 48  # of them by Score-CAM, which takes some 30 forward passes for each
FULL_COLOUR = (
    75  # per cent of the tumour scans whose peak is below full colour: the median is clearly visible
)


def calibrate_maps(
    reader: Reader, rows: pd.DataFrame, temperature: float
) -> tuple[dict[str, float], dict[str, float]]:
    """(scales, thresholds) of every method at the evidence layer, from validation rows (`path`, `target`, `mask`).

    A scale is a percentile (FULL_COLOUR), over the scans with a tumour, of the peak of the map of the likeliest tumour
    class, calibrated (`Reading.strength`), 0 without any; a threshold the fraction of it above which regions overlap
    best with the masks. A method without masks to fit on gets no threshold.
    """
    rows = rows.sample(min(SCANS, len(rows)), random_state=0)
    scales, thresholds = {}, {}
    by_method = _readings(reader, rows, temperature)
    for method in METHODS:
        readings = by_method[method]
        peaks = [
            _peak(reading)
            for reading, target in zip(readings, rows["target"], strict=False)
            if target in TUMORS
        ]
        scales[method] = float(np.percentile(peaks, FULL_COLOUR)) if peaks else 0.0
        masked = [
            (reading, target, mask)
            for reading, target, mask in zip(readings, rows["target"], rows["mask"], strict=False)
            if mask and target in TUMORS
        ]
        if masked and scales[method] > 0:
            thresholds[method] = fit_threshold(
                (reading.strength(target, scales[method]) for reading, target, _ in masked),
                (read_mask(mask, reading.geometry.scan_shape) > 127 for reading, _, mask in masked),
            )[0]
    return scales, thresholds


def _readings(reader: Reader, rows: pd.DataFrame, temperature: float) -> dict[str, list[Reading]]:
    """The readings by each method, in the order of the rows; by Score-CAM only the first SCORED."""
    by_method: dict[str, list[Reading]] = {method: [] for method in METHODS}
    for start in tqdm(range(0, len(rows), BATCH), desc="scales of the maps", unit="batch"):
        scans = [read_scan_file(path) for path in rows["path"].iloc[start : start + BATCH]]
        readings = [
            replace(reading, temperature=temperature) for reading in reader.read_many(scans, with_maps=False)
        ]
        methods = METHODS if start < SCORED else GRADIENT_METHODS
        for explained in reader.explain_many(scans, readings, methods):
            for method, reading in explained.items():
                by_method[method].append(reading)
    return by_method


def _peak(reading: Reading) -> float:
    likeliest = max(TUMORS, key=reading.probability)
    return float(reading.maps[reading.classes.index(likeliest)].max()) * reading.calibration
