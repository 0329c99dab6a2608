"""The nested records of a network's card (`cards.Card`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from utils.records.base import Record
from utils.records.measures import Figures, Interval
from utils.records.segmentation import OutlineFigures, SizeFigures

Task = Literal["four-class", "subtypes", "segmentation"]
FOUR_CLASS: Task = "four-class"
SUBTYPES: Task = "subtypes"
SEGMENTATION: Task = "segmentation"


class TrainingData(Record):
    """How many image files of one part, source and class were used; `pictures` counts different images."""

    part: str
    source: str
    target: str
    images: int
    pictures: int


class PhaseFacts(Record):
    """One phase of a training recipe (utils/training/recipes.py)."""

    name: str
    size: int
    epochs: int
    learning_rate: float
    augmented: bool


class RecipeFacts(Record):
    """The recipe that a network was trained with (utils/training/recipes.py); older cards lack some settings."""

    network: str = ""
    phases: tuple[PhaseFacts, ...]
    batch_size: int
    weight_decay: float
    label_smoothing: float
    patience: int
    frozen_until: str | None
    localisation_weight: float = 0.0
    is_averaged: bool = False
    transplant_share: float = 0.0
    remapping_share: float = 0.2
    distillation_weight: float = 0.5
    is_balanced: bool = False
    stripping_share: float = 0.0
    has_boxes: bool = False
    has_image_labels: bool = False
    average_decay: float = 0.0
    has_training_normalisation: bool = True


class TeacherFacts(Record):
    """A network that this one learned from by knowledge distillation."""

    name: str
    weights_sha256: str


class Versions(Record):
    """The software that a network was trained with."""

    python: str
    backend: str
    keras: str
    numpy: str


class TestEvaluation(Record):
    """One look at a test set: every one is logged, and a retraining keeps the log."""

    __test__ = False  # no test class of pytest's

    protocol: str
    date: str
    commit: str
    n: int
    weights_sha256: str | None = None


class TestFigures(Figures):
    """Figures of a classifier on `n` scans of a test set, with 95 % intervals."""

    __test__ = False

    n: int
    accuracy: float | None = None
    accuracy_interval: Interval | None = None
    loss: float | None = None
    loss_interval: Interval | None = None
    macro_precision: float | None = None
    macro_precision_interval: Interval | None = None
    macro_recall: float | None = None
    macro_recall_interval: Interval | None = None
    macro_f1: float | None = None
    macro_f1_interval: Interval | None = None
    macro_iou: float | None = None
    macro_iou_interval: Interval | None = None
    auc: float | None = None
    auc_interval: Interval | None = None
    kappa: float | None = None
    kappa_interval: Interval | None = None
    ece: float | None = None
    ece_interval: Interval | None = None
    top_3_accuracy: float | None = None


class OutlineTestFigures(Figures):
    """Figures of a segmentation network on `n` scans of a test set, with 95 % intervals."""

    n: int
    dice: float | None
    dice_interval: Interval | None = None
    pooled_dice: float | None = None
    pooled_dice_interval: Interval | None = None
    iou: float | None = None
    iou_interval: Interval | None = None
    pooled_iou: float | None = None
    pooled_iou_interval: Interval | None = None
    sensitivity: float | None = None
    sensitivity_interval: Interval | None = None
    false_outlines_per_100: float | None
    false_outlines_per_100_interval: Interval | None = None


class Epoch(Record):
    """Figures of one training epoch."""

    phase: str = ""
    epoch: int
    loss: float
    validation_loss: float
    validation_accuracy: float | None = None
    validation_dice: float | None = None
    validation_false_outlines: float | None = None


class Validation(Record):
    """Figures of a classifier on the validation part, before and after temperature scaling."""

    n: int
    accuracy: float
    loss_before_temperature: float
    loss: float


class _Scans(Record):
    n: int


class OutlineValidation(OutlineFigures, _Scans):
    """Figures of a segmentation network on the validation part: all scans, by source, class and size of the tumour."""

    sources: Mapping[str, OutlineFigures]
    classes: Mapping[str, OutlineFigures]
    sizes: Mapping[str, SizeFigures]


class DetectorSamples(Record):
    """How many scans the out-of-distribution detector was fitted on."""

    train: int
    validation: int


class DetectorRates(Record):
    """Shares (0..1) of the validation scans that the out-of-distribution detector flags."""

    unusual_or_refused: float
    refused: float
    turned: float
    inverted: float


class NoveltyFacts(Record):
    """Method and thresholds of the out-of-distribution detector; NAME.npz holds its statistics."""

    method: str
    source: str
    unusual: float
    refused: float
    turned: float
    fitted_on: DetectorSamples
    validation: DetectorRates
    statistics_sha256: str


class Bfloat16Facts(Record):
    """What was measured with the network in bfloat16 on `n` validation scans, in place of the card's float32 values.

    `agreement`: the share (0..1) of the scans with the same label; `logit_difference`: the largest.
    """

    n: int
    agreement: float
    logit_difference: float
    temperature: float | None = None
    referral_threshold: float | None = None
    conformal_threshold: float | None = None
    tumor_threshold: float | None = None
    evidence_scale: Mapping[str, float] | None = None
    evidence_threshold: Mapping[str, float] | None = None
    unusual: float | None = None
    refused: float | None = None
    command: str = ""
    date: str = ""
    commit: str = ""


class OutlierFacts(Record):
    """The outlier classifier on the encoder of a segmentation network; NAME.npz holds its weights.

    `layers`: whose channels it sees; scores (log-odds) above `unusual` and `refused` get that grade. `fitted_on`:
    kind of image -> number of them; `mislabelled`: files of brain collections that show something else and were left
    out. `validation`: kind of image, or source of brain MRI, that the fit did not use ->
    share (0..1) of grade "unusual" or "refused".
    """

    layers: tuple[str, ...]
    unusual: float
    refused: float
    fitted_on: Mapping[str, int]
    mislabelled: tuple[str, ...] = ()
    validation: Mapping[str, float]
    statistics_sha256: str


class RecognitionFacts(Record):
    """How a scan's sequence, or its plane, is recognised: an answer counts from the probability `threshold` on.

    `fitted_on`, `validated_on`: name -> images. On the latter, `accuracy` (0..1) of all answers, and the share
    `answered` of those that count.
    """

    threshold: float
    fitted_on: Mapping[str, int]
    validated_on: Mapping[str, int]
    accuracy: float
    answered: float


class SequenceFacts(Record):
    """The recognition of sequence and plane on the encoder of a segmentation network; NAME.npz holds its weights.

    `layers`: whose channel means it sees.
    """

    layers: tuple[str, ...]
    sequence: RecognitionFacts
    plane: RecognitionFacts
    statistics_sha256: str
