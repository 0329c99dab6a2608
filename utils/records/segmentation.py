"""What `model.py evaluate` writes about a segmentation network: unet--PROTOCOL.json."""

from __future__ import annotations

from pydantic import Field

from utils.records.base import Record
from utils.records.measures import Figures, Interval, Measurement


class OutlineFigures(Figures):
    """Outlines against reference segmentations. As `utils.evaluation.outline_figures.OUTLINE_FIGURES`."""

    tumor_scans: int
    healthy_scans: int
    groups: int
    dice: float | None
    dice_interval: Interval | None
    pooled_dice: float | None
    pooled_dice_interval: Interval | None = None
    iou: float | None
    iou_interval: Interval | None = None
    pooled_iou: float | None
    pooled_iou_interval: Interval | None = None
    sensitivity: float | None
    sensitivity_interval: Interval | None = None
    false_outlines_per_100: float | None
    false_outlines_per_100_interval: Interval | None = None


class _Sizes(Record):
    smallest: float = Field(alias="from")
    largest: float = Field(alias="to")


class SizeFigures(OutlineFigures, _Sizes):
    """One third of the tumours by size; `smallest` and `largest` are shares of the network's square input."""


class _OutlineSettings(Measurement):
    weights_sha256: str | None = None
    threshold: float
    peak: float
    area_weight: float = 0.0
    n: int


class OutlineRecord(OutlineFigures, _OutlineSettings):
    """One segmentation network: all scans, and by source, class and size ("small", "medium", "large")."""

    sources: dict[str, OutlineFigures]
    classes: dict[str, OutlineFigures]
    sizes: dict[str, SizeFigures]
