"""A series of DICOM images that was read: what results are made from. No Keras here; the networks come loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydicom.dataset import Dataset

from utils.networks.cards import Card
from utils.networks.shipped import load_ensemble
from utils.reading import worklist
from utils.reading.conclusion import Referral
from utils.reading.joint import JointReader
from utils.reading.worklist import Entry
from utils.reports.dicom.sources import sources_of
from utils.scans.scan import Refusal

if TYPE_CHECKING:
    from utils.evidence.outlines import Outline
    from utils.reading.reader import Reader
    from utils.reading.segmenter import Segmenter
    from utils.records.acceptance import SiteProfile


@dataclass(frozen=True)
class ReadSeries:
    """The readings of one image or stack with the headers of its files.

    `entry` has the readings of every network. `outlines` has one for each scan of `scans`; none without segmentation
    network, whose card is `segmenter`. `sources`: header of each file by the SHA-256 of the file. `referral` is the
    rule by which the result counts as indeterminate.
    """

    entry: Entry
    sources: Mapping[str, Dataset]
    outlines: tuple[Outline, ...] = ()
    segmenter: Card | None = None
    referral: Referral = field(default_factory=Referral)

    @property
    def scans(self) -> tuple[Entry, ...]:
        """The slices that were read, or the single image, in order."""
        return self.entry.slices or (self.entry,)

    @property
    def key(self) -> Entry:
        """The key image: the single one, or the most suspicious slice."""
        return worklist.representative(self.entry)


def read_series(
    files: Sequence[tuple[str, bytes]],
    readers: Sequence[Reader],
    segmenter: Segmenter | None,
    profile: SiteProfile | None = None,
) -> Iterator[ReadSeries | Refusal]:
    """Read files (name, bytes), as the app does: one ReadSeries for each image or stack, a Refusal for other files.

    Network errors are raised. The referral threshold is that of the site profile, else of the ensemble, where it fits
    the networks.
    """
    entries = worklist.open_files(files)
    sources = sources_of(files, hashes_of(entries))
    for entry in entries:
        if entry.scan is None:
            yield Refusal(entry.name, entry.reason or "")
            continue
        yield with_readings(entry, sources, readers, segmenter, profile)


def hashes_of(entries: Sequence[Entry]) -> set[str]:
    """The SHA-256 of every file of the entries."""
    parts = [part for entry in entries for part in entry.slices or (entry,)]
    return {part.scan.sha256 for part in parts if part.scan is not None}


def with_readings(
    entry: Entry,
    sources: Mapping[str, Dataset],
    readers: Sequence[Reader],
    segmenter: Segmenter | None,
    profile: SiteProfile | None = None,
) -> ReadSeries:
    """Read an entry without readings (`worklist.open_files`) with every network.

    One slice a pass: more are not faster on a CPU, and every other size of a pass takes memory of its own for good.
    """
    ensemble, joint_reader = load_ensemble(), None
    if segmenter is not None:
        joint_reader = JointReader(segmenter, ensemble.detection if ensemble else None)
    parts: list[Entry] = []
    for part in entry.slices or (entry,):
        parts += worklist.read_entries([part], readers, joint_reader)
    read = worklist.merge_slices(parts)
    thresholds = ensemble.referral_thresholds if ensemble else None
    if profile is not None and profile.active_rule is not None:
        read = worklist.with_site_rule(read, profile.active_rule)
        thresholds = profile.active_rule.referral_thresholds
    if thresholds is not None:
        read = worklist.with_referral_thresholds(read, thresholds)
    referral = Referral(thresholds, site_profile=profile.title if profile else "")
    return with_outlines(read, sources, segmenter, referral)


def with_outlines(
    entry: Entry, sources: Mapping[str, Dataset], segmenter: Segmenter | None, referral: Referral
) -> ReadSeries:
    """The entry that was read, with the outlines of its scans; those that it lacks are made now."""
    if segmenter is None:
        return ReadSeries(entry, sources, referral=referral)
    outlines = tuple(
        part.segmentation.outline if part.segmentation else segmenter.outline(part.scan)
        for part in entry.slices or (entry,)
        if part.scan is not None
    )
    return ReadSeries(entry, sources, outlines, segmenter.card, referral)
