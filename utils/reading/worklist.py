"""The scans of one session with the readings of every network. No Streamlit, no Keras."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from utils.reading.acquisition import Acquisition, acquisition_of
from utils.reading.joint import by_rule
from utils.reading.ood_detector import worst_grade
from utils.reading.volumes import slices_with_brain
from utils.scans.preprocessing import NetworkInputs
from utils.scans.scan import Refusal, Scan, Stack
from utils.scans.upload import read_stacks
from utils.wording import titles_of

if TYPE_CHECKING:
    from utils.reading.joint import JointReader, JointReading
    from utils.reading.reader import Reader, Reading
    from utils.reading.segmenter import Segmentation
    from utils.records.acceptance import AnswerRule


READ_AT_ONCE = 2  # scans per pass: on a CPU more are hardly faster, and each costs about 40 MB at the peak
# Machine word -> title in the interface, in the order of priority for review.
STATUS_TITLES = {
    "disagree": "Discordant",
    "unusual": "Out of distribution",
    "unsure": "Low confidence",
    "agree": "Concordant",
    "waiting": "Waiting",
    "refused": "Rejected",
}
STATUSES = tuple(STATUS_TITLES)
NOT_ANALYSED = "Rejected, not analysed"


@dataclass(frozen=True)
class Entry:
    """One row of the worklist: a scan with its readings, or the reason why the file was rejected.

    `slices` of a volume are those that show brain, in order, each an Entry with the key of the volume. `scan` and
    `readings` of a volume are those of the slice in view. `slice_count` includes slices without brain. `joint` is the
    ensemble's answer and `segmentation` the result of the segmentation network; None without them. What follows from
    them is computed once: pages ask at every step.
    """

    key: str
    name: str
    scan: Scan | None
    readings: tuple[Reading, ...] = ()
    reason: str | None = None
    slices: tuple[Entry, ...] = ()
    slice_count: int = 1
    segmentation: Segmentation | None = None
    joint: JointReading | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the file was decoded as a scan."""
        return self.scan is not None

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the file; of a series of files, that of their sorted hashes."""
        scans = [entry.scan for entry in self.slices or (self,) if entry.scan is not None]
        files = sorted({scan.sha256 for scan in scans})
        return files[0] if len(files) == 1 else hashlib.sha256("".join(files).encode()).hexdigest()

    @property
    def is_read(self) -> bool:
        """Whether the networks have read the scan."""
        return bool(self.readings)

    @cached_property
    def grade(self) -> str:
        """The worst grade of the out-of-distribution detectors: "ok", "unusual" or "refused"."""
        segmentation = (self.segmentation.grade,) if self.segmentation else ()
        return worst_grade((*(reading.grade for reading in self.readings), *segmentation))

    @cached_property
    def is_concordant(self) -> bool:
        """Whether all classifiers name the same class, and the ensemble too."""
        labels = {reading.label for reading in self.readings}
        return len(labels | {self.joint.label} if self.joint else labels) == 1

    @property
    def is_unsure(self) -> bool:
        """Whether the confidence lies below the referral threshold."""
        return any("unsure" in reading.flags for reading in self.readings)

    @cached_property
    def status(self) -> str:
        """The machine word of the entry's status, one of STATUSES."""
        if not self.is_accepted or self.grade == "refused":
            return "refused"
        if not self.is_read:
            return "waiting"
        if self.grade == "unusual":
            return "unusual"
        if not self.is_concordant:
            return "disagree"
        return "unsure" if self.is_unsure else "agree"

    @property
    def status_title(self) -> str:
        """The status in the interface's words."""
        return STATUS_TITLES[self.status] if self.is_accepted else NOT_ANALYSED

    @cached_property
    def confidence(self) -> float:
        """The ensemble's probability of its class; without one the mean over classifiers of that of their class.

        NaN without readings.
        """
        if self.joint is not None:
            return self.joint.confidence
        confidences = [reading.confidence for reading in self.readings]
        return sum(confidences) / len(confidences) if confidences else float("nan")

    @cached_property
    def label(self) -> str:
        """The ensemble's class, or without an ensemble that of the first network; "" without readings."""
        if self.joint is not None:
            return self.joint.label
        return self.readings[0].label if self.readings else ""

    @property
    def acquisition(self) -> Acquisition:
        """Sequence and plane, from the file or recognised from the image."""
        return acquisition_of(self)

    @property
    def answer(self) -> str:
        """The predicted classes in words, "glioma or no tumour"; empty without readings."""
        return titles_of(reading.label for reading in self.readings)


def with_referral_thresholds(entry: Entry, thresholds: Mapping[str, float]) -> Entry:
    """The entry with the flag "unsure" where its confidence lies below the threshold (0..1) of its class.

    The flags that follow from the networks' own thresholds are replaced.
    """
    unsure = ("unsure",) if entry.readings and entry.confidence < thresholds[entry.label] else ()

    def flagged(reading: Reading) -> Reading:
        return replace(reading, flags=unsure + tuple(flag for flag in reading.flags if flag != "unsure"))

    return replace(
        entry,
        readings=tuple(map(flagged, entry.readings)),
        slices=tuple(with_referral_thresholds(slice_entry, thresholds) for slice_entry in entry.slices),
    )


def with_site_rule(entry: Entry, rule: AnswerRule) -> Entry:
    """The entry with the ensemble's answer as a site's rule gives it; the readings of the networks stay as they are.

    Its referral thresholds are for `with_referral_thresholds`.
    """
    return replace(
        entry,
        joint=by_rule(probabilities_of(entry), rule) if entry.readings else None,
        slices=tuple(with_site_rule(part, rule) for part in entry.slices),
    )


