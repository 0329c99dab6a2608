"""What `model.py evaluate` leaves in models/evaluation/: found, checked and put into words.

NAME--PROTOCOL.json holds the figures, NAME--PROTOCOL.csv one row a test scan; NAME--PROTOCOL--explanations.json and
.csv what was measured of the evidence maps, NAME--PROTOCOL--validation.json and .csv figures on validation scans. The
nearest-neighbour baseline stands beside the networks as "1-nn" and has no probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from utils.classes import CLASSES, OTHER_TUMOR
from utils.metrics.classification import CLASS_FIGURES, OVERALL_FIGURES
from utils.networks.registry import NETWORKS, is_segmenter
from utils.networks.shipped import SUBTYPE_NETWORK

BASELINE_TITLES = {  # of `utils.evaluation.baselines`
    "1-nn": "1-nearest neighbour",
    "logistic": "logistic regression",
    "shortcut": "sequence shortcut",
}
MODEL_TITLES = (
    {name: network.title for name, network in NETWORKS.items()} | {"ensemble": "Ensemble"} | BASELINE_TITLES
)


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
    def has_subtypes(self) -> bool: ...


@dataclass(frozen=True)
class UnknownProtocol:
    """The protocol of an evaluation that no registered protocol has the name of."""

    name: str
    is_shipped: bool = False
    left_out: str | None = None
    has_subtypes: bool = False

    @property
    def title(self) -> str:
        return self.name


@dataclass(frozen=True)
class Evaluation:
    """One network (or baseline) on one test set: its JSON, and one row per scan where the CSV is there."""

    model: str
    protocol: EvaluatedProtocol
    figures: dict
    predictions: pd.DataFrame | None

    @property
    def title(self) -> str:
        """The name that the interface shows."""
        return MODEL_TITLES.get(self.model, self.model)


def of_known_type(predictions: pd.DataFrame) -> pd.DataFrame:
    """The scans of an Evaluation of a type that the networks know; of other tumours no answer is right or wrong."""
    return predictions[predictions["target"] != OTHER_TUMOR]


def load_evaluations(folder: Path | str, protocols: Iterable[EvaluatedProtocol]) -> list[Evaluation]:
    """The evaluations in a folder that can be read, in the order of the protocols; in each cnn, vgg16, 1-nn, ..."""
    return read_evaluations(folder, protocols)[0]


def read_evaluations(
    folder: Path | str, protocols: Iterable[EvaluatedProtocol]
) -> tuple[list[Evaluation], list[str]]:
    """The evaluations as load_evaluations gives them, and one sentence for each file that is broken or missing."""
    folder = Path(folder)
    known = {protocol.name: protocol for protocol in protocols}
    of_subtypes = {name for name, protocol in known.items() if protocol.has_subtypes}
    evaluations, problems = [], []
    for path in _four_class_files(folder.glob("*--*.json"), of_subtypes):
        try:
            record = _read_record(path)
        except (OSError, ValueError) as error:
            problems.append(f"{path.name} cannot be used: {error}")
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
        protocol = known.get(record["protocol"]) or UnknownProtocol(record["protocol"])
        evaluations.append(Evaluation(record["model"], protocol, record, predictions))
    for path in _four_class_files(folder.glob("*--*.csv"), of_subtypes):
        if not path.with_suffix(".json").exists():
            problems.append(f"{path.with_suffix('.json').name} is missing beside {path.name}.")
    ranks = {name: rank for rank, name in enumerate(known)}
    return sorted(evaluations, key=lambda evaluation: _rank(evaluation, ranks)), problems


def load_history(folder: Path | str, model: str) -> list[dict]:
    """The epochs that the card of a network lists; empty where there is no card or no history in it.

    folder: where the networks of one protocol lie.
    """
    card = Path(folder) / f"{model}.json"
    try:
        history = json.loads(card.read_text(encoding="utf-8"))["history"]
        needed = ("epoch", "loss", "validation_loss", "validation_accuracy")
        return [{"phase": "", **row} for row in history if all(_is_number(row.get(name)) for name in needed)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def load_robustness(folder: Path | str, model: str) -> dict | None:
    """What `model.py evaluate --robustness` wrote about a network; None where there is nothing that can be drawn."""
    try:
        record = json.loads((Path(folder) / f"{model}.robustness.json").read_text(encoding="utf-8"))
        changes = record["changes"].values()
        fits = all(len(change["levels"]) == len(change["accuracy"]) > 0 for change in changes)
        return record if fits and _is_number(record["accuracy"]) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def load_gate_figures(models: Path) -> dict | None:
    """What `benchmarks.accuracy.out_of_distribution` measured; None where the weights in `models` are other ones."""
    try:
        record = json.loads((models / "evaluation" / "gate.json").read_text(encoding="utf-8"))
        for name, measured in record["weights_sha256"].items():
            if (
                json.loads((models / f"{name}.json").read_text(encoding="utf-8"))["weights_sha256"]
                != measured
            ):
                return None
        return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def load_explanations(folder: Path | str, model: str, protocol: str = "patient-disjoint") -> dict | None:
    """What `model.py evaluate --explanations` wrote about a network's maps; None where there is nothing to be used.

    `methods` holds what `evidence_measurement.figures_of_evidence` tells of each method.
    """
    try:
        file = Path(folder) / f"{model}--{protocol}--explanations.json"
        record = json.loads(file.read_text(encoding="utf-8"))
        fits = all({"tumors", "classes", "no_tumor"} <= set(one) for one in record["methods"].values())
        return record if fits and record["part"] == "test" else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def load_outlines(folder: Path | str, model: str, protocol: str = "patient-disjoint") -> dict | None:
    """What `model.py evaluate` wrote about outlines (`outline_figures`); None where there is nothing to be used."""
    try:
        record = json.loads((Path(folder) / f"{model}--{protocol}.json").read_text(encoding="utf-8"))
        parts = (record, *record["classes"].values(), *record["sizes"].values())
        fits = all({"dice", "dice_interval", "false_outlines_per_100"} <= set(part) for part in parts)
        return record if fits and _is_number(record["dice"]) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def load_subtypes(
    folder: Path | str, protocols: Iterable[EvaluatedProtocol], model: str = SUBTYPE_NETWORK.stem
) -> dict[tuple[str, str], dict]:
    """What `model.py evaluate` wrote about a network of subtypes: (protocol, part) -> record; broken ones not."""
    records = {}
    for protocol in (protocol.name for protocol in protocols if protocol.has_subtypes):
        for part, suffix in (("test", ""), ("validation", "--validation")):
            try:
                file = Path(folder) / f"{model}--{protocol}{suffix}.json"
                record = json.loads(file.read_text(encoding="utf-8"))
                classes = len(record["classes"])
                square = np.asarray(record["confusion"], dtype=int).shape == (classes, classes)
                if square and _is_number(record["accuracy"]) and _is_number(record["top_3_accuracy"]):
                    records[protocol, part] = record
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
    return records


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


def _read_record(path: Path) -> dict:
    """The JSON of an evaluation. Raises ValueError, in words, where something is missing or of the wrong kind."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError("it is not valid JSON.") from None
    if not isinstance(record, dict):
        raise ValueError("it does not hold a record.")
    for name in ("model", "protocol"):
        if not isinstance(record.get(name), str):
            raise ValueError(f"it does not name its {name}.")
    if not isinstance(record.get("n"), int):
        raise ValueError("it does not say how many scans were read.")
    _check_figures(record, OVERALL_FIGURES, "it")
    classes = record.get("classes")
    for name in CLASSES:
        if not isinstance(classes, dict) or not isinstance(classes.get(name), dict):
            raise ValueError(f"it has no figures for {name}.")
        _check_figures(classes[name], CLASS_FIGURES, name)
    try:
        shape = np.asarray(record["confusion"], dtype=int).shape
    except (KeyError, TypeError, ValueError):
        shape = ()
    if shape != (len(CLASSES), len(CLASSES)):
        raise ValueError("it has no 4 x 4 confusion matrix.")
    return record


def _check_figures(record: dict, names: Iterable[str], owner: str) -> None:
    for name in names:
        interval = record.get(f"{name}_interval")
        if name not in record or not (record[name] is None or _is_number(record[name])):
            raise ValueError(f"{owner} has no {name}.")
        if interval is not None and not (
            isinstance(interval, list) and len(interval) == 2 and all(map(_is_number, interval))
        ):
            raise ValueError(f"{owner} has no interval [low, high] for {name}.")


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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
