"""The shipped networks and their stored predictions give the stored figures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.ensemble import figures, predictions
from utils.classes import OTHER_TUMOR
from utils.datasets.protocols import protocol_named
from utils.evaluation.baselines import BASELINES
from utils.evaluation.evidence_figures import figures_of_evidence
from utils.evaluation.measurement import THRESHOLDS
from utils.evaluation.outline_figures import OUTLINE_FIGURES, outline_figures
from utils.evaluation.prediction_figures import figures_of
from utils.metrics.classification import OVERALL_FIGURES
from utils.networks.cards import check_weights, load_card
from utils.networks.registry import is_segmenter
from utils.networks.runtime.choice import BFLOAT16, FLOAT32, has_bfloat16
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.paths import REPOSITORY, file_sha256
from utils.reading.reader import Reader
from utils.reading.segmenter import Segmenter
from utils.scans.example import synthetic_scan
from utils.scans.upload import read_scan_file

MODELS = REPOSITORY / "models"
SAMPLE = 100  # images predicted again
NONE_YET = [pytest.param(None, marks=pytest.mark.skip(reason="no shipped network has been evaluated yet"))]
EVERY = sorted((MODELS / "evaluation").glob("*--*.json"))
MAPS = [path for path in EVERY if path.stem.endswith("--explanations")] or NONE_YET
STORED = [path for path in EVERY if path not in MAPS]
SEGMENTED = [path for path in STORED if is_segmenter(path.name.split("--")[0])] or NONE_YET
RECORDS = [path for path in STORED if not is_segmenter(path.name.split("--")[0])] or NONE_YET


def weights_of(record: dict) -> Path:
    return protocol_named(record["protocol"]).networks_folder(MODELS) / f"{record['model']}.keras"


NETWORKS = [
    path
    for path in RECORDS
    if isinstance(path, Path)
    and path.name.split("--")[0] not in BASELINES
    and weights_of(json.loads(path.read_text())).is_file()  # for some, only the figures are shipped
] or NONE_YET
OUTLINES = [
    path
    for path in SEGMENTED
    if isinstance(path, Path) and weights_of(json.loads(path.read_text())).is_file()
] or NONE_YET
every_record = pytest.mark.parametrize("file", RECORDS, ids=lambda path: path.stem if path else "none")
every_network = pytest.mark.parametrize("file", NETWORKS, ids=lambda path: path.stem if path else "none")


def folder_of(source: str, data_root: Path) -> Path:
    """The folder of a collection; the further ones lie in more/."""
    return next(folder for folder in (data_root / source, data_root / "more" / source) if folder.is_dir())


def close(stored: object, fresh: object) -> bool:
    """Whether two records are equal up to the sixth decimal."""
    if isinstance(stored, dict) and isinstance(fresh, dict):
        return stored.keys() == fresh.keys() and all(close(stored[key], fresh[key]) for key in stored)
    if isinstance(stored, list) and isinstance(fresh, list):
        return len(stored) == len(fresh) and all(map(close, stored, fresh))
    if isinstance(stored, float) and isinstance(fresh, int | float):
        return math.isclose(stored, fresh, abs_tol=5e-6)
    return stored == fresh


def test_models_are_below_their_size_limit() -> None:
    assert sum(file.stat().st_size for file in MODELS.rglob("*") if file.is_file()) < 120_000_000


@every_record
def test_stored_predictions_give_the_stored_figures(file: Path) -> None:
    record = json.loads(file.read_text())
    thresholds = {name: record.get(name) for name in THRESHOLDS}
    fresh = figures_of(pd.read_csv(file.with_suffix(".csv")), **thresholds, classes=tuple(record["classes"]))
    part = "--validation" if record.get("part") == "validation" else ""
    assert file.stem == f"{record['model']}--{record['protocol']}{part}"
    wrong = [name for name in fresh if not close(record[name], fresh[name])]
    assert not wrong, {name: (record[name], fresh[name]) for name in wrong}


@every_record
def test_confusion_matrix_counts_every_image_once(file: Path) -> None:
    record = json.loads(file.read_text())
    confusion = np.asarray(record["confusion"])
    targets = pd.read_csv(file.with_suffix(".csv"))["target"]
    assert confusion.sum() == record["n"] == (targets != OTHER_TUMOR).sum()
    assert np.trace(confusion) / record["n"] == pytest.approx(record["accuracy"], abs=1e-6)
    assert confusion.sum(axis=1).tolist() == [figures["n"] for figures in record["classes"].values()]


@every_network
def test_figures_belong_to_the_shipped_weights(file: Path) -> None:
    record = json.loads(file.read_text())
    card = load_card(weights_of(record))
    check_weights(card)
    assert record["weights_sha256"] == card.version == file_sha256(card.weights)
    assert record["temperature"] == card.temperature
    assert protocol_named(record["protocol"]).is_unseen_by(protocol_named(card.protocol), card.sources)
    if record.get("part") == "validation":
        return
    assert record["protocol"] in [evaluation.protocol for evaluation in card.test_evaluations]
    shown = card.figures[record["protocol"]].model_dump()
    assert {name: shown[name] for name in OVERALL_FIGURES} == {name: record[name] for name in OVERALL_FIGURES}


@every_network
@pytest.mark.data
def test_predictions_of_sample_images_are_unchanged(file: Path, data_root: Path) -> None:
    record = json.loads(file.read_text())
    predictions = pd.read_csv(file.with_suffix(".csv"))
    rows = predictions.iloc[:: max(len(predictions) // SAMPLE, 1)].head(SAMPLE)
    scans = [read_scan_file(folder_of(row.source, data_root) / row.file) for row in rows.itertuples()]
    readings = Reader.load(weights_of(record), FLOAT32).read_many(scans, with_maps=False)
    same = [reading.label == label for reading, label in zip(readings, rows["label"], strict=True)]
    assert sum(same) >= 0.99 * len(same)
    fresh = np.stack([reading.probabilities for reading in readings])
    np.testing.assert_allclose(fresh, rows[list(readings[0].classes)].to_numpy(), atol=0.02)


@pytest.mark.parametrize("file", MAPS, ids=lambda path: path.stem if path else "none")
def test_stored_table_gives_the_stored_figures_of_maps(file: Path) -> None:
    record = json.loads(file.read_text())
    card = load_card(weights_of(record))
    assert record["weights_sha256"] == card.version
    assert f"{record['protocol']}, explanations" in [
        evaluation.protocol for evaluation in card.test_evaluations
    ]
    fresh = figures_of_evidence(pd.read_csv(file.with_suffix(".csv")), card.evidence_scale)
    assert fresh.keys() == record["methods"].keys()
    wrong = [
        method
        for method in fresh
        if not close(record["methods"][method] | fresh[method], record["methods"][method])
    ]
    assert not wrong


@pytest.mark.parametrize("file", MAPS, ids=lambda path: path.stem if path else "none")
@pytest.mark.data
def test_maps_of_sample_images_are_unchanged(file: Path, data_root: Path) -> None:
    record = json.loads(file.read_text())
    table = pd.read_csv(file.with_suffix(".csv"))
    rows = table[(table["method"] == "gradcam") & (table["target"] != "no_tumor")].iloc[::50]
    reader = Reader.load(weights_of(record), FLOAT32)
    for row in rows.itertuples():
        reading = reader.read(read_scan_file(folder_of(row.source, data_root) / row.file))
        peak = reading.maps[reading.classes.index(row.target)].max() * reading.calibration
        assert peak == pytest.approx(getattr(row, f"strength_{row.target}"), rel=0.05, abs=0.005)


@pytest.mark.parametrize("file", SEGMENTED, ids=lambda path: path.stem if path else "none")
def test_stored_table_gives_the_stored_figures_of_segmentation(file: Path) -> None:
    record = json.loads(file.read_text())
    table = pd.read_csv(file.with_suffix(".csv"))
    fresh = outline_figures(
        table[table["tumor_pixels"].notna()]
    )  # without a reference only the score is known
    wrong = [name for name in fresh if not close(record[name], fresh[name])]
    assert not wrong, {name: (record[name], fresh[name]) for name in wrong}


@pytest.mark.parametrize("file", OUTLINES, ids=lambda path: path.stem if path else "none")
def test_figures_of_segmentation_belong_to_the_shipped_weights(file: Path) -> None:
    record = json.loads(file.read_text())
    card = load_card(weights_of(record))
    check_weights(card)
    assert record["weights_sha256"] == card.version
    assert all(record[name] == getattr(card, name) for name in ("threshold", "peak"))
    assert protocol_named(record["protocol"]).is_unseen_by(protocol_named(card.protocol), card.sources)
    shown = card.figures[record["protocol"]].model_dump()
    assert {name: shown[name] for name in OUTLINE_FIGURES} == {name: record[name] for name in OUTLINE_FIGURES}


@pytest.mark.parametrize("weights", reading_networks(MODELS), ids=lambda file: file.stem)
@pytest.mark.skipif(not has_bfloat16(), reason="this processor does not compute in bfloat16")
@pytest.mark.data
def test_bfloat16_gives_the_stored_labels(weights: Path, data_root: Path) -> None:
    predictions = pd.read_csv(MODELS / "evaluation" / f"{weights.stem}--{load_card(weights).protocol}.csv")
    rows = predictions.iloc[:: len(predictions) // SAMPLE].head(SAMPLE)
    scans = [read_scan_file(folder_of(row.source, data_root) / row.file) for row in rows.itertuples()]
    reader = Reader.load(weights, BFLOAT16)
    same = [
        reading.label == label for reading, label in zip(reader.read_many(scans), rows["label"], strict=True)
    ]
    assert reader.runtime == BFLOAT16 and sum(same) >= 0.98 * len(same)


def test_the_stored_predictions_give_the_figures_of_the_ensemble() -> None:
    """Those of README and docs/results.md."""
    measured = figures(predictions("patient-disjoint", MODELS), MODELS)
    expected = {"n": 1644, "type": 0.872, "surest": 0.934, "answered": 0.329, "accuracy": 0.994, "auc": 0.984}
    assert {name: round(measured[name], 3) for name in expected} == expected


@pytest.mark.parametrize("seed", [7, 8])
def test_the_example_is_read_as_a_brain_with_a_tumour(seed: int) -> None:
    scan = synthetic_scan(seed=seed)
    readings = [Reader.load(file).read(scan) for file in reading_networks(MODELS)]
    segmentation = Segmenter.load(segmentation_weights(MODELS)).read_many([scan])[0]
    assert {reading.grade for reading in readings} | {segmentation.grade} == {"ok"}
    assert all(reading.probability("no_tumor") < 0.2 for reading in readings)
    assert segmentation.tumor_score > 0.9
