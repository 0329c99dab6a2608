"""The file of the case store: where it is, who may read it, damaged and foreign files, schema versions."""

from __future__ import annotations

import sqlite3
import stat
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cases.examples import AGREE, SAME, posix, refusal, sha
from utils.cases import store as case_store
from utils.cases.reviews import Review
from utils.cases.store import CaseStore, default_path


@pytest.mark.parametrize(
    ("platform", "environment", "below"),
    [
        ("linux", {}, ".local/share"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data"),
        ("linux", {"XDG_DATA_HOME": "relative"}, ".local/share"),
        ("darwin", {}, "Library/Application Support"),
        ("win32", {}, "AppData/Local"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local"),
    ],
)
def test_default_path(monkeypatch, tmp_path: Path, platform, environment, below) -> None:
    for name in ("BRAIN_MRI_CASES", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", platform)
    assert default_path() == tmp_path / below / "brain-mri-reader" / "cases.sqlite3"
    monkeypatch.setenv("BRAIN_MRI_CASES", "~/mine.sqlite3")
    assert default_path() == tmp_path / "mine.sqlite3"
    assert not list(tmp_path.iterdir())


def test_nothing_is_made_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cases.sqlite3"
    assert "switch it on" in refusal(lambda: CaseStore.open(path), path)
    assert not path.parent.exists()


def test_a_store_that_has_gone_is_not_made_anew(store: CaseStore) -> None:
    store.path.unlink()
    refusal(lambda: store.save(sha(1), "Scan 1", AGREE, SAME), store.path)
    assert not store.path.exists()


@posix
def test_the_file_is_for_its_owner_alone(store: CaseStore) -> None:
    def rights(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert rights(store.path) == 0o600 and rights(store.path.parent) == 0o700
    store.path.chmod(0o644)
    CaseStore.open(store.path)
    assert rights(store.path) == 0o600


@pytest.mark.parametrize(
    "data", [b"This is no database, but a text. " * 50, b"SQLite format 3\0" + bytes(4080)]
)
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "what? #1.txt"
    path.write_bytes(data)
    before = path.stat().st_mode
    assert "move the file away" in refusal(lambda: CaseStore.open(path, create=True), path)
    assert path.read_bytes() == data and path.stat().st_mode == before


def test_a_damaged_store_is_refused(store: CaseStore) -> None:
    for number in range(20):
        store.save(sha(number), f"Scan {number}", Review("unsure", note="a" * 900), SAME)
    data = bytearray(store.path.read_bytes())
    for broken in (data[: len(data) // 2], data[:8192] + bytes(4096) + data[12288:]):
        store.path.write_bytes(broken)
        assert "restore a backup" in refusal(lambda: CaseStore.open(store.path), store.path)


@pytest.mark.parametrize(
    "change",
    ["answers = 'no JSON'", "answers = '[{}]'", "answers = 7", "verdict = 'x'", "note = CAST(x'ff' AS TEXT)"],
)
def test_a_row_of_another_hand_is_refused(store: CaseStore, change: str) -> None:
    store.save(sha(1), "Scan 1", AGREE, SAME)
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute(f"UPDATE cases SET {change}")
    assert "is damaged" in refusal(store.cases, store.path)


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE cases (other)")
    data = path.read_bytes()
    assert "another program" in refusal(lambda: CaseStore.open(path, create=True), path)
    assert path.read_bytes() == data


@pytest.mark.parametrize("place", ["folder", "file/cases.sqlite3"])
def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    before = (tmp_path / "folder").stat().st_mode
    refusal(lambda: CaseStore.open(tmp_path / place, create=True), tmp_path / place)
    assert (tmp_path / "folder").stat().st_mode == before


def test_a_store_of_a_newer_version_is_refused_also_while_it_is_open(store: CaseStore) -> None:
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    for act in (lambda: CaseStore.open(store.path), store.cases, store.delete_all):
        assert "newer version" in refusal(act, store.path) and "99" in refusal(act, store.path)


def test_an_older_store_is_migrated_and_keeps_its_cases(store: CaseStore, monkeypatch) -> None:
    store.save(sha(1), "Scan 1", AGREE, SAME)
    more = (("ALTER TABLE cases ADD COLUMN one TEXT",), ("ALTER TABLE cases ADD COLUMN two TEXT",))
    monkeypatch.setattr(case_store, "MIGRATIONS", case_store.MIGRATIONS + more)
    assert [case.name for case in CaseStore.open(store.path).cases()] == ["Scan 1"]
    CaseStore.open(store.path).save(sha(2), "Scan 2", AGREE, SAME)
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (4,)
        assert connection.execute("SELECT one, two FROM cases").fetchall() == 2 * [(None, None)]


def test_a_migration_that_fails_leaves_the_store_as_it_was(store: CaseStore, monkeypatch) -> None:
    store.save(sha(1), "Scan 1", AGREE, SAME)
    before = store.path.read_bytes()
    failing = (("DELETE FROM cases", "CREATE TABLE other (a)", "INSERT INTO missing VALUES (1)"),)
    with monkeypatch.context() as changed:
        changed.setattr(case_store, "MIGRATIONS", case_store.MIGRATIONS + failing)
        refusal(lambda: CaseStore.open(store.path), store.path)
    assert store.path.read_bytes() == before
    assert len(CaseStore.open(store.path).cases()) == 1


def test_a_migration_in_which_another_process_was_quicker_is_not_run_again(
    store: CaseStore, monkeypatch
) -> None:
    store.save(sha(1), "Scan 1", AGREE, SAME)
    read, seen_too_early = case_store._schema_version, iter([0, 0])  # when it is opened, and before the lock
    monkeypatch.setattr(
        case_store, "_schema_version", lambda connection: next(seen_too_early, read(connection))
    )
    assert len(CaseStore.open(store.path).cases()) == 1


def test_a_store_without_history_is_migrated(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "cases.sqlite3"
    with monkeypatch.context() as before:
        before.setattr(case_store, "MIGRATIONS", case_store.MIGRATIONS[:1])
        CaseStore.open(path, create=True)
        with closing(sqlite3.connect(path)) as connection, connection:
            row = (sha(1), "Scan 1", "agree", None, "old", "[]", AGREE.time, AGREE.time)
            connection.execute("INSERT INTO cases VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute("UPDATE cases SET verdict = 'unsure'")
    store = CaseStore.open(path)
    store.save(sha(1), "Scan 1", replace(AGREE, time="2026-02-02T03:04:05Z"), SAME)
    (case,) = store.cases()
    assert [review.note for review in case.earlier] == ["old"] and case.created == AGREE.time
