"""Evaluation records: every shipped file is read, and written as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from utils.paths import REPOSITORY
from utils.records.acceptance import AcceptanceRecord
from utils.records.base import Record, read_record, write_record
from utils.records.evaluation import EvaluationRecord, SubtypeRecord
from utils.records.explanations import ExplanationsRecord
from utils.records.leakage import LeakageRecord
from utils.records.measures import DetectionFigures
from utils.records.out_of_distribution import OutOfDistributionRecord
from utils.records.robustness import RobustnessRecord
from utils.records.segmentation import OutlineRecord
from utils.records.sequences import SequencesRecord

FILES = sorted((REPOSITORY / "models" / "evaluation").glob("*.json"))


def kind_of(file: Path) -> type[Record]:
    """The class that reads a file of models/evaluation/, by its name."""
    if file.stem == "gate":
        return OutOfDistributionRecord
    if file.stem == "acceptance":
        return AcceptanceRecord
    if file.stem == "sequences":
        return SequencesRecord
    if file.stem == "leakage":
        return LeakageRecord
    if ".robustness" in file.stem:
        return RobustnessRecord
    if "--explanations" in file.stem:
        return ExplanationsRecord
    if file.stem.startswith("unet"):
        return OutlineRecord
    names_four_classes = "feltrin44" not in file.stem or "leave" in file.stem or "unseen" in file.stem
    return EvaluationRecord if names_four_classes else SubtypeRecord


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_shipped_records_are_written_as_they_were(file: Path, tmp_path: Path) -> None:
    record = read_record(file, kind_of(file))
    write_record(tmp_path / file.name, record)
    assert json.loads((tmp_path / file.name).read_text()) == json.loads(file.read_text(encoding="utf-8"))
    if file.stem not in ("cnn--published", "vgg16--published"):  # older: a key stands in another place
        assert (tmp_path / file.name).read_text() == file.read_text(encoding="utf-8")


def test_every_kind_of_record_is_shipped() -> None:
    assert {kind_of(file) for file in FILES} == {
        EvaluationRecord, SubtypeRecord, ExplanationsRecord, OutlineRecord, RobustnessRecord, OutOfDistributionRecord,
        LeakageRecord, SequencesRecord, AcceptanceRecord,
    }  # fmt: skip


def test_interval_without_width_becomes_the_exact_one() -> None:
    figures = {"tumors": 56, "healthy": 0, "threshold": 0.5, "auc": 1.0, "auc_interval": [1.0, 1.0]}
    figures |= {"sensitivity": 1.0, "sensitivity_interval": [1.0, 1.0]}
    figures |= {"specificity": 0.0, "specificity_interval": [0.0, 0.0], "sensitivity_at_95_specificity": None}
    read = DetectionFigures.model_validate_json(json.dumps(figures), strict=True)
    low, high = read.interval("sensitivity") or (0, 0)
    assert high == 1 and abs(low - 0.025 ** (1 / 56)) < 1e-6  # Clopper and Pearson: 93.6 %
    assert read.interval("specificity") is None and read.interval("auc") is None  # of no scan; no share
