"""The schema of the case store, as the migrations that made it."""

from __future__ import annotations

APPLICATION_ID = int.from_bytes(b"BMRC")  # distinguishes the file from the databases of other programs
# One tuple of statements per schema version, each run in one transaction. Never change an entry, because stores made
# with it exist: append the next one.
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
    (
        "ALTER TABLE cases ADD COLUMN reviewer TEXT NOT NULL DEFAULT ''",
        """
        CREATE TABLE earlier_reviews (
            sha256 TEXT NOT NULL,
            verdict TEXT NOT NULL,
            right_class TEXT,
            note TEXT NOT NULL,
            changed TEXT NOT NULL,
            reviewer TEXT NOT NULL,
            answers TEXT NOT NULL -- JSON: the Answers that were reviewed
        )
        """,
        # Triggers, so that a review and its history change in the one statement that saves or deletes it
        """
        CREATE TRIGGER keep_earlier_review AFTER UPDATE OF changed ON cases
        WHEN julianday(new.changed) - julianday(old.changed) > 1.0 / 24 BEGIN
            INSERT INTO earlier_reviews
            VALUES (old.sha256, old.verdict, old.right_class, old.note, old.changed, old.reviewer, old.answers);
        END
        """,
        """
        CREATE TRIGGER delete_earlier_reviews AFTER DELETE ON cases BEGIN
            DELETE FROM earlier_reviews WHERE sha256 = old.sha256;
        END
        """,
    ),
)
