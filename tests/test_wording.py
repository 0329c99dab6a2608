"""Percentages, values with their interval, counts and lists, as people read them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.classes import CLASSES, OTHER_TUMOR
from utils.wording import (
    CLASS_TITLES,
    NO_VALUE,
    TARGET_TITLES,
    class_with_probability,
    counted,
    listed,
    percent,
    probability_in_percent,
    sentence_case,
    titles_of,
    value_with_interval,
)


def test_every_class_and_target_has_a_title() -> None:
    assert tuple(CLASS_TITLES) == CLASSES
    assert set(TARGET_TITLES) == {*CLASSES, OTHER_TUMOR}


@pytest.mark.parametrize(
    ("share", "digits", "words"),
    [
        (0.914, 0, "91 %"),
        (0.9149, 1, "91.5 %"),
        (0, 0, "0 %"),
        (1, 1, "100.0 %"),
        (241 / 242, 0, "99.6 %"),
        (0.9999, 1, "99.99 %"),
        (0.003, 0, "0.3 %"),
    ],
)
def test_percent(share, digits, words) -> None:
    assert percent(share, digits) == words


@settings(max_examples=100)
@given(st.floats(0, 1))
def test_probability_never_claims_certainty(probability) -> None:
    words = probability_in_percent(probability)
    assert words not in ("0 %", "100 %")
    assert words in ("< 1 %", "> 99 %") or abs(float(words.split()[0]) / 100 - probability) <= 0.0051


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.912, (0.884, 0.936)), "91.2 % (88.4-93.6)"),
        ((0.9999, (0.9777, 0.99999), 0), "99.99 % (98-99.999)"),
        ((0.912, None), "91.2 %"),
        ((None, (0.1, 0.2)), NO_VALUE),
        ((0.9, (0.8, 0.95), 0), "90 % (80-95)"),
        ((0.9834, (0.971, 0.9912), 3, False), "0.983 (0.971-0.991)"),
        ((0.9, [0.8, 0.95], 1, True, "95 % CI "), "90.0 % (95 % CI 80.0-95.0)"),
    ],
)
def test_value_with_interval(arguments, words) -> None:
    assert value_with_interval(*arguments) == words


def test_counted() -> None:
    assert [counted(count, "scan") for count in (0, 1, 3)] == ["0 scans", "1 scan", "3 scans"]
    assert counted(2, "study", "studies") == "2 studies"


def test_listed() -> None:
    assert listed([]) == ""
    assert listed(["CNN"]) == "CNN"
    assert listed(["CNN", "VGG16"]) == "CNN and VGG16"
    assert listed(iter(["CNN", "VGG16", "U-Net"]), "or") == "CNN, VGG16 or U-Net"
    assert titles_of(["glioma", "no_tumor", "glioma"]) == "glioma or no tumour"


def test_class_with_probability() -> None:
    assert class_with_probability("no_tumor", 0.999) == "no tumour, > 99 %"


def test_sentence_case_leaves_the_other_letters() -> None:
    assert sentence_case("tumour on MRI") == "Tumour on MRI" and sentence_case("") == ""
