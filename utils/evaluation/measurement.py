"""A shipped network is measured on the test part of a protocol; what comes out goes to models/evaluation/."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.classes import CLASSES, OTHER_TUMOR
from utils.datasets.duplicates import hash_files, near_pairs
from utils.datasets.protocols import protocol_named
from utils.datasets.samples import DatasetError
from utils.evaluation.baselines import BASELINES
from utils.evaluation.outline_figures import compare_all, outline_figures, score
from utils.metrics.calibration import accuracy_at_coverage, label_set_figures
from utils.metrics.classification import figures, top_k_accuracy
from utils.metrics.detection import detection_figures
from utils.networks.card_facts import OutlineTestFigures, TestEvaluation, TestFigures
from utils.networks.cards import Card, log_test_evaluation
from utils.paths import current_commit
from utils.reading.reader import BATCH, Reader
from utils.reading.segmenter import Segmenter
from utils.scans.upload import read_scan_file

FACTS = ["file", "source", "sequence", "group", "target"]  # what is told of a test image beside the answers
THRESHOLDS = ("tumor_threshold", "conformal_threshold")  # of the card, fitted on validation
COVERAGES = (0.5, 0.8, 0.9)


def check_unseen(card: Card, protocol: str, test: pd.DataFrame) -> None:
    """Raises DatasetError where the network was trained on images that it is to be measured on.

    Known sets are told by the card's protocol, a user's folder by the hashes of the pictures it was trained on.
    """
    trained_under = card.protocol
    if not protocol_named(protocol).takes_own_images:
        if trained_under != protocol:
            raise DatasetError(
                f"{card.weights.name} was trained under the {trained_under} protocol, so that it knows test images of "
                f"{protocol}; measure the weights that were trained under {protocol}."
            )
        return
    hashes = card.statistics
    if not hashes.is_file():
        raise DatasetError(
            f"{hashes} is missing: without it nobody can tell which pictures {card.weights.name} was trained on."
        )
    with np.load(hashes, allow_pickle=False) as archive:
        seen = archive.get("picture_hashes")
    if seen is None:
        raise DatasetError(f"{hashes} does not tell which pictures {card.weights.name} was trained on.")
    straight, mirrored = hash_files(list(test["path"]))
    hits, _ = near_pairs(np.concatenate([straight, mirrored]), seen)
    known = np.unique(hits % len(test))
    if len(known):
        raise DatasetError(
            f"{len(known)} of the {len(test)} images show pictures that {card.weights.name} was trained on "
            f"(the first: {test['file'].iloc[known[0]]}); take them out, or train on this folder first."
        )


def measure(
    reader: Reader, protocol: str, test: pd.DataFrame, command: str, part: str = "test"
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Read every test image; returns the figures (JSON-ready) and the predictions, one row an image.

    The opening of the test part is logged in the card; reading another part (then `test` holds its rows) is none.
    """
    card = reader.card
    rows = []
    for start in tqdm(range(0, len(test), BATCH), desc=f"{card.name}, {protocol}", unit="batch"):
        scans = [read_scan_file(path) for path in test["path"].iloc[start : start + BATCH]]
        for reading in reader.read_many(scans, with_maps=False):
            rows.append([reading.label, *reading.probabilities.round(6), *reading.logits.round(5)])
    columns = ["label", *reader.classes, *(f"logit_{name}" for name in reader.classes)]
    said = pd.DataFrame(rows, columns=columns)
    predictions = pd.concat([test[FACTS].reset_index(drop=True), said], axis=1)
    thresholds = {name: getattr(card, name) for name in THRESHOLDS}
    result = {
        **_head(card, protocol, command),
        "part": part,
        "temperature": card.temperature,
        **thresholds,
        **figures_of(predictions, classes=reader.classes, **thresholds),
    }
    if (test["true_label"] != test["target"]).any():
        result["accuracy_corrected_labels"] = float(
            np.mean(said["label"].to_numpy() == test["true_label"].to_numpy())
        )
    if part == "test":
        _log(card, result, len(test), TestFigures)
    return result, predictions


