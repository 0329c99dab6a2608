"""What evaluation records are made of: when and how something was measured, and figures with their 95 % intervals.

A figure `NAME` has its interval in `NAME_interval`. Fields of a later base class come first in the file.
"""

from __future__ import annotations

from utils.records.base import Record

Interval = tuple[float, float]  # low, high
COUNTS = {"sensitivity": "tumors", "sensitivity_at_95_specificity": "tumors", "specificity": "healthy"}
SCALES = {"false_outlines_per_100": 100.0}  # figures that are no shares of 1


def exact_interval(share: float, count: int) -> Interval:
    """The 95 % interval of a share of 0 or 1 of `count` independent cases. Source: Clopper and Pearson, Biometrika 26.

    A bootstrap gives such a share an interval without width, whatever the count.
    """
    width = 1 - 0.025 ** (1 / count)
    return (1 - width, 1.0) if share else (0.0, width)


class Measurement(Record):
    """Which network or baseline was measured on which protocol, when and by which command."""

    model: str
    protocol: str
    date: str = ""
    commit: str = ""
    command: str = ""


class Figures(Record):
    """Figures of one set of scans; a figure is None where there is no scan to measure it on."""

    def figure(self, name: str) -> float | None:
        """The figure of that name."""
        value: float | None = getattr(self, name, None)
        return value

    def interval(self, name: str) -> Interval | None:
        """The 95 % interval of a figure; None where it has none.

        Of a share of 0 or 1, whose stored interval may have no width, the exact one for as many cases.
        """
        interval: Interval | None = getattr(self, f"{name}_interval", None)
        if interval is None or interval[0] < interval[1]:
            return interval
        scale = SCALES.get(name, 1.0)
        counts = [getattr(self, key, None) for key in (COUNTS.get(name, "groups"), "n", "groups")]
        count = next((count for count in counts if count is not None), 0)
        if not count or interval[0] / scale not in (0, 1) or name.endswith("auc"):
            return None
        low, high = exact_interval(interval[0] / scale, count)
        return scale * low, scale * high


class ClassFigures(Figures):
    """One class against the others; `n`: scans of it. As `utils.metrics.classification.CLASS_FIGURES`."""

    n: int
    precision: float | None
    precision_interval: Interval | None = None
    recall: float | None
    recall_interval: Interval | None = None
    f1: float | None
    f1_interval: Interval | None = None
    iou: float | None
    iou_interval: Interval | None = None
    auc: float | None
    auc_interval: Interval | None = None


class OverallFigures(Figures):
    """Classification of `n` scans; loss in nats. As `utils.metrics.classification.OVERALL_FIGURES`."""

    n: int
    groups: int
    accuracy: float | None
    accuracy_interval: Interval | None = None
    loss: float | None
    loss_interval: Interval | None = None
    macro_precision: float | None
    macro_precision_interval: Interval | None = None
    macro_recall: float | None
    macro_recall_interval: Interval | None = None
    macro_f1: float | None
    macro_f1_interval: Interval | None = None
    macro_iou: float | None
    macro_iou_interval: Interval | None = None
    auc: float | None
    auc_interval: Interval | None = None
    kappa: float | None
    kappa_interval: Interval | None = None
    ece: float | None
    ece_interval: Interval | None = None


class DetectionFigures(Figures):
    """Tumour detection, any tumour against none. As `utils.metrics.detection.DETECTION_FIGURES`."""

    tumors: int
    healthy: int
    threshold: float
    auc: float | None
    auc_interval: Interval | None = None
    sensitivity: float | None
    sensitivity_interval: Interval | None = None
    specificity: float | None
    specificity_interval: Interval | None = None
    sensitivity_at_95_specificity: float | None
    sensitivity_at_95_specificity_interval: Interval | None = None


class PartFigures(Figures):
    """One source of a test set, or one sequence of it; `recall` of the classes that occur."""

    n: int
    accuracy: float | None
    accuracy_interval: Interval | None = None
    ece: float | None
    ece_interval: Interval | None = None
    recall: dict[str, float | None]
    tumor: DetectionFigures
