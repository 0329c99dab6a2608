"""The columns of the rows: as they are decoded, and as they are written, one row for each slice or refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from utils.classes import CLASSES
from utils.reading.ood_detector import REFUSED
from utils.reading.worklist import tumor_probability, with_referral_thresholds, with_site_rule
from utils.scans.scan import Scan

if TYPE_CHECKING:
    from utils.reading.worklist import Entry
    from utils.records.acceptance import AnswerRule

KEY = pa.schema([("unit", pa.int64()), ("row", pa.int32())])
COUNTS = pa.schema([("shard", pa.int32()), ("unit_rows", pa.int32())])  # how the writer knows that it has all
SLICE = pa.schema(
    [
        ("source", pa.string()),
        ("sha256", pa.string()),
        ("series", pa.string()),
        ("part", pa.int32()),
        ("slice", pa.int32()),
        ("brain", pa.bool_()),
        ("reason", pa.string()),
    ]
)
PIXELS = pa.schema(
    [
        ("pixels", pa.large_binary()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("spacing", pa.float64()),
        ("orientation", pa.list_(pa.float64())),
        ("file_sequence", pa.string()),
    ]
)
DECODED = pa.schema([*KEY, *COUNTS, *SLICE, *PIXELS])


def result_schema(classifiers: Sequence[str], models: Sequence[str]) -> pa.Schema:
    """The columns of the data set. `models` are the classifiers and, where there is one, the segmentation network."""
    columns = [
        ("accepted", pa.bool_()),
        ("grade", pa.string()),
        ("answer", pa.string()),
        ("tumor_probability", pa.float32()),
        ("evaluated_tumor_probability", pa.float32()),
        ("sequence", pa.string()),
        ("sequence_origin", pa.string()),
        ("plane", pa.string()),
        ("plane_origin", pa.string()),
        ("tumor_score", pa.float32()),
        ("flags", pa.list_(pa.string())),
        ("outline_area", pa.int32()),
        ("outline_area_mm2", pa.float32()),
    ]
    for network in classifiers:
        columns += [(f"{network}_{name}", pa.float32()) for name in (*CLASSES, "novelty")]
    columns += [(f"{model}_sha256", pa.string()) for model in models]
    return pa.schema([*KEY, *SLICE, *[pa.field(*column) for column in columns], ("runtime", pa.string())])


def scan_of(row: Mapping[str, Any]) -> Scan:
    """The scan of a decoded row; its pixels are a view into `row["pixels"]`."""
    pixels = np.frombuffer(row["pixels"], np.float32).reshape(row["height"], row["width"])
    spacing = None if row["spacing"] is None else (row["spacing"], row["spacing"])
    return Scan(
        row["source"],
        pixels,
        "",
        row["slice"],
        spacing,
        sha256=row["sha256"],
        orientation=tuple(row["orientation"] or ()),
        sequence=row["file_sequence"] or "",
    )


def columns_of(
    entry: Entry, referral_thresholds: Mapping[str, float] | None, rule: AnswerRule | None = None
) -> dict[str, Any]:
    """The columns that the networks fill. A scan that a detector refuses has novelty scores, sequence and plane alone.

    referral_thresholds: class -> that of the ensemble; None where each network has its own. rule: that of a site
    profile, whose thresholds count instead. `answer` is a class where the networks agree with enough confidence, else
    a word of `worklist.STATUSES`.
    """
    if entry.scan is None:
        return {"reason": entry.reason}
    columns: dict[str, Any] = {f"{reading.network}_novelty": reading.novelty for reading in entry.readings}
    columns |= entry.acquisition.columns
    columns["grade"] = entry.grade
    columns["evaluated_tumor_probability"] = tumor_probability(entry) if entry.readings else None
    if entry.grade == "refused":
        return columns | {"reason": REFUSED}
    for reading in entry.readings:
        columns |= {f"{reading.network}_{name}": reading.probability(name) for name in reading.classes}
    if rule is not None:
        entry, referral_thresholds = with_site_rule(entry, rule), rule.referral_thresholds
    if referral_thresholds is not None:
        entry = with_referral_thresholds(entry, referral_thresholds)
    columns |= {
        "accepted": True,
        "answer": entry.label if entry.status == "agree" else entry.status,
        "tumor_probability": tumor_probability(entry),
        "flags": sorted({flag for reading in entry.readings for flag in reading.flags}),
    }
    if entry.segmentation is not None:
        outline = entry.segmentation.outline
        columns |= {
            "tumor_score": entry.segmentation.tumor_score,
            "outline_area": outline.area,
            "outline_area_mm2": outline.area_mm2,
        }
    return columns