def measure_outlines(
    segmenter: Segmenter, protocol: str, test: pd.DataFrame, command: str
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Outline every test image; returns the figures (JSON-ready) and how each outline fits its mask, a row an image.

    `test` holds tumours with masks and scans without tumour. The opening of the test part is logged in the card.
    """
    test = test.reset_index(drop=True)
    table = pd.concat([test[FACTS], compare_all(score(segmenter, test), segmenter.point)], axis=1)
    card = segmenter.card
    result = {
        **_head(card, protocol, command),
        **dataclasses.asdict(segmenter.point),
        **outline_figures(table),
    }
    _log(card, result, len(test), OutlineTestFigures)
    return result, table


def _head(card: Card, protocol: str, command: str) -> dict[str, Any]:
    """What was measured, when and how."""
    return {
        "model": card.name,
        "protocol": protocol,
        "date": datetime.date.today().isoformat(),
        "commit": current_commit(),
        "command": command,
        "weights_sha256": card.version,
    }


def _log(
    card: Card, result: dict[str, Any], scans: int, kind: type[TestFigures | OutlineTestFigures]
) -> None:
    """Log the test evaluation in the card, with those of its figures that a card keeps (the fields of `kind`)."""
    evaluation = {name: result[name] for name in ("protocol", "date", "commit", "weights_sha256")}
    figures = kind(**{name: result[name] for name in kind.model_fields if name in result})
    log_test_evaluation(card, TestEvaluation(**evaluation, n=scans), figures)


def measure_baseline(
    name: str, samples: pd.DataFrame, protocol: str, command: str
) -> tuple[dict[str, Any], pd.DataFrame]:
    """What a network must beat (`baselines`), taught on all that is not test; as `measure` returns it."""
    train, test = (
        samples[samples["part"] != "test"],
        samples[samples["part"] == "test"].reset_index(drop=True),
    )
    predictions = pd.concat([test[FACTS], BASELINES[name](train, test)], axis=1)
    head = {"model": name, "protocol": protocol, "date": datetime.date.today().isoformat(),
            "commit": current_commit(), "command": command}  # fmt: skip
    return head | figures_of(predictions), predictions


def figures_of(
    predictions: pd.DataFrame,
    tumor_threshold: float | None = None,
    conformal_threshold: float | None = None,
    classes: Sequence[str] = CLASSES,
) -> dict[str, Any]:
    """The figures of stored predictions (a table as `measure` returns it), and `parts`: those of each source and, in
    it, each sequence.

    Type and calibration are told over the scans with one known class, tumour at all over every scan, where without a
    threshold (a baseline) a tumour is found where one is named.
    """
    predictions = predictions.assign(
        sequence=predictions["sequence"].astype(object).fillna("")
    )  # a CSV tells "" and NaN alike
    known = predictions[predictions["target"] != OTHER_TUMOR]
    if known.empty:
        raise DatasetError("None of the test images shows a class that the networks know.")
    targets, labels, probabilities = _answers(known, classes)
    result = figures(targets, labels, known["group"].to_numpy(), probabilities, classes=classes)
    if tuple(classes) != CLASSES:
        assert probabilities is not None
        return result | {"top_3_accuracy": top_k_accuracy(probabilities, targets, 3)}
    result["tumor"] = _detection(predictions, tumor_threshold)
    if probabilities is not None:
        result["coverage"] = {
            "accuracy_on_most_certain": {
                str(share): accuracy_at_coverage(probabilities, targets, share) for share in COVERAGES
            }
        }
        if conformal_threshold is not None:
            result["coverage"]["label_sets"] = label_set_figures(probabilities, targets, conformal_threshold)
    sources = predictions["source"]
    if sources.nunique() > 1 or predictions["sequence"].nunique() > 1:
        domains = pd.concat([sources, (sources + " " + predictions["sequence"]).str.strip()])
        result["parts"] = {
            domain: _part(predictions[(sources == domain) | (sources + " " + predictions["sequence"] == domain)],
                          tumor_threshold)
            for domain in sorted(set(domains))
        }  # fmt: skip
    return result


def _part(predictions: pd.DataFrame, tumor_threshold: float | None) -> dict[str, Any]:
    known = predictions[predictions["target"] != OTHER_TUMOR]
    targets, labels, probabilities = _answers(known, CLASSES)
    whole = figures(targets, labels, known["group"].to_numpy(), probabilities)
    kept = {name: whole[name] for name in whole if name.removesuffix("_interval") in ("n", "accuracy", "ece")}
    recalls = {name: whole["classes"][name]["recall"] for name in CLASSES if whole["classes"][name]["n"]}
    return kept | {"recall": recalls, "tumor": _detection(predictions, tumor_threshold)}


def _answers(rows: pd.DataFrame, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(N,) int targets and labels as indices in `classes`, and (N, C) probabilities where the table has them."""
    numbers = {name: index for index, name in enumerate(classes)}
    targets, labels = (rows[column].map(numbers).to_numpy(int) for column in ("target", "label"))
    return targets, labels, rows[list(classes)].to_numpy(float) if classes[0] in rows else None


def _detection(predictions: pd.DataFrame, threshold: float | None) -> dict[str, Any]:
    tumor = (predictions["target"] != "no_tumor").to_numpy()
    if threshold is None or "no_tumor" not in predictions:
        named = (predictions["label"] != "no_tumor").to_numpy(float)
        result = detection_figures(named, tumor, predictions["group"].to_numpy(), 0.5)
        return {name: None if name.startswith(("auc", "sensitivity_at")) else result[name] for name in result}
    scores = 1 - predictions["no_tumor"].to_numpy(float)
    return detection_figures(scores, tumor, predictions["group"].to_numpy(), threshold)


def store(result: dict[str, Any], predictions: pd.DataFrame, folder: Path, what: str = "") -> Path:
    """Write MODEL--PROTOCOL[--WHAT].json and .csv; returns the path of the .json."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "--".join(filter(None, (result["model"], result["protocol"], what)))
    file = folder / f"{name}.json"
    predictions.to_csv(file.with_suffix(".csv"), index=False)
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return file
