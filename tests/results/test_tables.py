"""utils.results.tables: what was measured, as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from tests.support.records import evaluation_record, part_of_record
from utils.classes import CLASSES, OTHER_TUMOR
from utils.datasets.protocols import protocol_named
from utils.datasets.sources import source_title
from utils.metrics.bootstrap import weighted_average_precision
from utils.results import tables
from utils.results.records import Evaluation

SPAN = (0.8, 0.9)


def measured(model: str = "cnn", protocol: str = "patient-disjoint", **figures) -> Evaluation:
    return Evaluation(
        model, protocol_named(protocol), None, evaluation_record(model, protocol, n=1311, **figures)
    )


def test_summary_in_words():
    networks = [
        measured(accuracy=0.91, accuracy_interval=[0.8912, 0.9268], auc=0.98765, auc_interval=[0.98, 0.992],
                 macro_f1=0.5, macro_f1_interval=None),
        measured("1-nn", "published", accuracy=0.9),
    ]  # fmt: skip
    first, second = tables.summary_table(networks).to_dict("records")
    assert (first["Network"], first["Split"], first["Scans"]) == ("CNN", "Patient-level split", "1 311")
    assert first["Accuracy"] == "91.0 % (89.1-92.7)"
    assert first["AUC"] == "0.988 (0.980-0.992)"
    assert first["F1"] == "50.0 %"
    assert (second["Network"], second["AUC"], second["Loss (nats)"]) == ("1-nearest neighbour", "–", "–")


def test_summary_of_nothing_keeps_its_columns():
    assert "Accuracy" in tables.summary_table([]).columns


def test_each_source_has_a_row_and_each_external_test_too():
    part, empty = part_of_record(0.85, SPAN), part_of_record(None)
    rows = tables.detection_by_source(
        [
            measured(parts={"lgg": part, "feltrin44": part, "feltrin44 T2": part, "empty": empty}),
            measured(protocol="leave-one-source-out-feltrin44", tumor=part["tumor"]),
            measured(protocol="published", parts={"nickparvar": part}),
        ],
        source_title,
    )
    assert [row[0] for row in rows] == [
        "LGG, held-out patients",
        "Feltrin, held-out patients",
        "External test: Feltrin",
    ]
    assert rows[0][1:] == ("CNN", 0.85, 0.8, 0.9)


def test_mistakes_come_with_the_surest_first_and_count_a_missed_tumour_of_any_type():
    names = ["glioma", "glioma", OTHER_TUMOR, OTHER_TUMOR, "no_tumor"]
    labels = ["glioma", "pituitary", "glioma", "no_tumor", "glioma"]
    table = pd.DataFrame({"file": list("abcde"), "target": names, "label": labels})
    table[list(CLASSES)] = 0.1
    for row, (label, probability) in enumerate(zip(labels, (0.9, 0.6, 0.7, 0.8, 0.5), strict=True)):
        table.loc[row, label] = probability
    mistakes = tables.mistakes(table)
    assert mistakes["file"].tolist() == ["d", "b", "e"]
    assert mistakes["confidence"].tolist() == [0.8, 0.6, 0.5]
    assert mistakes["group"].nunique() == 3  # groups are unknown: each scan is its own
    assert tables.mistakes(table.assign(group=7))["group"].tolist() == [7, 7, 7]


def test_average_precision_is_that_of_scikit_learn_and_its_interval_holds_it():
    rng = np.random.default_rng(0)
    positive, scores = rng.random(80) < 0.4, rng.integers(0, 12, 80) / 12
    once, drawn = np.ones((1, 80)), rng.integers(0, 3, (1, 80)).astype(float)
    for weights in (once, drawn):
        expected = average_precision_score(positive, scores, sample_weight=weights[0])
        assert weighted_average_precision(scores, positive, weights)[0] == pytest.approx(expected)
    table = pd.DataFrame({name: scores for name in CLASSES})
    table["target"] = np.where(positive, "glioma", "no_tumor")
    intervals = tables.average_precision_intervals(table)
    low, high = intervals["glioma"]
    assert set(intervals) == {"glioma", "no_tumor"}
    assert low < average_precision_score(positive, scores) < high
