"""Read what `model.py evaluate` stored in models/evaluation/.

NAME--PROTOCOL.json holds the figures, NAME--PROTOCOL.csv one row a test scan; NAME--PROTOCOL--explanations.json and
.csv the figures of evidence maps, NAME--PROTOCOL--validation.json and .csv those on validation scans. The baselines
"1-nn" and "shortcut" have no probabilities.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from utils.classes import CLASSES, OTHER_TUMOR
from utils.networks.cards import NetworkUnavailable, load_card
from utils.networks.registry import is_segmenter
from utils.networks.shipped import SUBTYPE_NETWORK
from utils.records.acceptance import AcceptanceRecord
from utils.records.base import AnyRecord, InvalidRecord, read_record
from utils.records.evaluation import EvaluationRecord, SubtypeRecord
from utils.records.explanations import ExplanationsRecord
from utils.records.out_of_distribution import OutOfDistributionRecord
from utils.records.robustness import RobustnessRecord
from utils.records.segmentation import OutlineRecord
from utils.records.sequences import SequencesRecord
from utils.results.titles import MODEL_TITLES


class EvaluatedProtocol(Protocol):
    """What results need to know of a protocol; the entries of `utils.datasets.protocols` are such values.

    `left_out`: the source that its networks did not learn from, None where they learned from all.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def is_shipped(self) -> bool: ...
    @property
    def left_out(self) -> str | None: ...
    @property
    def is_never_seen(self) -> bool: ...
    @property
    def is_for_comparison(self) -> bool: ...
    @property
    def has_subtypes(self) -> bool: ...


@dataclass(frozen=True)
class UnknownProtocol:
    """The protocol of an evaluation that no registered protocol has the name of."""

    name: str
    is_shipped: bool = False
    left_out: str | None = None
    is_never_seen: bool = False
    is_for_comparison: bool = False
    has_subtypes: bool = False

    @property
    def title(self) -> str:
        return self.name


@dataclass(frozen=True)
class MeasuredModel:
    """One network, baseline or ensemble on the test set of a protocol, one row a scan where the CSV is there."""

    model: str
    protocol: EvaluatedProtocol
    predictions: pd.DataFrame | None

    @property
    def title(self) -> str:
        """The name in the interface."""
        return MODEL_TITLES.get(self.model, self.model)


@dataclass(frozen=True)
class Evaluation(MeasuredModel):
    """A network or baseline with the record of its figures."""

    record: EvaluationRecord


def of_known_type(predictions: pd.DataFrame) -> pd.DataFrame:
    """The scans of an Evaluation of a type that the networks know; of other tumours no answer is right or wrong."""
    return predictions[predictions["target"] != OTHER_TUMOR]


def load_evaluations(folder: Path | str, protocol: EvaluatedProtocol) -> list[Evaluation]:
    """The evaluations of one protocol in a folder that can be read: cnn, vgg16, 1-nn, ..."""
    return read_evaluations(folder, [protocol], f"*--{protocol.name}")[0]


def read_evaluations(
    folder: Path | str, protocols: Iterable[EvaluatedProtocol], names: str = "*--*"
) -> tuple[list[Evaluation], list[str]]:
    """The evaluations in a folder that can be read, and one sentence for each file that is broken or missing.

    They are in the order of the protocols; in each cnn, vgg16, 1-nn, ... `names`: a pattern of the files to read.
    """
    folder = Path(folder)
    known = {protocol.name: protocol for protocol in protocols}
    of_subtypes = {name for name, protocol in known.items() if protocol.has_subtypes}
    evaluations, problems = [], []
    for path in _four_class_files(folder.glob(f"{names}.json"), of_subtypes):
        try:
            record = read_record(path, EvaluationRecord)
        except OSError as error:
            problems.append(f"{path.name} cannot be read: {error.strerror}.")
            continue
        except InvalidRecord as error:
            problems.append(f"{path.name} cannot be used: {error.problem}.")
            continue
        predictions = None
        try:
            predictions = _read_predictions(path.with_suffix(".csv"))
        except FileNotFoundError:
            problems.append(
                f"{path.with_suffix('.csv').name} is missing; charts that need single scans are left out."
            )
        except (OSError, ValueError) as error:
            problems.append(f"{path.with_suffix('.csv').name} cannot be used: {error}")
        protocol = known.get(record.protocol) or UnknownProtocol(record.protocol)
        evaluations.append(Evaluation(record.model, protocol, predictions, record))
    for path in _four_class_files(folder.glob(f"{names}.csv"), of_subtypes):
        if path.stem.split("--")[1] in known and not path.with_suffix(".json").exists():
            problems.append(f"{path.with_suffix('.json').name} is missing beside {path.name}.")
    ranks = {name: rank for rank, name in enumerate(known)}
    return sorted(evaluations, key=lambda evaluation: _rank(evaluation, ranks)), problems


def load_history(folder: Path | str, model: str) -> list[dict]:
    """The training epochs on the card of a classifier, as rows; empty without a valid card.

    folder: where the networks of one protocol lie.
    """
    try:
        history = load_card(Path(folder) / f"{model}.keras").history
    except NetworkUnavailable:
        return []
    return [epoch.model_dump() for epoch in history if epoch.validation_accuracy is not None]


