"""The case store: reviews in one SQLite file, for users who switch it on. No Streamlit, no Keras.

For each scan it holds the SHA-256 of the file, the neutral name, the review and the predictions. It holds no pixels,
no file name and nothing else from the file.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.cases.reviews import Review, check_review, checked_name, label_of
from utils.cases.schema import APPLICATION_ID, MIGRATIONS
from utils.paths import user_folder

if TYPE_CHECKING:
    from utils.reading.reader import Reading

BUSY_SECONDS = 10.0  # longest wait for another thread or process that uses the file

_creating = threading.Lock()


class CaseStoreError(RuntimeError):
    """A case store that cannot be used. Its text names the file and the remedy."""


@dataclass(frozen=True)
class Answer:
    """The prediction of one network. version: SHA-256 of its weights; probabilities: class -> 0..1, calibrated."""

    network: str
    version: str
    label: str
    probabilities: Mapping[str, float]


@dataclass(frozen=True)
class Case:
    """One scan in the store. sha256: of the bytes of its file; created: time of the first review.

    earlier: the reviews that this one replaced, the first one first; corrections within an hour are not among them.
    """

    sha256: str
    name: str
    review: Review
    answers: tuple[Answer, ...]
    created: str
    earlier: tuple[Review, ...] = ()

    @property
    def predicted(self) -> tuple[str, ...]:
        """The class that each network predicted."""
        return tuple(answer.label for answer in self.answers)

    @property
    def label(self) -> str | None:
        """The label of the scan, one of LABEL_TITLES; None where the reviewer does not know it."""
        return label_of(self.review, self.predicted)


def answers_of(readings: Sequence[Reading]) -> tuple[Answer, ...]:
    """The readings of one scan as the store holds them."""
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
    """$BRAIN_MRI_CASES, else a file in the operating system's folder for application data (Linux: XDG)."""
    configured = os.environ.get("BRAIN_MRI_CASES")
    if configured:
        return Path(configured).expanduser()
    return user_folder("data") / "cases.sqlite3"