def as_evaluated(entry: Entry) -> Entry:
    """The entry without a site's rule."""
    return replace(
        entry,
        joint=entry.joint.as_evaluated if entry.joint else None,
        slices=tuple(map(as_evaluated, entry.slices)),
    )


def by_priority(entries: Sequence[Entry]) -> list[Entry]:
    """The entries in the order of priority for review: by status as in STATUSES, then by increasing confidence."""

    def rank(entry: Entry) -> tuple[int, float]:
        shown = representative(entry)
        return STATUSES.index(shown.status), float(np.nan_to_num(shown.confidence, nan=2.0))

    return sorted(entries, key=rank)


def open_files(files: Sequence[tuple[str, bytes]]) -> list[Entry]:
    """Decode uploaded files (name, bytes) into entries without readings, or rejected ones. A volume is one entry."""
    return [
        Entry(_key(result.name, result.reason.encode()), result.name, None, reason=result.reason)
        if isinstance(result, Refusal)
        else open_stack(result)
        for result in read_stacks(files)
    ]


def open_stack(stack: Stack) -> Entry:
    """An image or a volume as an entry without readings, with the middle slice in view."""
    key = _key(stack.name, *(scan.pixels.tobytes() for scan in stack.scans))
    if len(stack.scans) == 1:
        return Entry(key, stack.name, stack.scans[0])
    count = len(stack.scans)
    slices = tuple(
        Entry(key, f"{stack.name}, slice {position + 1} of {count}", stack.scans[position], slice_count=count)
        for position in slices_with_brain(stack.on_one_scale())
    )
    return view_slice(replace(slices[0], slices=slices), len(slices) // 2)


def stack_of(name: str, parts: Sequence[Entry]) -> Entry:
    """One entry of an image, or of all slices of a stack in order, that were read one by one.

    As in the app, slices without enough brain are left out.
    """
    by_scan = {id(part.scan): part for part in parts if part.scan is not None}
    opened = open_stack(Stack(name, tuple(part.scan for part in parts if part.scan is not None)))

    def as_read(part: Entry) -> Entry:
        read = by_scan[id(part.scan)]
        return replace(part, readings=read.readings, segmentation=read.segmentation, joint=read.joint)

    return merge_slices([as_read(part) for part in opened.slices or (opened,)])


def representative(entry: Entry) -> Entry:
    """The entry that the worklist and reports show: of a volume that was read its most suspicious slice."""
    return entry.slices[most_suspicious(entry)] if entry.slices and entry.is_read else entry


def merge_slices(entries: Sequence[Entry]) -> Entry:
    """One entry of the slices of a volume that were read, with the most suspicious in view; a single image as it is.

    Slices on which a network failed are dropped.
    """
    accepted = tuple(entry for entry in entries if entry.is_accepted)
    if not accepted or accepted[0].slice_count == 1:
        return entries[0]
    volume = replace(accepted[0], slices=accepted)
    return view_slice(volume, most_suspicious(volume))


def view_slice(volume: Entry, position: int) -> Entry:
    """The volume with another of its `slices` in view."""
    return replace(volume.slices[position], slices=volume.slices)


def viewed_position(volume: Entry) -> int:
    """The position among its `slices` of the slice in view."""
    return next(position for position, entry in enumerate(volume.slices) if entry.scan is volume.scan)


def tumor_probabilities(volume: Entry) -> np.ndarray:
    """(N,) float: the probability (0..1) of any tumour on each slice: the ensemble's, else the mean over classifiers.

    NaN where a slice was not read or its grade is "refused".
    """
    return np.asarray(
        [
            tumor_probability(entry) if entry.readings and entry.grade != "refused" else np.nan
            for entry in volume.slices
        ]
    )


def probabilities_of(entry: Entry) -> np.ndarray:
    """(C,) the ensemble's probabilities of CLASSES, else the mean over classifiers. The entry was read."""
    if entry.joint is not None:
        return entry.joint.probabilities
    return np.mean([reading.probabilities for reading in entry.readings], axis=0)


def tumor_probability(entry: Entry) -> float:
    """The probability (0..1) of any tumour: the ensemble's, else the mean over classifiers. The entry was read."""
    if entry.joint is not None:
        return entry.joint.tumor_probability
    return float(np.mean([1 - reading.probability("no_tumor") for reading in entry.readings]))


def most_suspicious(volume: Entry) -> int:
    """The position of the slice with the highest probability of a tumour; the middle one where none has any."""
    suspicion = tumor_probabilities(volume)
    return len(suspicion) // 2 if np.isnan(suspicion).all() else int(np.nanargmax(suspicion))


def read_entries(
    entries: Sequence[Entry],
    readers: Sequence[Reader],
    joint_reader: JointReader | None = None,
    with_maps: bool = True,
) -> list[Entry]:
    """The same entries with the readings of every network; rejected ones stay as they are."""
    scans = [entry.scan for entry in entries if entry.scan is not None]
    inputs = NetworkInputs(scans)
    readings = list(zip(*(reader.read_many(scans, with_maps, inputs) for reader in readers), strict=True))
    results: Sequence[tuple[Segmentation | None, JointReading | None]] = [(None, None)] * len(scans)
    if joint_reader is not None:
        results = joint_reader.read_many(scans, readings, inputs)
    rows = zip(readings, results, strict=True)

    def read(entry: Entry) -> Entry:
        own_readings, (segmentation, joint) = next(rows)
        return replace(entry, readings=own_readings, segmentation=segmentation, joint=joint)

    return [read(entry) if entry.scan is not None else entry for entry in entries]


def _key(name: str, *contents: bytes) -> str:
    """The same images under the same name have the same key."""
    digest = hashlib.sha256(name.encode() + b"\0")
    for content in contents:
        digest.update(content)
    return digest.hexdigest()[:16]
