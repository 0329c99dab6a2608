"""utils.results.track_record: how often a model was correct at a probability like this, in counts and words."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.support.records import evaluation_record
from utils.classes import CLASSES, OTHER_TUMOR
from utils.datasets.protocols import protocol_named
from utils.results import track_record
from utils.results.records import Evaluation, MeasuredModel


def trusted() -> pd.DataFrame:
    """20 scans called glioma at 0.8 (15 rightly), 9 at 0.95, 12 called pituitary at 0.8."""
    return pd.DataFrame(
        {
            "target": ["glioma"] * 15 + ["meningioma"] * 5 + ["glioma"] * 9 + ["pituitary"] * 12,
            "label": ["glioma"] * 29 + ["pituitary"] * 12,
            "glioma": [0.8] * 20 + [0.95] * 9 + [0.1] * 12,
            "pituitary": [0.1] * 29 + [0.8] * 12,
        }
    )


@pytest.mark.parametrize(
    ("label", "probability", "expected"),
    [
        ("glioma", 0.75, (15, 20, 20)),
        ("glioma", 0.7, (15, 20, 20)),
        ("glioma", 0.89, (15, 20, 20)),
        ("glioma", 0.9, None),
        ("glioma", 0.4, None),
        ("pituitary", 0.8, (12, 12, 12)),
        ("meningioma", 0.8, None),
    ],
)
def test_trust_counts_scans_called_the_same_with_like_certainty(label, probability, expected):
    assert track_record.trust_statement(trusted(), label, probability) == expected


def test_certainty_has_a_place_in_the_last_bin():
    table = pd.DataFrame(
        {"target": ["glioma"] * 10, "label": ["glioma"] * 10, "glioma": [1.0] * 5 + [0.97] * 5}
    )
    assert track_record.trust_statement(table, "glioma", 1.0) == (10, 10, 10)


def test_a_tumour_without_a_name_counts_against_no_tumour_alone():
    table = pd.DataFrame(
        {"target": ["no_tumor"] * 10 + [OTHER_TUMOR] * 2, "label": "no_tumor", "no_tumor": 0.99}
    )
    assert track_record.trust_statement(table, "no_tumor", 0.99) == (10, 12, 12)
    table = pd.DataFrame({"target": ["glioma"] * 10 + [OTHER_TUMOR] * 2, "label": "glioma", "glioma": 0.99})
    assert track_record.trust_statement(table, "glioma", 0.99) == (10, 10, 10)


def test_outlines_in_words(outline_record):
    record = outline_record.model_copy(update={"dice": 0.761, "false_outlines_per_100": 3.4})
    assert track_record.outline_sentence(record) == (
        "On held-out patients: Dice (0-1) 0.76; false-positive rate 3 %."
    )
    without = outline_record.model_copy(update={"dice": 0.5, "false_outlines_per_100": None})
    assert track_record.outline_sentence(without).endswith("Dice (0-1) 0.50.")
    assert track_record.outline_sentence(None) == "Not yet measured on held-out patients."


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (0.75, "PPV for glioma at 70-90 %, held-out patients: 15 of 20, 75 % (95 % CI 53-89)."),
        (0.99, "held-out scans with glioma at 97 % or more: no track record."),
        (0.3, "Fewer than 10 held-out scans with glioma at less than 50 %: no track record."),
    ],
)
def test_trust_in_words(probability, words):
    measured = MeasuredModel("cnn", protocol_named("patient-disjoint"), trusted())
    assert track_record.trust_sentence(measured, "glioma", probability).endswith(words)


def test_the_value_of_no_tumour_is_the_negative_predictive_one():
    table = pd.DataFrame({"target": ["no_tumor"] * 9 + ["glioma"], "label": "no_tumor", "no_tumor": 0.99})
    measured = MeasuredModel("cnn", protocol_named("patient-disjoint"), table)
    assert track_record.trust_sentence(measured, "no_tumor", 0.99) == (
        "NPV at 97 % or more, held-out patients: 9 of 10, 90 % (95 % CI 60-98)."
    )


def test_without_a_measurement_there_is_no_trust():
    unmeasured = MeasuredModel("cnn", protocol_named("patient-disjoint"), None)
    for nothing in (None, unmeasured):
        assert track_record.trust_sentence(nothing, "glioma", 0.9) == "Not yet measured on held-out patients."


def test_weights_are_judged_by_their_own_evaluation_alone():
    def measured(protocol: str, **figures) -> Evaluation:
        record = evaluation_record(protocol=protocol, **figures)
        return Evaluation("cnn", protocol_named(protocol), None, record)

    own = measured("patient-disjoint", weights_sha256="a")
    assert track_record.evaluation_of([measured("published"), own], "cnn", "a") is own
    assert track_record.evaluation_of([own], "cnn", "b") is None
    assert track_record.evaluation_of([own], "vgg16", "a") is None
    unnamed = measured("patient-disjoint")
    assert track_record.evaluation_of([unnamed], "cnn", "b") is unnamed


def test_referring_the_unsure_costs_answers_and_buys_accuracy():
    table = pd.DataFrame({"target": ["glioma"] * 4, "label": ["glioma", "glioma", "glioma", "pituitary"]})
    for name, values in zip(
        CLASSES, ([0.99, 0.9, 0.6, 0.2], [0] * 4, [0] * 4, [0.01, 0.1, 0.4, 0.8]), strict=True
    ):
        table[name] = values
    assert track_record.referral_statement(table, dict.fromkeys(CLASSES, 0.5)) == (1.0, 0.75)
    assert track_record.referral_statement(table, dict.fromkeys(CLASSES, 0.85)) == (0.5, 1.0)
    assert track_record.referral_statement(table, dict.fromkeys(CLASSES, 0.999)) is None
    assert track_record.referral_statement(table[["target", "label"]], dict.fromkeys(CLASSES, 0.5)) is None
    without_a_name = table.assign(target=OTHER_TUMOR, no_tumor=1.0)
    assert track_record.referral_statement(
        pd.concat([table, without_a_name]), dict.fromkeys(CLASSES, 0.5)
    ) == (1.0, 0.75)
