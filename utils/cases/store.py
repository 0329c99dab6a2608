"""The case store: reviews kept in one SQLite file, where a person has switched that on. No Streamlit, no Keras.

Of a scan it holds the SHA-256 of its file, its neutral name, the review and what the networks said: no pixels, no file
name, nothing else that stands in the file.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sqlite3
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.cases.reviews import Review, check_review, checked_name, label_of
from utils.classes import CLASSES

if TYPE_CHECKING:
    from utils.reading.reader import Reading

BUSY_SECONDS = 10.0  # how long a use waits for that of another thread or process
APPLICATION_ID = int.from_bytes(b"BMRC")  # tells the file from other programs' databases
# One tuple of statements a schema version, each run in one transaction. What stands here is never changed: stores that
# were made with it exist. Add the next one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        """
        CREATE TABLE cases (
            sha256 TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            verdict TEXT NOT NULL,
            right_class TEXT,
            note TEXT NOT NULL,
            answers TEXT NOT NULL, -- JSON: a list of Answers
            created TEXT NOT NULL, -- time of the first review
            changed TEXT NOT NULL -- time of this review
        )
        """,
    ),
)
FORMULA_BEGINNINGS = ("=", "+", "-", "@", "\t", "\r", "\n")  # OWASP, "CSV Injection"

_creating = threading.Lock()


class CaseStoreError(RuntimeError):
    """A case store that cannot be used. Its text names the file and says what to do."""


@dataclass(frozen=True)
class Answer:
    """What one network said: `version` is the SHA-256 of its weights; `probabilities` (class -> 0..1), calibrated."""

    network: str
    version: str
    label: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Case:
    """One scan as the store holds it: `sha256` of its file's bytes, `created` the time of the first review."""

    sha256: str
    name: str
    review: Review
    answers: tuple[Answer, ...]
    created: str

    @property
    def said(self) -> tuple[str, ...]:
        """The class that each network said."""
        return tuple(answer.label for answer in self.answers)

    @property
    def label(self) -> str | None:
        """The class that the scan has for training, None where the person was unsure."""
        return label_of(self.review, self.said)


def answers_of(readings: Sequence[Reading]) -> tuple[Answer, ...]:
    """What is kept of the readings of one scan."""
    return tuple(
        Answer(
            reading.network,
            reading.version,
            reading.label,
            {name: round(reading.probability(name), 6) for name in reading.classes},
        )
        for reading in readings
    )


def default_path() -> Path:
    """$BRAIN_MRI_CASES, else a file in the place that the operating system has for programs' data (Linux: XDG)."""
    named = os.environ.get("BRAIN_MRI_CASES")
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Application Support"
    else:
        folder = Path(os.environ.get("XDG_DATA_HOME", ""))
        if not folder.is_absolute():  # the XDG specification: such a value is passed over
            folder = Path.home() / ".local" / "share"
    return folder / "brain-mri-reader" / "cases.sqlite3"


