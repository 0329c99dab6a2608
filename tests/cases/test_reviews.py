"""Reviews: which verdicts fit the predicted classes, the label that follows, and the neutral names of scans."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from itertools import product

import pytest

from utils.cases.reviews import (
    LONGEST_NAME,
    LONGEST_NOTE,
    VERDICTS,
    NeutralNames,
    Review,
    ReviewError,
    check_review,
    checked_name,
    fitted,
    label_of,
    right_classes_for,
    verdicts_for,
)
from utils.wording import LABEL_TITLES

SAME, DIFFERENT = ("glioma", "glioma"), ("glioma", "pituitary")
NO_READING: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("predicted", "verdict", "right_class", "label"),
    [
        (SAME, "agree", None, "glioma"),
        (SAME, "disagree", "no_tumor", "no_tumor"),
        (SAME, "unsure", None, None),
        (SAME, "disagree", None, None),  # the reviewer does not know the correct label
        (SAME, "disagree", "metastasis", "metastasis"),
        (DIFFERENT, "disagree", "pituitary", "pituitary"),  # one of the two is right
        (DIFFERENT, "disagree", "meningioma", "meningioma"),  # neither is
        (DIFFERENT, "unsure", None, None),
        (("glioma",), "agree", None, "glioma"),
        (NO_READING, "disagree", "glioma", "glioma"),
    ],
)
def test_label_of_a_review(predicted, verdict, right_class, label) -> None:
    assert label_of(Review(verdict, right_class), predicted) == label


@pytest.mark.parametrize(
    ("predicted", "verdict", "right_class", "words"),
    [
        (DIFFERENT, "agree", None, "models are discordant"),
        (NO_READING, "agree", None, "choose the correct label"),
        (
            SAME,
            "disagree",
            "glioma",
            "Choose the correct label: meningioma, no tumour, pituitary",
        ),  # not the predicted class
        (SAME, "disagree", "astrocytoma", "Choose the correct label"),
        (SAME, "agree", "glioma", "with the verdict Disagree only"),
        (SAME, "unsure", "pituitary", "with the verdict Disagree only"),
        (SAME, "yes", None, "There is no verdict yes"),
    ],
)
def test_review_that_does_not_fit_is_refused_in_a_sentence(predicted, verdict, right_class, words) -> None:
    for refuse in (check_review, label_of):
        with pytest.raises(ReviewError, match=words) as refusal:
            refuse(Review(verdict, right_class), predicted)
        assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    "predicted", [SAME, DIFFERENT, ("no_tumor",), NO_READING, ("astrocytoma", "astrocytoma")]
)
def test_what_is_offered_is_what_is_accepted(predicted) -> None:
    accepted = set()
    for verdict, right_class in product(VERDICTS, (None, *LABEL_TITLES)):
        try:
            check_review(Review(verdict, right_class), predicted)
            accepted.add((verdict, right_class))
        except ReviewError:
            pass
    offered = {(verdict, None) for verdict in verdicts_for(predicted)}
    assert accepted == offered | {("disagree", name) for name in right_classes_for(predicted)}


def test_note_has_a_limit() -> None:
    check_review(Review("unsure", note="a" * LONGEST_NOTE), SAME)
    with pytest.raises(ReviewError, match=rf"{LONGEST_NOTE + 1} characters"):
        check_review(Review("unsure", note="a" * (LONGEST_NOTE + 1)), SAME)


def test_review_knows_its_time_in_utc_and_cannot_be_changed() -> None:
    review = Review("unsure")
    time = datetime.fromisoformat(review.time)
    assert time.tzinfo == UTC and time.microsecond == 0
    with pytest.raises(FrozenInstanceError):
        review.note = "other"  # type: ignore[misc]


def test_names_are_given_in_order_of_arrival_and_stay() -> None:
    names = NeutralNames()
    assert [names.of(key) for key in "abacb"] == ["Scan 1", "Scan 2", "Scan 1", "Scan 3", "Scan 2"]


def test_a_number_is_not_given_again_after_renaming() -> None:
    names = NeutralNames()
    names.of("a")
    names.of("b")
    names.rename("b", "left temporal")
    assert [names.of(key) for key in "abc"] == ["Scan 1", "left temporal", "Scan 3"]
    names.rename("a", "Scan 4")
    assert names.of("d") == "Scan 5"


def test_names_of_the_store_are_kept_and_counted_on_from() -> None:
    names = NeutralNames()
    names.of("a")
    names.learn({"x": "Scan 7", "y": "Scan 12 again", "z": "follow-up"})
    assert [names.of(key) for key in "axzb"] == ["Scan 1", "Scan 7", "follow-up", "Scan 8"]
    names.learn({"w": "Scan 2"})
    assert names.of("c") == "Scan 9"


@pytest.mark.parametrize(
    ("name", "kept"), [("  left\ttemporal\n", "left temporal"), ("a" * LONGEST_NAME,) * 2, ("=1+1", "=1+1")]
)
def test_name_is_kept_on_one_line(name: str, kept: str) -> None:
    assert checked_name(name) == kept


@pytest.mark.parametrize("name", ["", " \n", "a" * (LONGEST_NAME + 1)])
def test_name_that_cannot_be_kept(name: str) -> None:
    names = NeutralNames()
    with pytest.raises(ReviewError, match="1 to"):
        names.rename("a", name)
    assert names.of("a") == "Scan 1"


@pytest.mark.parametrize(
    ("verdict", "right_class", "predicted", "expected"),
    [
        ("agree", None, SAME, ("agree", None)),
        ("agree", None, DIFFERENT, ("disagree", "glioma")),
        ("agree", None, ("no_tumor", "no_tumor"), ("disagree", "glioma")),
        ("disagree", "pituitary", ("pituitary", "pituitary"), ("agree", None)),
        ("disagree", "metastasis", DIFFERENT, ("disagree", "metastasis")),
        ("unsure", None, DIFFERENT, ("unsure", None)),
    ],
)
def test_stored_review_fits_what_other_models_predict(verdict, right_class, predicted, expected) -> None:
    review = Review(verdict, right_class, "left temporal", reviewer="AB")
    changed = fitted(review, SAME, predicted)
    assert (changed.verdict, changed.right_class) == expected
    assert (changed.note, changed.time, changed.reviewer) == (review.note, review.time, "AB")
    check_review(changed, predicted)
