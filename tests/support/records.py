"""Evaluation records and tables made up for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from utils.classes import CLASSES


@pytest.fixture
def evidence_record() -> Callable[[float], dict]:
    """A function (share of maps that hit, 0..1) -> the record that `evaluate --explanations` writes for two methods."""
    from utils.evaluation.evidence_measurement import (
        FAITHFULNESS,
        LOCALISATION,
        STRENGTHS,
        figures_of_evidence,
    )
    from utils.evaluation.faithfulness import DEPTHS

    def make(hits: float) -> dict:
        rng = np.random.default_rng(0)
        rows = []
        for number in range(60):
            target = CLASSES[number % 4]
            for method in ("gradcam", "layercam"):
                row = {
                    "file": f"{number}.png",
                    "source": "made",
                    "group": number // 2,
                    "target": target,
                    "method": method,
                }
                row |= {name: rng.random() for name in (*LOCALISATION, *FAITHFULNESS, *STRENGTHS, *DEPTHS)}
                rows.append(row | {"pointing": float(rng.random() < hits)})
        methods = figures_of_evidence(pd.DataFrame(rows), {"gradcam": 0.5, "layercam": 0.5})
        return {"part": "test", "weights_sha256": "0", "methods": methods}

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
