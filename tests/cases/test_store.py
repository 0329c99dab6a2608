"""The case store: what it keeps and forgets, whom it refuses, and that a crash leaves the old case or the new one."""

from __future__ import annotations

import csv
import io
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from utils.cases import store as case_store
from utils.cases.reviews import Review, ReviewError
from utils.cases.store import Answer, Case, CaseStore, CaseStoreError, answers_of, default_path, export_csv
from utils.classes import CLASSES

REPOSITORY = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="rights and signals as on POSIX")
AGREE = Review("agree", time="2026-01-02T03:04:05Z")
# Saves one case in a loop, all its words in turn "a" and "b", and so long that a write takes a while.
WRITER = """
import sys
from pathlib import Path
from utils.cases.store import Answer, CaseStore
from utils.cases.reviews import Review
store = CaseStore.open(Path(sys.argv[1]))
while True:
    for letter in "ab":
        answer = Answer("cnn", 3_000_000 * letter, letter, {letter: 1.0})
        store.save(64 * "0", "Scan 1", Review("unsure", None, 1000 * letter), [answer])
        print(letter, flush=True)
"""
# Is ended by the kernel as soon as the store's file has grown by half of what is to be written.
STOPPED_WRITER = """
import resource, signal, sys
from pathlib import Path
from utils.cases.store import Answer, CaseStore
from utils.cases.reviews import Review
store = CaseStore.open(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
store.save(64 * "0", "Scan 1", Review("unsure"), [Answer("cnn", 1_000_000 * "a", "glioma", {})])
"""


def sha(number: int) -> str:
    return f"{number:064x}"


def said(*labels: str) -> list[Answer]:
    return [
        Answer(network, version * 64, label, {name: float(name == label) for name in CLASSES})
        for network, version, label in zip(("cnn", "vgg16"), "ab", labels, strict=True)
    ]


SAME = said("glioma", "glioma")


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore.open(tmp_path / "new" / "cases.sqlite3", create=True)


def refusal(act: Callable[[], object], path: Path) -> str:
    """The sentence in which the store refuses; it names the file."""
    with pytest.raises(CaseStoreError) as error:
        act()
    sentence = str(error.value)
    assert str(path) in sentence and sentence.endswith(".") and "\n" not in sentence
    return sentence


# what is kept


def test_a_case_comes_back_as_it_was_saved(store: CaseStore) -> None:
    review = Review("disagree", "pituitary", "sella\nsee 'T1'; DROP TABLE cases", "2026-01-02T03:04:05Z")
    store.save(sha(1), "Scan 1", review, said("glioma", "no_tumor"))
    expected = Case(sha(1), "Scan 1", review, tuple(said("glioma", "no_tumor")), review.time)
    assert CaseStore.open(store.path).cases() == [expected]
    assert expected.said == ("glioma", "no_tumor") and expected.label == "pituitary"


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
    assert store.cases() == [Case(sha(1), "left temporal", second, tuple(SAME), AGREE.time)]


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
        store.save(sha(1), "Scan 1", AGREE, said("glioma", "pituitary"))
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
    class Said:
        """Of a Reading what is asked for here; the real one would need Keras."""

        network, version, label, classes = "cnn", "a" * 64, "glioma", CLASSES

        def probability(self, label: str) -> float:
            return 1 / 3 if label != "no_tumor" else 0.0

    third = 0.333333
    probabilities = {"glioma": third, "meningioma": third, "no_tumor": 0.0, "pituitary": third}
    assert answers_of([Said()]) == (Answer("cnn", "a" * 64, "glioma", probabilities),)  # type: ignore[list-item]


# the file


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
        assert "put a copy in its place" in refusal(lambda: CaseStore.open(store.path), store.path)


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


# schema versions


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
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
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


# several at once


def test_threads_may_open_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "cases.sqlite3"
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(3):
                store = CaseStore.open(path, create=True)
                store.save(sha(10 * number + step), f"Scan {number}", AGREE, SAME)
                store.save(sha(99), "shared", AGREE, SAME)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(CaseStore.open(path).cases()) == 4 * 3 + 1


def test_a_store_that_is_busy_for_too_long_says_so(store: CaseStore, monkeypatch) -> None:
    monkeypatch.setattr(case_store, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "in use by another program" in refusal(lambda: store.delete(sha(1)), store.path)


@posix
def test_a_process_killed_while_it_writes_leaves_the_old_case_or_the_new_one(store: CaseStore) -> None:
    for attempt in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(1 + attempt):
            writer.stdout.readline()
        time.sleep(0.003 * attempt)  # another moment of the write each time
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        (case,) = CaseStore.open(store.path).cases()
        letter = case.review.note[0]
        assert case.review.note == 1000 * letter
        assert case.answers == (Answer("cnn", 3_000_000 * letter, letter, {letter: 1.0}),)


@posix
def test_a_process_stopped_half_way_through_the_file_leaves_the_old_case(store: CaseStore) -> None:
    store.save(sha(0), "Scan 1", AGREE, SAME)
    before = store.cases()
    writer = subprocess.run([sys.executable, "-c", STOPPED_WRITER, str(store.path)], cwd=REPOSITORY)
    assert writer.returncode == -signal.SIGXFSZ
    assert 100_000 < store.path.stat().st_size <= 500_000  # it was half way
    assert CaseStore.open(store.path).cases() == before


# the table


def test_table_has_what_each_network_said_in_columns_of_its_own(store: CaseStore) -> None:
    store.save(sha(1), "Scan 1", Review("disagree", "no_tumor", 'a, "b"\nc', AGREE.time), SAME)
    store.save(sha(2), "Scan 2", Review("unsure", time=AGREE.time), SAME[:1])
    first, second = csv.DictReader(io.StringIO(export_csv(store.cases()), newline=""))
    columns = ["name", "sha256", "verdict", "right_class", "label", "note", "created", "changed"]
    columns += [
        f"{network}_{what}" for network in ("cnn", "vgg16") for what in ("version", "label", *CLASSES)
    ]
    assert list(first) == columns
    assert [first[column] for column in columns[:8]] == [
        "Scan 1", sha(1), "disagree", "no_tumor", "no_tumor", "a, \"b\"\nc", AGREE.time, AGREE.time,
    ]  # fmt: skip
    assert (first["vgg16_version"], first["vgg16_label"], first["vgg16_glioma"]) == (
        "b" * 64,
        "glioma",
        "1.0",
    )
    assert (second["right_class"], second["label"], second["vgg16_label"]) == ("", "", "")
    assert export_csv([]).splitlines() == [",".join(columns[:8])]


@pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_begins_like_a_formula(beginning: str) -> None:
    evil = f"{beginning}HYPERLINK(1)"
    answer = Answer(evil, evil, "glioma", {"glioma": 1.0})
    case = Case(sha(1), evil, Review("agree", note=evil, time=evil), (answer,), evil)
    for row in csv.reader(io.StringIO(export_csv([case]), newline="")):
        for cell in row:
            assert not cell.startswith(beginning)
