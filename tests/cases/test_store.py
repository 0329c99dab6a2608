"""The case store: what it keeps, replaces and deletes."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cases.examples import AGREE, SAME, answers_for, sha
from utils.cases.reviews import Review, ReviewError
from utils.cases.spreadsheet import export_csv
from utils.cases.store import Answer, Case, CaseStore, answers_of
from utils.classes import CLASSES


def test_a_case_comes_back_as_it_was_saved(store: CaseStore) -> None:
    review = Review("disagree", "pituitary", "sella\nsee 'T1'; DROP TABLE cases", "2026-01-02T03:04:05Z")
    store.save(sha(1), "Scan 1", review, answers_for("glioma", "no_tumor"))
    expected = Case(sha(1), "Scan 1", review, tuple(answers_for("glioma", "no_tumor")), review.time)
    assert CaseStore.open(store.path).cases() == [expected]
    assert expected.predicted == ("glioma", "no_tumor") and expected.label == "pituitary"


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(note=st.text(max_size=60))
def test_any_note_comes_back_and_survives_the_table(store: CaseStore, note: str) -> None:
    store.save(sha(1), "Scan 1", replace(AGREE, note=note), SAME)
    (case,) = store.cases()
    assert case.review.note == note
    (row,) = csv.DictReader(io.StringIO(export_csv([case]), newline=""))
    assert row["note"].removeprefix("'") == note.removeprefix("'")


def test_a_second_review_replaces_the_first_and_leaves_name_and_first_time(store: CaseStore) -> None:
    store.save(sha(1), "Scan 1", AGREE, SAME)
    store.rename(sha(1), "  left temporal ")
    second = Review("disagree", "no_tumor", time="2026-02-02T03:04:05Z")
    store.save(sha(1), "Scan 9", second, SAME)
    assert store.cases() == [Case(sha(1), "left temporal", second, tuple(SAME), AGREE.time, (AGREE,))]


def test_cases_stay_in_order_and_are_deleted_one_by_one_or_all(store: CaseStore) -> None:
    for number in (3, 1, 2):
        store.save(sha(number), f"Scan {number}", AGREE, SAME)
    store.save(sha(3), "Scan 3", replace(AGREE, verdict="unsure"), SAME)
    store.delete(sha(1))
    store.delete(sha(7))  # is not there
    assert [case.name for case in store.cases()] == ["Scan 3", "Scan 2"]
    store.delete_all()
    assert store.cases() == []


def test_nothing_that_does_not_fit_is_kept(store: CaseStore) -> None:
    store.save(sha(1), "Scan 1", AGREE, SAME)
    with pytest.raises(ReviewError):
        store.save(sha(1), "Scan 1", AGREE, answers_for("glioma", "pituitary"))
    with pytest.raises(ReviewError):
        store.save(sha(2), "", AGREE, SAME)
    with pytest.raises(ReviewError):
        store.rename(sha(1), "")
    with pytest.raises(ValueError, match="SHA-256"):
        store.save("Doe^Jane.dcm", "Scan 2", AGREE, SAME)
    assert [case.name for case in store.cases()] == ["Scan 1"]


def test_deleted_and_replaced_notes_are_not_in_the_file_any_more(store: CaseStore) -> None:
    for number in range(40):
        note = f"secret {number % 2} " * 100  # some on pages of their own, some beside others
        note = note if number % 3 else note[:50]
        store.save(sha(number), f"Scan {number}", Review("unsure", note=note), SAME)
    assert b"secret 0" in store.path.read_bytes()
    for number in range(0, 40, 2):
        if number % 4:
            store.delete(sha(number))
        else:
            store.save(sha(number), "Scan", Review("unsure", note="short"), SAME)
    data = store.path.read_bytes()
    assert b"secret 0" not in data and b"secret 1" in data
    store.delete_all()
    assert b"secret" not in store.path.read_bytes()
    assert [file.name for file in store.path.parent.iterdir()] == ["cases.sqlite3"]


def test_what_is_kept_of_readings() -> None:
    class FakeReading:
        """The attributes of a Reading that are stored; the real class needs Keras."""

        network, version, label, classes = "cnn", "a" * 64, "glioma", CLASSES

        def probability(self, label: str) -> float:
            return 1 / 3 if label != "no_tumor" else 0.0

    third = 0.333333
    probabilities = {"glioma": third, "meningioma": third, "no_tumor": 0.0, "pituitary": third}
    assert answers_of([FakeReading()]) == (Answer("cnn", "a" * 64, "glioma", probabilities),)  # type: ignore[list-item]


def test_replaced_reviews_are_the_history_of_the_case(store: CaseStore) -> None:
    reviews = [
        Review("agree", note="clear", time="2026-01-02T03:04:05Z", reviewer="AB"),
        Review("disagree", "metastasis", "known melanoma", "2026-02-02T03:04:05Z", "CD"),
        Review("unsure", time="2026-03-02T03:04:05Z"),
    ]
    for review in reviews:
        store.save(sha(1), "Scan 1", review, SAME)
    store.save(sha(2), "Scan 2", AGREE, SAME)
    store.rename(sha(1), "left temporal")
    first, second = CaseStore.open(store.path).cases()
    assert first.review == reviews[2] and first.earlier == tuple(reviews[:2]) and second.earlier == ()
    store.delete(sha(1))
    store.save(sha(1), "Scan 1", AGREE, SAME)
    assert store.cases()[-1].earlier == ()


def test_correction_within_an_hour_is_no_review_of_its_own(store: CaseStore) -> None:
    store.save(sha(1), "Scan 1", Review("agree", note="Jane Doe", time="2026-01-02T03:04:05Z"), SAME)
    store.save(sha(1), "Scan 1", Review("agree", note="", time="2026-01-02T03:54:05Z"), SAME)
    (case,) = store.cases()
    assert case.earlier == () and b"Jane" not in store.path.read_bytes()
