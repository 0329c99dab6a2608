"""What `benchmarks.accuracy.sequences` writes about the recognition of sequence and plane: sequences.json."""

from __future__ import annotations

from collections.abc import Mapping

from utils.records.base import Record
from utils.records.measures import Interval


class RecognitionFigures(Record):
    """Shares (0..1) of `n` test images of `groups` patients or groups: `accuracy` of all, `answered`, and the accuracy
    of those."""

    n: int
    groups: int
    accuracy: float
    accuracy_interval: Interval | None
    answered: float
    answered_interval: Interval | None
    answered_accuracy: float | None
    answered_accuracy_interval: Interval | None


class KindFigures(Record):
    """The figures of the sequence or of the plane. `classes`, `collections`: name -> figures; `confusion`: reference
    -> answer, "" for none -> images; `series`: each series of a patient as one case."""

    all: RecognitionFigures
    series: RecognitionFigures
    classes: Mapping[str, RecognitionFigures]
    collections: Mapping[str, RecognitionFigures]
    confusion: Mapping[str, Mapping[str, int]]
    left_out: Mapping[str, RecognitionFigures]


class ContrastFigures(Record):
    """Gliomas against meningiomas, by CNN and VGG16 on Feltrin's held-out patients, on T1 and T2 `without`
    contrast and on T1 `with_contrast`: mean of both sensitivities."""

    n: int
    n_with_contrast: int
    without: float
    without_interval: Interval | None
    with_contrast: float
    with_contrast_interval: Interval | None


class SequencesRecord(Record):
    """`weights_sha256`: of the networks, by name."""

    date: str
    commit: str
    command: str
    weights_sha256: Mapping[str, str]
    sequence: KindFigures
    plane: KindFigures
    contrast: ContrastFigures | None
