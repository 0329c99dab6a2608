"""Evaluation records and tables made up for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from utils.classes import CLASSES
from utils.metrics.classification import CLASS_FIGURES, OVERALL_FIGURES
from utils.records.evaluation import EvaluationRecord
from utils.records.explanations import ExplanationsRecord
from utils.records.measures import DetectionFigures
from utils.records.segmentation import OutlineRecord


def evaluation_record(
    model: str = "cnn", protocol: str = "patient-disjoint", **changes: Any
) -> EvaluationRecord:
    """A record without a single figure, but for the changes."""
    figures = {"n": 0, **dict.fromkeys(CLASS_FIGURES)}
    facts = {
        "model": model,
        "protocol": protocol,
        "n": 0,
        "groups": 0,
        **dict.fromkeys(OVERALL_FIGURES),
        "classes": {name: figures for name in CLASSES},
        "confusion": [[0] * len(CLASSES)] * len(CLASSES),
    }
    return EvaluationRecord.model_validate(facts | changes)


def part_of_record(auc: float | None, interval: tuple[float, float] | None = None) -> dict[str, Any]:
    """One of an evaluation record's `parts`, with nothing but the AUC of tumour detection."""
    tumor = DetectionFigures(
        tumors=1,
        healthy=1,
        threshold=0.5,
        auc=auc,
        auc_interval=interval,
        sensitivity=None,
        specificity=None,
        sensitivity_at_95_specificity=None,
    )
    return {"n": 2, "accuracy": None, "ece": None, "recall": {}, "tumor": tumor.model_dump()}


@pytest.fixture
def outline_record(outline_table: pd.DataFrame) -> OutlineRecord:
    """The record that `evaluate` writes about the outlines of `outline_table`."""
    from utils.evaluation.outline_figures import outline_figures

    facts = {"model": "unet", "protocol": "patient-disjoint", "threshold": 0.5, "peak": 0.0}
    return OutlineRecord.model_validate(facts | outline_figures(outline_table, resamples=20))


@pytest.fixture
def evidence_record() -> Callable[..., ExplanationsRecord]:
    """A function (share of maps that hit, 0..1) -> the record that `evaluate --explanations` writes for two methods."""
    from utils.evaluation.evidence_figures import (
        FAITHFULNESS,
        LOCALISATION,
        STRENGTHS,
        figures_of_evidence,
    )
    from utils.evaluation.faithfulness import DEPTHS

    def make(hits: float, **changes: Any) -> ExplanationsRecord:
        rng = np.random.default_rng(0)
        rows = []
        for number in range(60):
            target = CLASSES[number % 4]
            for method in ("gradcam", "layercam"):
                row: dict[str, Any] = {
                    "file": f"{number}.png",
                    "source": "made",
                    "sequence": None,
                    "group": number // 2,
                    "target": target,
                    "method": method,
                }
                row |= {name: rng.random() for name in (*LOCALISATION, *FAITHFULNESS, *STRENGTHS, *DEPTHS)}
                rows.append(row | {"pointing": float(rng.random() < hits)})
        methods = figures_of_evidence(pd.DataFrame(rows), {"gradcam": 0.5, "layercam": 0.5})
        facts = {
            "model": "cnn",
            "protocol": "patient-disjoint",
            "part": "test",
            "weights_sha256": "0",
            "layer": "evidence",
            "n": 45,
            "healthy": 15,
            "methods": methods,
        }
        return ExplanationsRecord.model_validate(facts | changes)

    return make


@pytest.fixture
def outline_table() -> pd.DataFrame:
    """One row per scan as from `outline_figures.compare_all`: 30 tumours, 10 scans without, one false positive."""
    rows = []
    for number in range(40):
        size = 100 + 10 * number if number < 30 else 0
        rows.append(
            {
                "file": f"{number}.png",
                "source": "made",
                "group": number,
                "target": CLASSES[(0, 1, 3)[number % 3]] if size else "no_tumor",
                "tumor_pixels": size,
                "outline_pixels": size if size else 50 * (number == 39),
                "overlap_pixels": int(0.8 * size),
                "size": size / 224**2,
                "tumors": int(size > 0),
                "found": int(size > 0),
            }
        )
    return pd.DataFrame(rows)
