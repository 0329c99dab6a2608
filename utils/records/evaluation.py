"""What `model.py evaluate` writes about a network that names a class, and about the baselines: NAME--PROTOCOL.json."""

from __future__ import annotations

from pydantic import Field, model_validator

from utils.classes import CLASSES
from utils.records.base import Record
from utils.records.measures import (
    ClassFigures,
    DetectionFigures,
    Measurement,
    OverallFigures,
    PartFigures,
)


class LabelSets(Record):
    """Sets of all classes with a probability from `threshold` on: shares of sets with the right class, with one class
    and with none, and the mean number of classes."""

    threshold: float
    coverage: float
    mean_size: float
    single: float
    empty: float


class Coverage(Record):
    """Accuracy on the most certain shares of the scans ("0.5": the most certain half), and label sets."""

    accuracy_on_most_certain: dict[str, float]
    label_sets: LabelSets | None = None


class _NetworkSettings(Measurement):
    """Of networks alone, not of baselines: what the scans were read with. `part`: "test" or "validation"."""

    weights_sha256: str | None = None
    part: str = "test"
    temperature: float | None = None
    tumor_threshold: float | None = None
    conformal_threshold: float | None = None


class ClassificationRecord(OverallFigures, _NetworkSettings):
    """What both kinds of classification records hold. Rows of `confusion` are the reference, columns the prediction."""

    classes: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]

    @model_validator(mode="after")
    def _is_square(self) -> ClassificationRecord:
        count = len(self.classes)
        if len(self.confusion) != count or any(len(row) != count for row in self.confusion):
            raise ValueError(f"`confusion` is not a {count} x {count} matrix.")
        return self


class EvaluationRecord(ClassificationRecord):
    """The four classes. `parts`: by source, and by source and sequence, where the test set has several.

    `accuracy_corrected_labels`: where the labels in use are known to be wrong for some scans.
    """

    tumor: DetectionFigures | None = None
    coverage: Coverage | None = None
    parts: dict[str, PartFigures] = Field(default_factory=dict)
    accuracy_corrected_labels: float | None = None

    @model_validator(mode="after")
    def _has_the_four_classes(self) -> EvaluationRecord:
        if set(self.classes) != set(CLASSES):
            raise ValueError(f"`classes` are not {', '.join(CLASSES)}.")
        return self


class SubtypeRecord(ClassificationRecord):
    """The subtypes of one data set."""

    top_3_accuracy: float
    accuracy_corrected_labels: float | None = None
