"""DICOM files of a series -> result objects, for the commands that talk to an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.networks.shipped import reading_networks, segmentation_weights
from utils.reports.dicom.kinds import DEFAULT_KINDS
from utils.scans.scan import Refusal

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from utils.acceptance.drift import Appearance
    from utils.reading.reader import Reader
    from utils.reading.segmenter import Segmenter
    from utils.records.acceptance import SiteProfile
    from utils.reports.dicom.series import ReadSeries


@dataclass(frozen=True)
class SeriesResults:
    """What was read of one series, with the result objects.

    `reasons` say why the rest was not read or gave no results, without text of a file. `seen`: for the drift monitor,
    of every image or stack that the networks have read.
    """

    read: tuple[ReadSeries, ...]
    results: tuple[Dataset, ...]
    reasons: tuple[str, ...]
    seen: tuple[Appearance, ...] = ()

    @property
    def slices(self) -> int:
        return sum(len(series.scans) for series in self.read)


@dataclass(frozen=True)
class SeriesReader:
    """The loaded networks, the kinds of results to make, and the site profile that answers follow, None without one."""

    readers: Sequence[Reader]
    segmenter: Segmenter
    kinds: Sequence[str] = DEFAULT_KINDS
    profile: SiteProfile | None = None

    @classmethod
    def load(cls, kinds: Sequence[str] = DEFAULT_KINDS, profile: SiteProfile | None = None) -> SeriesReader:
        """Raises NetworkUnavailable."""
        from utils.reading.reader import Reader
        from utils.reading.segmenter import Segmenter

        readers = [Reader.load(weights) for weights in reading_networks()]
        return cls(readers, Segmenter.load(segmentation_weights()), kinds, profile)

    def warm_up(self) -> None:
        """Do now what the first series would otherwise wait for: a pass of each network, libraries, the decoder."""
        import numpy as np

        from utils.reading.worklist import Entry
        from utils.reports.dicom.results import import_modules
        from utils.reports.dicom.series import with_readings
        from utils.scans.decoder_process import decoder
        from utils.scans.scan import Scan

        decoder().start()
        gray = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
        with_readings(Entry("", "", Scan("", gray, "")), {}, self.readers, self.segmenter)
        import_modules(self.kinds)

    def read(self, files: Sequence[bytes]) -> SeriesResults:
        """Read the files of one series; each image or stack of it has its own results."""
        from utils.acceptance.drift import appearance
        from utils.reports.dicom.errors import NotReportable
        from utils.reports.dicom.results import dicom_results
        from utils.reports.dicom.series import read_series

        results: list[Dataset] = []
        read: list[ReadSeries] = []
        reasons: list[str] = []
        seen: list[Appearance] = []
        named = [(f"{number}.dcm", data) for number, data in enumerate(files, 1)]
        for series in read_series(named, self.readers, self.segmenter, self.profile):
            if isinstance(series, Refusal):
                reasons.append(series.reason)
                continue
            seen.append(appearance(series.entry))
            try:
                results += dicom_results(series, self.kinds)
                read.append(series)
            except NotReportable as error:
                reasons.append(str(error))
        return SeriesResults(tuple(read), tuple(results), tuple(dict.fromkeys(reasons)), tuple(seen))


def version_of_networks(kinds: Sequence[str], profile: SiteProfile | None = None) -> str:
    """Changes when other networks or another site profile read, or other kinds of results are made.

    Raises NetworkUnavailable.
    """
    from utils.networks.cards import load_card

    weights: list[Path] = [*reading_networks(), segmentation_weights()]
    parts = [load_card(file).version for file in weights] + sorted(kinds)
    parts += [profile.title] if profile else []
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
