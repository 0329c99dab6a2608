"""The PACS page: absent without configuration; searches, lists and loads; shows no address and no password."""

from __future__ import annotations

from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.steps import ROOT, again
from tests.support.mr_series import Drawn, series
from utils.app import access
from utils.dicomweb import archive as dicomweb
from utils.dicomweb.archive import SeriesEntry, StudyEntry, StudyQuery
from utils.dicomweb.errors import ArchiveError

SECRETS = {"url": "http://pacs.example/dicom-web", "user": "reader", "password": "open sesame"}
STUDIES = [
    StudyEntry("1.2.3", "P-1", "A-1", "20240102", "Head"),
    StudyEntry("1.2.4", "P-1", "", "20230102", ""),
]


class FakeArchive:
    """An archive with two studies; `failure` is what it answers instead."""

    queries: list[StudyQuery]
    found: list[StudyEntry]
    failure: str

    def __init__(self, url: str, user: str = "", password: str = "") -> None:
        assert (url, user, password) == tuple(SECRETS.values())

    def studies(self, query: StudyQuery) -> list[StudyEntry]:
        if self.failure:
            raise ArchiveError(self.failure)
        self.queries.append(query)
        return self.found

    def series(self, study: str) -> list[SeriesEntry]:
        return [SeriesEntry(f"{study}.1", "3", "T1", 3)] if study == "1.2.3" else []

    def files(self, study: str, name: str) -> list[bytes]:
        assert (study, name) == ("1.2.3", "1.2.3.1")
        return [data for _, data in series(Drawn(slices=3))]


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> type[FakeArchive]:
    FakeArchive.queries, FakeArchive.found, FakeArchive.failure = [], STUDIES, ""
    monkeypatch.setattr(dicomweb, "Archive", FakeArchive)
    return FakeArchive


@pytest.fixture
def page(tiny_app, archive) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "pacs.py"), default_timeout=120)
    page.secrets["pacs"] = SECRETS
    return again(page)


def search(page: AppTest, patient: str = "", accession: str = "", days: tuple[date, ...] = ()) -> AppTest:
    page.text_input[0].set_value(patient)
    page.text_input[1].set_value(accession)
    page.date_input[0].set_value(days)
    page.button[0].click()
    return again(page)


def shown(page: AppTest) -> str:
    """All that the browser was sent."""
    return " ".join(str(element) for element in page.main)


def test_search_lists_studies_and_their_series(page: AppTest, archive: type[FakeArchive]) -> None:
    assert not page.dataframe and not archive.queries
    page = search(page, " P-1 ", "A-1", (date(2024, 1, 1), date(2024, 1, 31)))
    assert archive.queries == [StudyQuery("P-1", "A-1", "20240101-20240131")]
    studies, series = page.dataframe
    assert studies.value.values.tolist() == [
        ["2024-01-02", "Head", "P-1", "A-1"],
        ["2023-01-02", "", "P-1", ""],
    ]
    assert series.value.values.tolist() == [["3", "T1", "3", ""]]
    page.session_state[studies.key or ""] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    page = again(page)
    assert "no MR series" in page.info[0].value and len(archive.queries) == 1
    for secret in SECRETS.values():
        assert secret not in shown(page)


def test_series_is_loaded_under_a_neutral_name(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    import streamlit as st

    opened: list[str] = []
    monkeypatch.setattr(st, "switch_page", opened.append)
    page = search(page, "P-1")
    page.button[1].click()
    page = again(page)
    (entry,) = page.session_state["worklist"].values()
    assert entry.name.startswith("PACS 1 (1) and 2 more") and entry.is_accepted
    assert opened == ["pages/read.py"] and "headers" not in page.session_state
    page = again(page)
    assert page.dataframe[1].value["Loaded as"].tolist() == ["PACS 1"]


def test_headers_are_kept_for_dicom_results_after_the_choice(
    page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    import streamlit as st

    monkeypatch.setattr(st, "switch_page", lambda _: None)
    page = search(page, "P-1")
    page.toggle[0].set_value(True)
    page = again(page)
    page.button[1].click()
    page = again(page)
    assert len(page.session_state["headers"]) == 3


def test_search_needs_something_to_search_for(page: AppTest, archive: type[FakeArchive]) -> None:
    page = search(page)
    assert "Enter a patient ID" in page.warning[0].value and not archive.queries


def test_nothing_found_and_archive_that_fails(page: AppTest, archive: type[FakeArchive]) -> None:
    archive.found = []
    page = search(page, "P-9")
    assert "No MR study matches" in page.info[0].value
    archive.failure = "The archive does not answer."
    page = search(page, "P-9")
    assert page.error[0].value == "The archive does not answer." and not page.info


def test_open_network_needs_a_login(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "is_open_to_network", lambda: True)
    page = again(page)
    assert "needs a login" in page.error[0].value and not page.text_input


@pytest.mark.parametrize("secrets", [{}, {"url": "nonsense"}, "text"])
def test_configuration_that_cannot_work_is_named(tiny_app, secrets: object) -> None:
    page = AppTest.from_file(str(ROOT / "pages" / "pacs.py"), default_timeout=120)
    page.secrets["pacs"] = secrets
    page = again(page)
    assert "[pacs]" in page.error[0].value and not page.text_input