def load_robustness(folder: Path | str, model: str) -> RobustnessRecord | None:
    """What `model.py evaluate --robustness` wrote about a network; None where there is no valid record."""
    return _record_or_none(Path(folder) / f"{model}.robustness.json", RobustnessRecord)


def load_out_of_distribution(models: Path) -> OutOfDistributionRecord | None:
    """What `benchmarks.accuracy.out_of_distribution` measured; None where it did not, or with other weights."""
    record = _record_or_none(models / "evaluation" / "gate.json", OutOfDistributionRecord)
    return record if record and _has_weights(models, record.weights_sha256) else None


def load_sequences(models: Path) -> SequencesRecord | None:
    """What `benchmarks.accuracy.sequences` measured; None where it did not, or with other weights."""
    record = _record_or_none(models / "evaluation" / "sequences.json", SequencesRecord)
    return record if record and _has_weights(models, record.weights_sha256) else None


def load_acceptance(models: Path) -> AcceptanceRecord | None:
    """What `benchmarks.accuracy.acceptance` measured; None where it did not, or with other weights."""
    record = _record_or_none(models / "evaluation" / "acceptance.json", AcceptanceRecord)
    return record if record and _has_weights(models, record.weights_sha256) else None


def load_explanations(folder: Path | str, model: str, protocol: str) -> ExplanationsRecord | None:
    """What `model.py evaluate --explanations` wrote about a network's maps on test scans; None without one."""
    file = Path(folder) / f"{model}--{protocol}--explanations.json"
    record = _record_or_none(file, ExplanationsRecord)
    return record if record and record.part == "test" else None


def load_outlines(folder: Path | str, model: str, protocol: str) -> OutlineRecord | None:
    """What `model.py evaluate` wrote about a segmentation network; None where there is no valid record."""
    return _record_or_none(Path(folder) / f"{model}--{protocol}.json", OutlineRecord)


def load_tumor_scores(folder: Path | str, model: str, protocol: str, version: str) -> pd.DataFrame | None:
    """(`file`, `source`, `tumor_score`) of the test scans that a segmentation network read; None where not stored.

    version: SHA-256 of its weights; the scores of other weights are not returned.
    """
    record = load_outlines(folder, model, protocol)
    if record is None or record.weights_sha256 != version:
        return None
    try:
        table = pd.read_csv(Path(folder) / f"{model}--{protocol}.csv")
        return table[["file", "source", "tumor_score"]]
    except (OSError, ValueError, KeyError):
        return None


def load_subtypes(
    folder: Path | str, protocols: Iterable[EvaluatedProtocol], model: str = SUBTYPE_NETWORK.stem
) -> dict[tuple[str, str], SubtypeRecord]:
    """What `model.py evaluate` wrote about a network of subtypes: (protocol, part) -> record; without invalid ones."""
    records = {
        (protocol.name, part): _record_or_none(
            Path(folder) / f"{model}--{protocol.name}{suffix}.json", SubtypeRecord
        )
        for protocol in protocols
        if protocol.has_subtypes
        for part, suffix in (("test", ""), ("validation", "--validation"))
    }
    return {key: record for key, record in records.items() if record is not None}


def _record_or_none(file: Path, kind: type[AnyRecord]) -> AnyRecord | None:
    try:
        return read_record(file, kind)
    except (OSError, InvalidRecord):
        return None


def _has_weights(models: Path, measured: Mapping[str, str]) -> bool:
    """Whether these are the networks that were measured."""
    return all(_version(models / f"{name}.keras") == version for name, version in measured.items())


def _version(weights: Path) -> str | None:
    """The SHA-256 of the weights as their card has it; None without a valid card."""
    try:
        return load_card(weights).version
    except NetworkUnavailable:
        return None


def _four_class_files(files: Iterable[Path], of_subtypes: Collection[str]) -> list[Path]:
    """The files about the four classes, in order.

    Those about evidence maps and about validation scans have a third part in their name; those about outlines and
    subtypes are records of other kinds.
    """
    named = {file: file.stem.split("--") for file in files}
    return sorted(
        file
        for file, parts in named.items()
        if len(parts) == 2 and not is_segmenter(parts[0]) and parts[1] not in of_subtypes
    )


def _rank(evaluation: Evaluation, ranks: Mapping[str, int]) -> tuple:
    models, protocol = list(MODEL_TITLES), evaluation.protocol.name
    return (
        ranks.get(protocol, len(ranks)),
        models.index(evaluation.model) if evaluation.model in models else len(models),
        protocol,
        evaluation.model,
    )


def _read_predictions(path: Path) -> pd.DataFrame:
    """The CSV of an evaluation. Raises ValueError, in words, where it does not hold what it should."""
    try:
        table = pd.read_csv(path)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError):
        raise ValueError("it is not a readable CSV table.") from None
    lacking = {"file", "target", "label"} - set(table.columns)
    if lacking:
        raise ValueError(f"it lacks the columns {', '.join(sorted(lacking))}.")
    if not (table["target"].isin((*CLASSES, OTHER_TUMOR)).all() and table["label"].isin(CLASSES).all()):
        raise ValueError("it names a class that is not known.")
    present = [name for name in CLASSES if name in table.columns]
    if present:
        numbers = table.reindex(columns=list(CLASSES)).apply(pd.to_numeric, errors="coerce")
        if not numbers.apply(lambda column: column.between(0, 1)).all(axis=None):
            raise ValueError("its probabilities are not numbers from 0 to 1 for every class.")
    return table
