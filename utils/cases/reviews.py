"""A person's review of the readings of a scan, and neutral names for scans. No Streamlit, no Keras."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from utils.classes import CLASSES
from utils.wording import LABEL_TITLES, listed, titles_of

VERDICTS = ("agree", "disagree", "unsure")
LONGEST_NOTE, LONGEST_NAME, LONGEST_REVIEWER = 1000, 60, 8  # characters
NOTE_LABEL = "Comment (no patient identifiers)"
NAME_LABEL = "Scan name (no patient identifiers)"


class ReviewError(ValueError):
    """A review or a name that cannot be stored. Its text says what to do."""


def now() -> str:
    """The current time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Review:
    """A person's review of one scan. `check_review` tests whether it fits the predicted classes.

    verdict: one of VERDICTS. right_class: the correct label, one of LABEL_TITLES, where the verdict is "disagree" and
    the reviewer knows it, else None. note: a comment in free text, not searched for patient identifiers; its input
    field must carry NOTE_LABEL. time: as `now` returns it. reviewer: initials, "" where none were entered.
    """

    verdict: str
    right_class: str | None = None
    note: str = ""
    time: str = field(default_factory=now)
    reviewer: str = ""


def verdicts_for(predicted: Collection[str]) -> tuple[str, ...]:
    """The verdicts that are possible for the predicted classes (one per network, empty if there is no reading).

    "agree" is possible for concordant networks alone. Where they are discordant, a person who knows the correct label
    disagrees with at least one of them.
    """
    return VERDICTS if _concordant_class(predicted) else VERDICTS[1:]


def right_classes_for(predicted: Collection[str]) -> tuple[str, ...]:
    """The correct labels that are possible for "disagree": all but the class that all networks predicted."""
    return tuple(name for name in LABEL_TITLES if name != _concordant_class(predicted))


def check_review(review: Review, predicted: Collection[str]) -> None:
    """Raises ReviewError where a review does not fit the predicted classes, or its comment is too long."""
    if review.verdict not in VERDICTS:
        raise ReviewError(f"There is no verdict {review.verdict}; choose {listed(VERDICTS, 'or')}.")
    if review.verdict not in verdicts_for(predicted):
        raise ReviewError("The models are discordant; choose the correct label, or Unsure.")
    if review.verdict == "disagree":
        if review.right_class not in (None, *right_classes_for(predicted)):
            raise ReviewError(f"Choose the correct label: {titles_of(right_classes_for(predicted))}.")
    elif review.right_class is not None:
        raise ReviewError("A correct label is possible with the verdict Disagree only.")
    if len(review.reviewer) > LONGEST_REVIEWER:
        raise ReviewError(f"The initials of the reviewer may have at most {LONGEST_REVIEWER} characters.")
    if len(review.note) > LONGEST_NOTE:
        raise ReviewError(
            f"The comment has {len(review.note)} characters; at most {LONGEST_NOTE} can be stored."
        )


def label_of(review: Review, predicted: Collection[str]) -> str | None:
    """The label of a scan after its review, one of LABEL_TITLES; None where the reviewer does not know it.

    Raises ReviewError where the review does not fit the predicted classes.
    """
    check_review(review, predicted)
    return _concordant_class(predicted) if review.verdict == "agree" else review.right_class


def fitted(review: Review, before: Collection[str], predicted: Collection[str]) -> Review:
    """A stored review, made of the classes that were predicted `before`, as a review of those predicted now.

    What the reviewer said of the scan stays; the verdict follows from it.
    """
    label = label_of(review, before)
    if label is None:
        return review
    if label == _concordant_class(predicted):
        return replace(review, verdict="agree", right_class=None)
    return replace(review, verdict="disagree", right_class=label)


def checked_name(name: str) -> str:
    """A scan's name on one line, as it is stored. Raises ReviewError where it is empty or too long."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME:
        raise ReviewError(f"A scan name must have 1 to {LONGEST_NAME} characters; this one has {len(name)}.")
    return name


class NeutralNames:
    """The names of the scans of one session: "Scan 1", "Scan 2", ... in the order of the first use, until renamed.

    Use one object per session, also after the worklist was cleared: no number is used twice, and the same file gets
    the same name again. `key` identifies a file (in the case store, the SHA-256 of its bytes).
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._last = 0

    def of(self, key: str) -> str:
        """The name of a scan; the next free one where it has none yet."""
        if key not in self._names:
            self._last += 1
            self._names[key] = f"Scan {self._last}"
        return self._names[key]

    def rename(self, key: str, name: str) -> None:
        """Raises ReviewError where the name cannot be stored."""
        self.learn({key: checked_name(name)})

    def learn(self, names: Mapping[str, str]) -> None:
        """Take over names (key -> name) from the case store; new numbers come after theirs."""
        self._names |= names
        numbers = [int(match[1]) for name in names.values() if (match := re.fullmatch(r"Scan (\d+)", name))]
        self._last = max([self._last, *numbers])


def _concordant_class(predicted: Collection[str]) -> str | None:
    """The class that all networks predicted; None where they are discordant or there is no reading."""
    return next((name for name in CLASSES if set(predicted) == {name}), None)
