"""How well outlines fit reference segmentations: scan by scan, as figures with intervals, and the best operating point.

A scan without tumour has an empty reference: any outline on it is a false positive. Pure functions on arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.datasets.masks import read_mask
from utils.evidence.outlines import OperatingPoint, highest_of_parts, outline, parts
from utils.metrics.bootstrap import RESAMPLES, group_sums, group_weights, ratio, with_interval
from utils.reading.reader import BATCH
from utils.reading.segmenter import Segmenter
from utils.records.base import Record
from utils.scans.preprocessing import Geometry
from utils.scans.upload import read_scan_file
from utils.wording import value_with_interval

OUTLINE_FIGURES = ("dice", "pooled_dice", "iou", "pooled_iou", "sensitivity", "false_outlines_per_100")
HIT = 0.1  # intersection over union from which a tumour is detected, as in PI-CAI (Saha et al., Lancet Oncology 2024)
SPECK = 10  # pixels; a smaller part of a reference is not a separate tumour
MOST_FALSE = 0.03  # of the scans without tumour may have an outline
THRESHOLDS = tuple(percent / 100 for percent in range(10, 96, 5))
PEAKS = (0.0, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.997, 0.998, 0.999)
AREA_WEIGHTS = (0.0, 1.0, 2.0)


@dataclass(frozen=True)
class Scored:
    """A network's probabilities of one scan, (S, S) float, and the reference (H, W) bool on the scan's own pixels."""

    probabilities: np.ndarray
    geometry: Geometry
    truth: np.ndarray


def score(segmenter: Segmenter, rows: pd.DataFrame) -> Iterator[Scored]:
    """The U-Net's probabilities for each row of a sample table (`path`, `mask`), with the reference segmentation.

    Raises UnreadableScan.
    """
    for start in tqdm(range(0, len(rows), BATCH), desc=segmenter.card.name, unit="batch"):
        batch = rows.iloc[start : start + BATCH]
        scans = [read_scan_file(path) for path in batch["path"]]
        for scan, mask, output in zip(scans, batch["mask"], segmenter.outputs(scans), strict=True):
            yield Scored(output.probabilities, output.geometry, read_mask(mask, scan.shape) > 127)


def compare(drawn: np.ndarray, truth: np.ndarray, side: int) -> dict[str, float]:
    """One outline against the reference, both (H, W) bool: a row of the table that `outline_figures` takes.

    Pixels of the tumour, of the outline and of their overlap; `size` of the tumour as a share of the network's square
    (`side` pixels a side); `tumors`, how many parts of at least SPECK pixels it has (one, if all are smaller), and
    how many of them are detected (`found`): with an intersection over union of at least HIT with the parts of the
    outline that touch them.
    """
    drawn_parts, _ = parts(drawn)
    true_parts, areas = parts(truth)
    counted = [number for number in range(1, len(areas)) if areas[number] >= SPECK]
    if not counted and len(areas) > 1:
        counted = [1 + int(areas[1:].argmax())]
    detected = 0
    for number in counted:
        tumour = true_parts == number
        touching = np.unique(drawn_parts[tumour])
        hits = np.isin(drawn_parts, touching[touching > 0])
        detected += (hits & tumour).sum() >= HIT * (hits | tumour).sum()
    return {
        "tumor_pixels": int(truth.sum()),
        "outline_pixels": int(drawn.sum()),
        "overlap_pixels": int((drawn & truth).sum()),
        "size": round(float(truth.sum()) / side**2, 6),
        "tumors": len(counted),
        "found": int(detected),
    }


def compare_scan(scan: Scored, point: OperatingPoint) -> dict[str, float]:
    """The row of `compare` for a scan, its outline drawn at an operating point."""
    drawn = outline(scan.probabilities, scan.geometry, point).mask
    return compare(drawn, scan.truth, scan.geometry.side)


def compare_all(scored: Iterable[Scored], point: OperatingPoint) -> pd.DataFrame:
    """A row of `compare_scan` for each scan."""
    return pd.DataFrame([compare_scan(scan, point) for scan in scored])


def outline_figures(table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> dict:
    """Every one of OUTLINE_FIGURES with its interval, over all scans and by source, class and size; JSON-ready.

    table: `source`, `group`, `target` and the columns of `compare`. `dice` and `iou` are means over the scans with a
    tumour (0 where it was missed), `pooled_...` those of all their pixels; `sensitivity` is the share of
    tumours detected; `false_outlines_per_100` counts the scans without tumour that have an outline. Sizes are thirds of
    the scans with a tumour. A figure without a scan to take it of is None.
    """
    tumour = table[table["tumor_pixels"] > 0]
    order = np.argsort(tumour["size"].to_numpy(), kind="stable")
    thirds = zip(("small", "medium", "large"), np.array_split(order, 3), strict=True)
    by_size = {name: tumour.iloc[numbers] for name, numbers in thirds if len(numbers)}
    return {
        "n": len(table),
        **_part(table, resamples, seed),
        "sources": {name: _part(part, resamples, seed) for name, part in table.groupby("source")},
        "classes": {name: _part(part, resamples, seed) for name, part in tumour.groupby("target")},
        "sizes": {
            name: {"from": float(part["size"].min()), "to": float(part["size"].max())}
            | _part(part, resamples, seed)
            for name, part in by_size.items()
        },
    }


def _part(rows: pd.DataFrame, resamples: int, seed: int) -> dict:
    group_of = pd.factorize(rows["group"])[0]
    weights = group_weights(group_of, resamples, seed)
    true, drawn, both = (rows[f"{name}_pixels"].to_numpy(float) for name in ("tumor", "outline", "overlap"))
    tumour = true > 0
    columns = {
        "scans": tumour,
        "dice": tumour * ratio(2 * both, true + drawn),
        "iou": tumour * ratio(both, true + drawn - both),
        "both": tumour * both,
        "sum": tumour * (true + drawn),
        "union": tumour * (true + drawn - both),
        "tumors": rows["tumors"],
        "found": rows["found"],
        "healthy": ~tumour,
        "false": ~tumour & (drawn > 0),
    }
    sums = weights @ group_sums(np.column_stack(list(columns.values())).astype(float), group_of)
    total = dict(zip(columns, sums.T, strict=True))
    values = {
        "dice": _share(total["dice"], total["scans"]),
        "pooled_dice": _share(2 * total["both"], total["sum"]),
        "iou": _share(total["iou"], total["scans"]),
        "pooled_iou": _share(total["both"], total["union"]),
        "sensitivity": _share(total["found"], total["tumors"]),
        "false_outlines_per_100": 100 * _share(total["false"], total["healthy"]),
    }
    result: dict = {
        "tumor_scans": int(tumour.sum()),
        "healthy_scans": int((~tumour).sum()),
        "groups": int(group_of.max()) + 1,
    }
    for name in OUTLINE_FIGURES:
        result |= with_interval(name, values[name])
    return result


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """(R,) the ratios, NaN where the whole is 0."""
    return np.where(whole > 0, ratio(part, whole), np.nan)


def in_words(figures: Record | Mapping[str, Any]) -> str:
    """One line about the figures of outlines: a record, or what `outline_figures` returns."""
    values = figures.model_dump() if isinstance(figures, Record) else figures
    words = [f"{values['tumor_scans']} scans with a tumour, {values['healthy_scans']} without"]
    for name in OUTLINE_FIGURES:
        if values[name] is not None:
            digits = 1 if name.endswith("per_100") else 3
            span = value_with_interval(values[name], values[f"{name}_interval"], digits, is_share=False)
            words.append(f"{name.replace('_', ' ')} {span}")
    return ", ".join(words)


def fit_operating_point(scored: Sequence[Scored]) -> OperatingPoint:
    """Of THRESHOLDS, PEAKS and AREA_WEIGHTS the values with the best mean Dice on the scans with a tumour.

    Candidates are those with an outline on at most MOST_FALSE of the scans without tumour; where there is none, those
    with the fewest. There must be scans of both kinds.
    """
    true = np.asarray([scan.truth.sum() for scan in scored], float)
    rows = [_parts_at_thresholds(scan, number) for number, scan in enumerate(scored)]
    threshold, scan, peak, share, area, overlap = np.concatenate([np.empty((0, 6)), *rows]).T
    best, best_score = OperatingPoint(0.5, 0.0), (-np.inf, -np.inf)
    for (index, value), least, weight in product(enumerate(THRESHOLDS), PEAKS, AREA_WEIGHTS):
        point = OperatingPoint(value, least, weight)
        kept = (threshold == index) & point.reached(peak, share)
        drawn, both = (
            np.bincount(scan[kept].astype(int), amounts[kept], len(scored)) for amounts in (area, overlap)
        )
        dice = float(ratio(2 * both, true + drawn)[true > 0].mean())
        false = float((drawn > 0)[true == 0].mean())
        score = (-max(false, MOST_FALSE), dice)
        if score > best_score:
            best, best_score = point, score
    return best


def _parts_at_thresholds(scan: Scored, number: int) -> np.ndarray:
    """(K, 6) a row for each connected part at each of THRESHOLDS: index of the threshold, number of the scan, highest
    probability, share of the image, area and overlap with the reference in pixels."""
    on_scan = scan.geometry.to_scan(scan.probabilities)
    rows = []
    for index, threshold in enumerate(THRESHOLDS):
        numbers, areas = parts(on_scan >= threshold)
        overlaps = np.bincount(numbers[scan.truth], minlength=len(areas))
        peaks = highest_of_parts(on_scan, numbers, len(areas))
        columns = peaks[1:], areas[1:] / on_scan.size, areas[1:], overlaps[1:]
        rows += [(index, number, *part) for part in zip(*columns, strict=True)]
    return np.asarray(rows, float).reshape(-1, 6)