class CaseStore:
    """The cases of one file. Threads may share it, and processes the file. Every method may raise CaseStoreError.

    Each use has a connection of its own and is one statement, so that a process that is killed leaves a case as it was
    or as it was to be. What is deleted is overwritten in the file; what a disk keeps of old blocks is beyond us.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path, create: bool = False) -> CaseStore:
        """The store of a file, brought to this schema and found undamaged; without `create` it must be there."""
        store = cls(path)
        try:
            if create:
                _create(path)
            if not path.exists():
                raise CaseStoreError(
                    f"There is no case store {path}; switch it on in the app, or name another in $BRAIN_MRI_CASES."
                )
            with store._connection() as connection:
                if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                    raise CaseStoreError(_damaged(path))
                _migrate(connection)
            if os.name == "posix" and path.stat().st_mode & 0o077:
                path.chmod(0o600)  # it is ours: for its owner alone, also where it was copied here
        except OSError as error:
            raise CaseStoreError(
                f"The case store {path} cannot be made ready ({error.strerror}); name another in $BRAIN_MRI_CASES."
            ) from error
        return store

    def save(self, sha256: str, name: str, review: Review, answers: Collection[Answer]) -> None:
        """Keep the review of a scan, in place of an earlier one of the same file; the name of that one stays.

        Raises ReviewError where the name cannot be kept or the review does not fit the answers.
        """
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ValueError("A case goes by the SHA-256 of its file, in 64 hexadecimal digits.")
        check_review(review, [answer.label for answer in answers])
        said = json.dumps([asdict(answer) for answer in answers])
        row = (sha256, checked_name(name), review.verdict, review.right_class, review.note, said)
        with self._connection() as connection:
            connection.execute(
                """
                INSERT INTO cases (sha256, name, verdict, right_class, note, answers, created, changed)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (sha256) DO UPDATE SET
                    verdict = excluded.verdict, right_class = excluded.right_class, note = excluded.note,
                    answers = excluded.answers, changed = excluded.changed
                """,
                (*row, review.time, review.time),
            )

    def rename(self, sha256: str, name: str) -> None:
        """Raises ReviewError where the name cannot be kept. Nothing happens where the case is not there."""
        with self._connection() as connection:
            connection.execute("UPDATE cases SET name = ? WHERE sha256 = ?", (checked_name(name), sha256))

    def delete(self, sha256: str) -> None:
        with self._connection() as connection:
            connection.execute("DELETE FROM cases WHERE sha256 = ?", (sha256,))

    def delete_all(self) -> None:
        with self._connection() as connection:
            connection.execute("DELETE FROM cases")

    def cases(self) -> list[Case]:
        """All cases, in the order in which they were first reviewed."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT sha256, name, verdict, right_class, note, answers, created, changed FROM cases ORDER BY rowid"
            ).fetchall()
        try:
            return [_case(*row) for row in rows]
        except (ValueError, TypeError):  # a row that this app did not write
            raise CaseStoreError(_damaged(self.path)) from None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        address = f"{self.path.absolute().as_uri()}?mode=rw"  # a file that has gone is not made anew
        try:
            with closing(
                sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
            ) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA secure_delete = ON")
                _check_ours(connection, self.path)
                yield connection
        except sqlite3.Error as error:
            raise CaseStoreError(_sentence(self.path, error)) from error


def export_csv(cases: Sequence[Case]) -> str:
    """The cases as a CSV table, with what each network said in columns of its own.

    A cell that a spreadsheet would take for a formula begins with an apostrophe.
    """
    networks = dict.fromkeys(answer.network for case in cases for answer in case.answers)
    columns = ["name", "sha256", "verdict", "right_class", "label", "note", "created", "changed"]
    columns += [f"{network}_{what}" for network in networks for what in ("version", "label", *CLASSES)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writerow({column: _cell(column) for column in columns})
    for case in cases:
        row = asdict(case) | asdict(case.review) | {"label": case.label, "changed": case.review.time}
        for answer in case.answers:
            said = {"version": answer.version, "label": answer.label, **answer.probabilities}
            row |= {f"{answer.network}_{what}": value for what, value in said.items()}
        writer.writerow({column: _cell(row[column]) for column in columns if row.get(column) is not None})
    return text.getvalue()


def _cell(value: object) -> str:
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text


def _case(sha256: str, name: str, verdict: str, right_class: str, note: str, said: str, *times: str) -> Case:
    created, changed = times
    answers = tuple(Answer(**answer) for answer in json.loads(said))
    case = Case(sha256, name, Review(verdict, right_class, note, changed), answers, created)
    check_review(case.review, case.said)
    return case


def _create(path: Path) -> None:
    """Make an empty file for its owner alone, and its folder; nothing where they are there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        _creating,
        suppress(FileExistsError),
    ):  # the lock: closing a file ends SQLite's locks on it in all threads
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    # In this order another process that is just making the store is either not seen at all or seen to have marked it.
    empty = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    if not empty and connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise CaseStoreError(f"{path} is a database of another program; name another in $BRAIN_MRI_CASES.")
    version = _schema_version(connection)
    if version > len(MIGRATIONS):
        raise CaseStoreError(
            f"The case store {path} was written by a newer version of this app (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); update the app, or name another store in $BRAIN_MRI_CASES."
        )


def _migrate(connection: sqlite3.Connection) -> None:
    while _schema_version(connection) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        version = _schema_version(connection)  # again: another process may have been quicker
        for script in MIGRATIONS[version : version + 1]:
            for statement in script:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")


def _schema_version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _sentence(path: Path, error: sqlite3.Error) -> str:
    kind = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT")  # no name: text in the file that is no UTF-8
    if kind.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return _damaged(path)
    if kind.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"The case store {path} is in use by another program; try again in a moment."
    return f"The case store {path} cannot be used ({error}); check the disk and who may write to the file."


def _damaged(path: Path) -> str:
    return (
        f"The case store {path} is damaged or no case store; move the file away and switch the store on again, or put "
        "a copy in its place."
    )
