"""The Cases page: the session's reviews, and the store that keeps them where it is switched on."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.steps import again
from utils.cases.reviews import Review
from utils.cases.store import CaseStore
from utils.reading.worklist import Entry

PAGE = str(Path(__file__).parents[2] / "pages" / "cases.py")


@pytest.fixture
def store_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BRAIN_MRI_CASES", str(tmp_path / "cases.sqlite3"))
    return tmp_path / "cases.sqlite3"


def with_reviewed(*entries: Entry) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=60)
    page.session_state["worklist"] = {entry.key: entry for entry in entries}
    page.session_state["reviews"] = {entries[0].key: Review("agree", note="clear")} if entries else {}
    return again(page)


def switch_on(page: AppTest) -> AppTest:
    page.toggle[0].set_value(True)
    return again(page)


def test_nothing_reviewed_and_nothing_kept(store_file: Path) -> None:
    page = with_reviewed()
    assert "No scan loaded" in page.info[0].value
    assert not page.toggle[0].value and not store_file.exists()
    assert any(str(store_file) in text.value for text in page.markdown), "the place is named before"


def test_reviews_of_the_session_go_by_neutral_names(make_entry, store_file: Path) -> None:
    page = with_reviewed(
        make_entry("a.png", ("glioma", "glioma")), make_entry("b.png", ("glioma", "no_tumor"))
    )
    table = page.dataframe[0].value
    assert table["Scan"].tolist() == ["Scan 1", "Scan 2"] and table["Review"].tolist() == ["Agree", ""]
    assert "1 of 2" in page.markdown[0].value and not store_file.exists()


def test_switched_on_the_store_takes_what_was_reviewed_and_no_file_name(make_entry, store_file: Path) -> None:
    page = switch_on(with_reviewed(make_entry("Jane Doe.png", ("glioma", "glioma"))))
    (case,) = CaseStore.open(store_file).cases()
    assert (case.name, case.review.note, case.label) == ("Scan 1", "clear", "glioma")
    assert b"Jane" not in store_file.read_bytes()
    assert page.toggle[0].value
    other = switch_on(with_reviewed())  # another session
    assert len(other.data_editor) == 1
    page.toggle[0].set_value(False)
    page = again(page)
    assert len(CaseStore.open(store_file).cases()) == 1, (
        "off means that nothing more is kept, not that it is deleted"
    )


def test_all_cases_are_deleted_after_a_question(make_entry, store_file: Path) -> None:
    page = switch_on(with_reviewed(make_entry("a.png", ("glioma", "glioma"))))
    next(button for button in page.button if button.label == "Yes, delete all").click()
    page = again(page)
    assert CaseStore.open(store_file).cases() == []
    assert any("The case store is empty" in info.value for info in page.info)


def test_a_file_that_is_no_store_is_told_in_a_sentence(make_entry, store_file: Path) -> None:
    store_file.write_text("not a database" * 100)
    page = switch_on(with_reviewed(make_entry("a.png", ("glioma", "glioma"))))
    assert str(store_file) in page.error[0].value
    assert store_file.read_text().startswith("not a database")


def test_where_people_log_in_no_store_is_offered(store_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from utils.app import access

    monkeypatch.setattr(access, "login_required", lambda: True)
    monkeypatch.setattr(access, "need_login", lambda: None)
    page = with_reviewed()
    assert not page.toggle and any("login is required" in caption.value for caption in page.caption)
