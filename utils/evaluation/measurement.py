"""Networks and baselines are measured on the test part of a protocol; the records go to models/evaluation/."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import CLASSES
from utils.evaluation.baselines import BASELINES
from utils.evaluation.outline_figures import compare_scan, outline_figures, score
from utils.evaluation.prediction_figures import figures_of
from utils.networks.card_facts import OutlineTestFigures, TestEvaluation, TestFigures
from utils.networks.cards import Card, log_test_evaluation
from utils.paths import current_commit
from utils.reading.reader import BATCH, Reader
from utils.reading.segmenter import Segmenter, tumor_score
from utils.records.base import Record, write_record
from utils.records.evaluation import EvaluationRecord, SubtypeRecord
from utils.records.explanations import ExplanationsRecord
from utils.records.segmentation import OutlineRecord
from utils.scans.upload import read_scan_file

SAMPLE_FACTS = ["file", "source", "sequence", "group", "target"]  # columns of predictions before the output
THRESHOLDS = ("tumor_threshold", "conformal_threshold")  # of the card, fitted on validation

ClassificationResult = tuple[EvaluationRecord | SubtypeRecord, pd.DataFrame]
StoredRecord = EvaluationRecord | SubtypeRecord | OutlineRecord | ExplanationsRecord


def measure(
    reader: Reader, protocol: str, test: pd.DataFrame, command: str, part: str = "test"
) -> ClassificationResult:
    """Read every test image; returns the record and the predictions, one row an image.

    An evaluation of the test part is logged in the card; with another `part`, whose rows `test` then holds, it is not.
    """
    card = reader.card
    predictions = pd.concat(
        [test[SAMPLE_FACTS].reset_index(drop=True), _read(reader, protocol, test)], axis=1
    )
    thresholds = {name: getattr(card, name) for name in THRESHOLDS}
    facts = {
        **network_facts(card, protocol, command),
        "part": part,
        "temperature": card.temperature,
        **thresholds,
        **figures_of(predictions, classes=reader.classes, **thresholds),
        **_corrected_accuracy(test, predictions),
    }
    kind = EvaluationRecord if reader.classes == CLASSES else SubtypeRecord
    record = kind.model_validate(facts)
    if part == "test":
        log_test(card, protocol, len(test), record, TestFigures)
    return record, predictions


def _read(reader: Reader, protocol: str, test: pd.DataFrame) -> pd.DataFrame:
    """A row a scan: `label`, the probability of each class, and `logit_CLASS`."""
    rows = []
    for start in tqdm(range(0, len(test), BATCH), desc=f"{reader.card.name}, {protocol}", unit="batch"):
        scans = [read_scan_file(path) for path in test["path"].iloc[start : start + BATCH]]
        for reading in reader.read_many(scans, with_maps=False):
            rows.append([reading.label, *reading.probabilities.round(6), *reading.logits.round(5)])
    columns = ["label", *reader.classes, *(f"logit_{name}" for name in reader.classes)]
    return pd.DataFrame(rows, columns=columns)


def _corrected_accuracy(test: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, float]:
    corrected = test["true_label"].to_numpy()
    if (corrected == test["target"].to_numpy()).all():
        return {}
    return {"accuracy_corrected_labels": float(np.mean(predictions["label"].to_numpy() == corrected))}


def measure_outlines(
    segmenter: Segmenter, protocol: str, test: pd.DataFrame, command: str
) -> tuple[OutlineRecord, pd.DataFrame]:
    """Segment every test image; returns the record and a table with one row an image.

    The table holds the tumour score and, of tumours with a mask and scans without tumour, how the outline fits its
    reference; only these enter the record. The evaluation is logged in the card.
    """
    test, scored, scores = test.reset_index(drop=True), [], []
    has_reference = (test["mask"] != "") | (test["target"] == "no_tumor")
    for is_compared, scan in zip(has_reference, score(segmenter, test), strict=True):
        scores.append(round(tumor_score(scan.probabilities), 6))
        if is_compared:
            scored.append(compare_scan(scan, segmenter.point))
    compared = pd.concat(
        [test.loc[has_reference, SAMPLE_FACTS], pd.DataFrame(scored, test.index[has_reference])], axis=1
    )
    facts = test[SAMPLE_FACTS].assign(tumor_score=scores)
    table = facts.join(compared.drop(columns=SAMPLE_FACTS).convert_dtypes())
    card = segmenter.card
    record = OutlineRecord.model_validate(
        {
            **network_facts(card, protocol, command),
            **dataclasses.asdict(segmenter.point),
            **outline_figures(compared),
        }
    )
    log_test(card, protocol, len(test), record, OutlineTestFigures)
    return record, table


def measure_baseline(
    name: str, samples: pd.DataFrame, protocol: str, command: str
) -> tuple[EvaluationRecord, pd.DataFrame]:
    """A baseline (`utils.evaluation.baselines`), fitted on all that is not test; as `measure` returns it."""
    train, test = (
        samples[samples["part"] != "test"],
        samples[samples["part"] == "test"].reset_index(drop=True),
    )
    predictions = pd.concat([test[SAMPLE_FACTS], BASELINES[name](train, test)], axis=1)
    facts = {"model": name, "protocol": protocol, **today(), "command": command}
    return EvaluationRecord.model_validate(facts | figures_of(predictions)), predictions


def network_facts(card: Card, protocol: str, command: str) -> dict[str, Any]:
    """The first fields of a network's records: what was measured, when and how."""
    return {
        "model": card.name,
        "protocol": protocol,
        **today(),
        "command": command,
        "weights_sha256": card.version,
    }


def today() -> dict[str, str]:
    """The date and the commit, as records hold them."""
    return {"date": datetime.date.today().isoformat(), "commit": current_commit()}


def log_test(
    card: Card,
    protocol: str,
    scans: int,
    record: Record | None = None,
    kept: type[TestFigures | OutlineTestFigures] | None = None,
) -> None:
    """Log a test evaluation in the card, with the record's figures that a card keeps (fields of `kept`)."""
    figures = None
    if record is not None and kept is not None:
        values = record.model_dump(include=set(kept.model_fields), exclude_unset=True)
        figures = kept.model_validate(values)
    evaluation = TestEvaluation(protocol=protocol, **today(), weights_sha256=card.version, n=scans)
    log_test_evaluation(card, evaluation, figures)


def store(record: StoredRecord, predictions: pd.DataFrame, folder: Path, what: str = "") -> Path:
    """Write MODEL--PROTOCOL[--WHAT].json and .csv; returns the path of the .json."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "--".join(filter(None, (record.model, record.protocol, what)))
    file = folder / f"{name}.json"
    predictions.to_csv(file.with_suffix(".csv"), index=False)
    write_record(file, record)
    return file