class CaseStore:
    """The cases in one file. Threads may share the object, processes the file. Any method may raise CaseStoreError.

    Each method opens its own connection and runs one statement, so that a killed process leaves a case either as it was
    or as it was meant to be. Deleted content is overwritten in the file; old blocks on the disk are out of reach.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path, create: bool = False) -> CaseStore:
        """Open a store, migrate it to the current schema and check it. Without `create` the file must exist."""
        store = cls(path)
        try:
            if create:
                _create(path)
            if not path.exists():
                raise CaseStoreError(
                    f"There is no case store {path}; switch it on in the app, or set $BRAIN_MRI_CASES to another file."
                )
            with store._connection() as connection:
                if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                    raise CaseStoreError(_damaged(path))
                _migrate(connection)
            if os.name == "posix" and path.stat().st_mode & 0o077:
                path.chmod(0o600)  # readable for its owner only, also after it was copied here
        except OSError as error:
            raise CaseStoreError(
                f"The case store {path} cannot be opened ({error.strerror}); set $BRAIN_MRI_CASES to another file."
            ) from error
        return store

    def save(self, sha256: str, name: str, review: Review, answers: Collection[Answer]) -> None:
        """Store the review of a scan. It replaces an earlier review of the same file, whose name stays.

        A review that is more than an hour old moves to the case's history.

        Raises ReviewError where the name cannot be stored or the review does not fit the answers.
        """
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            raise ValueError("A case is identified by the SHA-256 of its file, 64 hexadecimal digits.")
        check_review(review, [answer.label for answer in answers])
        answers_json = json.dumps([asdict(answer) for answer in answers])
        row = (sha256, checked_name(name), review.verdict, review.right_class, review.note, answers_json)
        with self._connection() as connection:
            connection.execute(
                """
                INSERT INTO cases (sha256, name, verdict, right_class, note, answers, created, changed, reviewer)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (sha256) DO UPDATE SET
                    verdict = excluded.verdict, right_class = excluded.right_class, note = excluded.note,
                    answers = excluded.answers, changed = excluded.changed, reviewer = excluded.reviewer
                """,
                (*row, review.time, review.time, review.reviewer),
            )

    def rename(self, sha256: str, name: str) -> None:
        """Raises ReviewError where the name cannot be stored. Does nothing where there is no such case."""
        with self._connection() as connection:
            connection.execute("UPDATE cases SET name = ? WHERE sha256 = ?", (checked_name(name), sha256))

    def delete(self, sha256: str) -> None:
        with self._connection() as connection:
            connection.execute("DELETE FROM cases WHERE sha256 = ?", (sha256,))

    def delete_all(self) -> None:
        with self._connection() as connection:
            connection.execute("DELETE FROM cases")

    def cases(self) -> list[Case]:
        """All cases, in the order of their first review."""
        with self._connection() as connection:
            rows = connection.execute(
                "SELECT sha256, name, verdict, right_class, note, answers, created, changed, reviewer FROM cases "
                "ORDER BY rowid"
            ).fetchall()
            history: dict[str, list[Review]] = {}
            for sha256, *review in connection.execute(
                "SELECT sha256, verdict, right_class, note, changed, reviewer FROM earlier_reviews ORDER BY rowid"
            ):
                history.setdefault(sha256, []).append(Review(*review))
        try:
            return [_case(*row, earlier=tuple(history.get(row[0], ()))) for row in rows]
        except (ValueError, TypeError):  # a row that was not written by this app
            raise CaseStoreError(_damaged(self.path)) from None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        address = f"{self.path.absolute().as_uri()}?mode=rw"  # does not create a file that was removed
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


def _case(
    sha256: str,
    name: str,
    verdict: str,
    right_class: str,
    note: str,
    answers_json: str,
    *facts: str,
    earlier: tuple[Review, ...],
) -> Case:
    created, changed, reviewer = facts
    answers = tuple(Answer(**answer) for answer in json.loads(answers_json))
    review = Review(verdict, right_class, note, changed, reviewer)
    case = Case(sha256, name, review, answers, created, earlier)
    check_review(case.review, case.predicted)
    return case


def _create(path: Path) -> None:
    """Create an empty file with access for its owner only, and its folder, where they do not exist."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (
        _creating,
        suppress(FileExistsError),
    ):  # the lock: closing a file ends SQLite's locks on it in all threads
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _check_ours(connection: sqlite3.Connection, path: Path) -> None:
    # In this order, a process that is creating the store is seen either not at all or after it has marked the file.
    empty = connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    if not empty and connection.execute("PRAGMA application_id").fetchone() != (APPLICATION_ID,):
        raise CaseStoreError(
            f"{path} is a database of another program; set $BRAIN_MRI_CASES to another file."
        )
    version = _schema_version(connection)
    if version > len(MIGRATIONS):
        raise CaseStoreError(
            f"The case store {path} was written by a newer version of this app (schema {version}, supported up to "
            f"{len(MIGRATIONS)}); update the app, or set $BRAIN_MRI_CASES to another file."
        )


def _migrate(connection: sqlite3.Connection) -> None:
    while _schema_version(connection) < len(MIGRATIONS):
        connection.execute("BEGIN IMMEDIATE")
        version = _schema_version(connection)  # again: another process may have been faster
        for script in MIGRATIONS[version : version + 1]:
            for statement in script:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")


def _schema_version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _sentence(path: Path, error: sqlite3.Error) -> str:
    kind = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT")  # no name: text in the file that is not UTF-8
    if kind.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
        return _damaged(path)
    if kind.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return f"The case store {path} is in use by another program; try again."
    return f"The case store {path} cannot be used ({error}); check the disk and the permissions of the file."


def _damaged(path: Path) -> str:
    return (
        f"The case store {path} is damaged or not a case store; move the file away and switch the store on again, or "
        "restore a backup."
    )
