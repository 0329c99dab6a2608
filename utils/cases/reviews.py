"""What a person says about a scan after the networks did, and what the scan is called. No Streamlit, no Keras."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from utils.classes import CLASSES
from utils.wording import CLASS_TITLES

VERDICTS = ("agree", "disagree", "unsure")
LONGEST_NOTE = 1000  # characters
LONGEST_NAME = 60
NOTE_LABEL = "Note (no names, dates or numbers that tell who the patient is)"
NAME_LABEL = "Name of the scan (nothing that tells who the patient is)"


class ReviewError(ValueError):
    """A review or a name that cannot be kept. Its text says what to do."""


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Review:
    """What a person said about one scan. `check_review` tells whether it fits what the networks said.

    `right_class` is one of CLASSES where the verdict is "disagree", else None. `time` is as `now` gives it.
    `note` is free text: nothing here can know a patient's name when it sees one, so the field where it is typed must
    carry NOTE_LABEL.
    """

    verdict: str
    right_class: str | None = None
    note: str = ""
    time: str = field(default_factory=now)


def verdicts_for(said: Collection[str]) -> tuple[str, ...]:
    """The verdicts that can be given where the networks said these classes (one each, none if they were not asked).

    Only what all of them say can be agreed with. Where they differ, a person disagrees with one at least, and says
    which class is right.
    """
    return VERDICTS if _said_by_all(said) else VERDICTS[1:]


def right_classes_for(said: Collection[str]) -> tuple[str, ...]:
    """The classes that can be right where a person disagrees: all but the one that every network said."""
    return tuple(name for name in CLASSES if name != _said_by_all(said))


def check_review(review: Review, said: Collection[str]) -> None:
    """Raises ReviewError where a review does not fit what the networks said, or its note is too long."""
    if review.verdict not in VERDICTS:
        raise ReviewError(f"There is no verdict {review.verdict}; choose one of {', '.join(VERDICTS)}.")
    if review.verdict not in verdicts_for(said):
        raise ReviewError(
            "The networks do not agree with each other; say which class is right, or that you are unsure."
        )
    if review.verdict == "disagree":
        if review.right_class not in right_classes_for(said):
            choices = ", ".join(CLASS_TITLES[name] for name in right_classes_for(said))
            raise ReviewError(f"Say which class is right: {choices}.")
    elif review.right_class is not None:
        raise ReviewError("A right class is said only by who disagrees.")
    if len(review.note) > LONGEST_NOTE:
        raise ReviewError(f"The note has {len(review.note)} characters; at most {LONGEST_NOTE} are kept.")


def label_of(review: Review, said: Collection[str]) -> str | None:
    """The class that a scan has for training after its review; None where the person was unsure.

    Raises ReviewError where the review does not fit what the networks said.
    """
    check_review(review, said)
    return _said_by_all(said) if review.verdict == "agree" else review.right_class


def checked_name(name: str) -> str:
    """A scan's name as it is kept, on one line. Raises ReviewError where it is empty or too long."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ReviewError(f"The name of a scan has 1 to {LONGEST_NAME} characters; this one has {len(name)}.")
    return name


class NeutralNames:
    """What the scans of one session are called: "Scan 1", "Scan 2", ... in order of arrival, until renamed.

    Keep one for the whole session, also when the worklist is emptied: no number is given twice, and the same file is
    called the same again. `key` is whatever tells files apart (the SHA-256 of the bytes, in the case store).
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._last = 0

    def of(self, key: str) -> str:
        """The name of a scan; one that has none yet gets the next."""
        if key not in self._names:
            self._last += 1
            self._names[key] = f"Scan {self._last}"
        return self._names[key]

    def rename(self, key: str, name: str) -> None:
        """Raises ReviewError where the name cannot be kept."""
        self.learn({key: checked_name(name)})

    def learn(self, names: Mapping[str, str]) -> None:
        """Take over names (key -> name) given earlier, those of the case store; new numbers come after theirs."""
        self._names |= names
        numbers = [int(found[1]) for name in names.values() if (found := re.fullmatch(r"Scan (\d+)", name))]
        self._last = max([self._last, *numbers])


def _said_by_all(said: Collection[str]) -> str | None:
    """The class that every network said; None where they differ or none was asked."""
    return next((name for name in CLASSES if set(said) == {name}), None)
