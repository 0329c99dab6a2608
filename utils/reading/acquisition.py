"""Sequence and plane of a scan or a study: what the file says, else what was recognised from the image; in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from utils.classes import CONTRAST, OTHER_SEQUENCE, SEQUENCES
from utils.reading.sequences import combine
from utils.scans.places import plane_of
from utils.wording import SEQUENCE_TITLES, listed, percent, sentence_case, value_with_interval

if TYPE_CHECKING:
    from utils.reading.worklist import Entry
    from utils.records.sequences import ContrastFigures, SequencesRecord

FILE, IMAGE = "file", "image"
ORIGIN_WORDS = {FILE: "from the file", IMAGE: "recognised from the image"}
NOT_TRAINED = "the models were not trained on this sequence"


@dataclass(frozen=True)
class Acquisition:
    """`sequence` (one of SEQUENCES or OTHER_SEQUENCE) and `plane`, "" where not known; origins: FILE, IMAGE or ""."""

    sequence: str = ""
    plane: str = ""
    sequence_origin: str = ""
    plane_origin: str = ""

    @property
    def in_words(self) -> str:
        """ "T1 with contrast, axial (from the file)", "Sequence not recognised; axial (recognised from the image)"."""
        return f"{self._facts}; {NOT_TRAINED}" if self.sequence == OTHER_SEQUENCE else self._facts

    @property
    def columns(self) -> dict[str, str | None]:
        """For a table: each fact with its origin, None where it is not known."""
        names = ("sequence", "sequence_origin", "plane", "plane_origin")
        return {name: getattr(self, name) or None for name in names}

    @property
    def _facts(self) -> str:
        if not self.sequence and not self.plane:
            return "Sequence and plane not recognised"
        sequence = (
            sentence_case(SEQUENCE_TITLES[self.sequence]) if self.sequence else "Sequence not recognised"
        )
        if self.sequence_origin == self.plane_origin:
            return f"{sequence}, {self.plane} ({ORIGIN_WORDS[self.plane_origin]})"
        plane = f"{self.plane} ({ORIGIN_WORDS[self.plane_origin]})" if self.plane else "plane not recognised"
        if not self.sequence:
            return f"{sequence}; {plane}"
        return f"{sequence} ({ORIGIN_WORDS[self.sequence_origin]}), {plane}"


@dataclass(frozen=True)
class StudySequences:
    """The sequences of a study, in the order of SEQUENCES; `other` and `unknown` count its remaining series."""

    seen: tuple[str, ...]
    missing: tuple[str, ...]
    other: int = 0
    unknown: int = 0


def acquisition_of(entry: Entry) -> Acquisition:
    """Sequence and plane of an image, or of a volume from all its slices; of a rejected image what its file says."""
    slices = [each for each in entry.slices or (entry,) if each.scan is not None]
    if not slices:
        return Acquisition()
    sequence = next(filter(None, (each.scan.sequence for each in slices if each.scan)), "")
    plane = next(filter(None, (plane_of(each.scan.orientation) for each in slices if each.scan)), "")
    recognised = [
        each.segmentation.recognition
        for each in slices
        if each.segmentation is not None
        and each.segmentation.recognition is not None
        and each.grade != "refused"
    ]
    from_image = combine(recognised) if recognised else None
    own_sequence, own_plane = (from_image.sequence, from_image.plane) if from_image else ("", "")
    return Acquisition(
        sequence or own_sequence,
        plane or own_plane,
        FILE if sequence else IMAGE if own_sequence else "",
        FILE if plane else IMAGE if own_plane else "",
    )


def sequences_of_study(entries: Sequence[Entry]) -> StudySequences:
    """Which sequences the series of one study show, and which of SEQUENCES are missing. Rejected files do not count."""
    known = [acquisition_of(entry).sequence for entry in entries if entry.is_accepted]
    return StudySequences(
        tuple(name for name in SEQUENCES if name in known),
        tuple(name for name in SEQUENCES if name not in known),
        known.count(OTHER_SEQUENCE),
        known.count(""),
    )


def study_in_words(study: StudySequences, contrast: ContrastFigures | None = None) -> tuple[str, ...]:
    """Sentences: what was seen, what is missing, and what that means. contrast: the measured figures, if there are any.

    Where the sequence of a series is not known, nothing is called missing: it may be that one.
    """
    seen = listed(SEQUENCE_TITLES[name] for name in study.seen) if study.seen else "none recognised"
    if study.unknown or not study.missing:
        unknown = f"; {study.unknown} series not recognised" if study.unknown else ""
        return (f"Sequences: {seen}{unknown}.",)
    missing = listed(SEQUENCE_TITLES[name] for name in study.missing)
    sentences = (f"Sequences: {seen}. Missing: {missing}.",)
    if CONTRAST not in study.missing:
        return sentences
    return (*sentences, without_contrast(contrast))


def recognition_trust(record: SequencesRecord) -> str:
    """How often the sequence that was recognised from an image is correct."""
    shown, elsewhere = record.sequence.all, [each.accuracy for each in record.sequence.left_out.values()]
    words = (
        f"Sequences recognised from single images of held-out patients: "
        f"{value_with_interval(shown.accuracy, shown.accuracy_interval, 0, label='95 % CI ')} correct"
    )
    if not elsewhere:
        return f"{words}."
    return f"{words}; on collections never seen {percent(min(elsewhere))} to {percent(max(elsewhere), 1)}."


def without_contrast(contrast: ContrastFigures | None) -> str:
    """What a study without contrast means for the answer."""
    words = "No contrast-enhanced T1: meningioma and glioma are distinguished less accurately"
    if contrast is None:
        return f"{words}."
    return (
        f"{words} (mean of both sensitivities on held-out patients "
        f"{value_with_interval(contrast.without, contrast.without_interval, 0, label='95 % CI ')} without contrast, "
        f"{value_with_interval(contrast.with_contrast, contrast.with_contrast_interval, 0, label='95 % CI ')} with)."
    )
