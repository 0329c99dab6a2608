"""The card beside every network file (NAME.json beside NAME.keras): what it is, how made, how measured. No Keras."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator

from utils.networks.card_facts import (
    SEGMENTATION,
    Bfloat16Facts,
    Epoch,
    NoveltyFacts,
    OutlierFacts,
    OutlineTestFigures,
    OutlineValidation,
    RecipeFacts,
    SequenceFacts,
    Task,
    TeacherFacts,
    TestEvaluation,
    TestFigures,
    TrainingData,
    Validation,
    Versions,
)
from utils.networks.registry import NETWORKS, network_title
from utils.paths import file_sha256, models_folder, shown
from utils.records.base import InvalidRecord, Record, read_record, write_record

FITTED = ("novelty", "outliers", "sequences")  # the facts of a card whose arrays lie beside it
PROVENANCE = ("command", "date", "commit")  # of a card, and of what was measured in bfloat16


class NetworkUnavailable(RuntimeError):
    """A network file that is missing, altered or has no card. Its text names the file and the remedy."""


class Card(Record):
    """The facts about one trained network.

    `temperature`, `evidence_layer` and the thresholds behind them belong to classifiers, `threshold` and `peak` (the
    operating point) to networks for segmentation. `file` is where the card lies; it is not part of the JSON.
    """

    file: Path = Field(default=Path(), exclude=True)
    name: str
    task: Task
    classes: tuple[str, ...]
    input_size: int
    parameters: int = 0
    licence: str = ""
    protocol: str = ""
    seed: int = 0
    sources: tuple[str, ...] = ()
    training_data: tuple[TrainingData, ...] = ()
    command: str = ""
    recipe: RecipeFacts | None = None
    layers_from_base_weights: tuple[str, ...] = ()
    teachers: tuple[TeacherFacts, ...] = ()
    date: str = ""
    commit: str = ""
    versions: Versions | None = None
    weights_sha256: str
    test_evaluations: tuple[TestEvaluation, ...] = ()
    figures: Mapping[str, TestFigures | OutlineTestFigures] = Field(default_factory=dict)
    history: tuple[Epoch, ...] = ()
    threshold: float = 0.5
    peak: float = 0.0
    area_weight: float = 0.0
    temperature: float = 1.0
    referral_threshold: float | None = None
    evidence_scale: Mapping[str, float] = Field(default_factory=dict)
    evidence_threshold: Mapping[str, float] = Field(default_factory=dict)
    evidence_layer: str = ""
    conformal_threshold: float | None = None
    tumor_threshold: float | None = None
    validation: Validation | OutlineValidation | None = None
    novelty: NoveltyFacts | None = None
    bfloat16: Bfloat16Facts | None = None
    outliers: OutlierFacts | None = None
    sequences: SequenceFacts | None = None

    @model_validator(mode="after")
    def _has_the_facts_of_its_task(self) -> Card:
        needed = ("threshold", "peak") if self.task == SEGMENTATION else ("evidence_layer", "temperature")
        missing = [name for name in needed if name not in self.model_fields_set]
        if missing:
            raise ValueError(f"`{missing[0]}` is missing")
        return self

    @property
    def title(self) -> str:
        """The name that people read."""
        return network_title(self.name)

    @property
    def weights(self) -> Path:
        return self.file.with_suffix(".keras")

    @property
    def statistics(self) -> Path:
        """Arrays too large for a card: hashes of the training images, statistics of the detector."""
        return self.file.with_suffix(".npz")

    @property
    def version(self) -> str:
        """SHA-256 of the weights file, hexadecimal."""
        return self.weights_sha256

    def region_threshold(self, method: str) -> float | None:
        """The calibrated strength (`Reading.strength` at scale 1) above which a map's region lies.

        Fitted on validation masks; None where the card has no threshold for the method.
        """
        scale, fraction = self.evidence_scale.get(method), self.evidence_threshold.get(method)
        return scale * fraction if scale and fraction else None

    def measured_in_bfloat16(self) -> Card:
        """The card with the values of `bfloat16` in place of those that were measured in float32."""
        assert self.bfloat16 is not None
        fields = Card.model_fields.keys() & Bfloat16Facts.model_fields.keys()
        measured = {name: getattr(self.bfloat16, name) for name in fields if name not in PROVENANCE}
        changes: dict[str, object] = {name: value for name, value in measured.items() if value is not None}
        if self.novelty:
            thresholds = {"unusual": self.bfloat16.unusual, "refused": self.bfloat16.refused}
            changes["novelty"] = self.novelty.model_copy(update=thresholds)
        return self.model_copy(update=changes)


def load_card(weights: Path) -> Card:
    """The card of a weights file. Raises NetworkUnavailable where it is missing or damaged."""
    file = weights.with_suffix(".json")
    try:
        facts = file.stat()
        card = _read_card(file, facts.st_mtime_ns, facts.st_size, facts.st_ino)
    except OSError:
        card = "missing"
    if isinstance(card, Card):
        return card
    advice = _training_advice(_default_command(weights))
    raise NetworkUnavailable(
        f"The card {shown(file)} is {card}; restore it with `git checkout -- {shown(file)}` or {advice}."
    )


@lru_cache(maxsize=64)
def _read_card(file: Path, *state: int) -> Card | str:
    """The card in a file, or how it is damaged; read once for each state of it: pages ask for it at every step."""
    try:
        return read_record(file, Card).model_copy(update={"file": file})
    except InvalidRecord as error:
        return f"damaged ({error.problem})"


def save_card(card: Card) -> None:
    """Write a card to its file, atomically."""
    write_record(card.file, card)


def save_statistics(file: Path, **arrays: np.ndarray) -> None:
    """Write the arrays beside a card (NAME.npz); the file appears only when it is complete. Raises OSError."""
    unfinished = file.with_name(f"{file.stem}.new.npz")
    with unfinished.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    unfinished.replace(file)


def add_statistics(card: Card, **arrays: np.ndarray) -> Card:
    """Add arrays to those beside a card, or replace them; the card with the new hash of that file, not yet saved."""
    stored: dict[str, np.ndarray] = {}
    if card.statistics.is_file():
        with np.load(card.statistics, allow_pickle=False) as archive:
            stored = {key: archive[key] for key in archive}
    save_statistics(card.statistics, **(stored | arrays))
    sha256 = file_sha256(card.statistics)
    facts = {name: getattr(card, name) for name in FITTED}
    return card.model_copy(
        update={
            name: each.model_copy(update={"statistics_sha256": sha256})
            for name, each in facts.items()
            if each is not None
        }
    )


def log_test_evaluation(
    card: Card, evaluation: TestEvaluation, figures: TestFigures | OutlineTestFigures | None = None
) -> Card:
    """Append a look at a test set to the log in the card's file; returns the card as it is now stored.

    figures: what the card shows for the protocol from now on. The log in the file is the one that grows, however old
    `card` is.
    """
    stored = load_card(card.weights) if card.file.is_file() else card
    changes: dict[str, object] = {"test_evaluations": (*stored.test_evaluations, evaluation)}
    if figures is not None:
        changes["figures"] = {**stored.figures, evaluation.protocol: figures}
    logged = stored.model_copy(update=changes)
    save_card(logged)
    return logged


def check_weights(card: Card) -> None:
    """Raises NetworkUnavailable where the weights, or their statistics, are not the ones that the card describes."""
    name = shown(card.weights)
    if not card.weights.is_file():
        raise NetworkUnavailable(f"The network file {name} is missing; {_remedy(card, name)}.")
    if file_sha256(card.weights) != card.version:
        raise NetworkUnavailable(
            f"The network file {name} is not the one its card describes (SHA-256 differs); {_remedy(card, name)}."
        )
    fitted = card.novelty or card.outliers or card.sequences
    expected = fitted.statistics_sha256 if fitted else None
    if expected and (not card.statistics.is_file() or file_sha256(card.statistics) != expected):
        name = shown(card.statistics)
        raise NetworkUnavailable(
            f"The file {name} is missing or is not the one that its card describes (SHA-256 differs); "
            f"{_remedy(card, name)}."
        )


def train_command(card: Card) -> str:
    """The command that made the network, as its card states it; "" where it states none.

    It is never guessed from the file's name: another network's command would overwrite that network.
    """
    return card.command


def _remedy(card: Card, name: str) -> str:
    return f"restore it with `git checkout -- {name}` or {_training_advice(train_command(card))}"


def _training_advice(command: str) -> str:
    return "train the network again" + (f": `{command}`" if command else " (docs/reproduce.md)")


def _default_command(weights: Path) -> str:
    """The command that writes this very file by default: that of a network of the registry in the models folder."""
    network = NETWORKS.get(weights.stem)
    is_default = network and not network.is_teacher and weights.parent.resolve() == models_folder().resolve()
    return f"python model.py train --model {weights.stem} --data DIR" if is_default else ""
