"""The figures of `benchmarks.accuracy.sequences`, from drawn answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy.sequences import PROTOCOL, answers, as_series, contrast_figures, figures_of

ROWS = pd.DataFrame(
    {
        "source": "brats18",
        "group": [1, 1, 1, 2],
        "patient": ["a", "a", "a", "b"],
        "sequence": ["T1", "T1", "T1", "FLAIR"],
        "plane": "axial",
    }
)
PROBABILITIES = np.asarray(
    [[0.9, 0.1, 0, 0], [0.8, 0.2, 0, 0], [0.4, 0.6, 0, 0], [0.1, 0.1, 0.1, 0.7]]
)  # the third is wrong, and not sure


def test_abstentions_count_in_the_accuracy_of_all_only() -> None:
    figures = figures_of(answers(ROWS, PROBABILITIES, "sequence", 0.65))
    assert (figures.n, figures.groups) == (4, 2)
    assert (figures.accuracy, figures.answered, figures.answered_accuracy) == (0.75, 0.75, 1.0)
    assert figures.accuracy_interval == pytest.approx((2 / 3, 1), abs=1e-5)


def test_a_series_decides_together() -> None:
    table = as_series(ROWS, PROBABILITIES, "sequence", 0.5)
    assert table[["target", "answer"]].to_numpy().tolist() == [["T1", "T1"], ["FLAIR", "FLAIR"]]


def test_contrast_is_measured_on_both_classes_alike(tmp_path: Path) -> None:
    (tmp_path / "evaluation").mkdir()
    rows = [("T1", "glioma", 0.9), ("T1", "glioma", 0.8), ("T2", "meningioma", 0.6), ("T1C+", "glioma", 0.7)]
    rows += [("T1C+", "meningioma", 0.2), ("T2", "no_tumor", 0.1), ("T2", "meningioma", 0.3)]
    table = pd.DataFrame(rows, columns=["sequence", "target", "glioma"])
    table = table.assign(
        file=table.index.astype(str), source="feltrin44", group=table.index, meningioma=1 - table.glioma
    )
    assert contrast_figures(tmp_path) is None
    for name in ("cnn", "vgg16"):
        table.to_csv(tmp_path / "evaluation" / f"{name}--{PROTOCOL}.csv", index=False)
    figures = contrast_figures(tmp_path)
    assert figures is not None and (figures.n, figures.n_with_contrast) == (6, 2)
    assert (figures.without, figures.with_contrast) == (0.75, 1.0)
