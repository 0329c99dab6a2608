"""DICOM results of `predict`: the objects of each stack, as files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from utils.commands.outputs import write_whole
from utils.scans.files import Input
from utils.scans.upload import file_bytes

if TYPE_CHECKING:
    from utils.reading.conclusion import Referral
    from utils.reading.segmenter import Segmenter
    from utils.reading.worklist import Entry


def stacks(inputs: Iterable[Input]) -> Iterator[list[Input]]:
    """The inputs in lists: the slices of a stack together, every other one alone."""
    stack: list[Input] = []
    for item in inputs:
        is_next = item.scan is not None and bool(item.scan.slice)
        if stack and not is_next:
            yield stack
            stack = []
        stack.append(item)
    if stack:
        yield stack


@dataclass(frozen=True)
class DicomOutput:
    """Where the objects of which kinds go. `stems`: where the results of each file go, below the folder.

    `referral`: the rule of answers of several networks.
    """

    folder: Path
    kinds: Sequence[str]
    segmenter: Segmenter | None
    stems: Mapping[Path, Path]
    referral: Referral

    def write(self, stack: Sequence[Input], entries: Sequence[Entry]) -> None:
        """Write the objects of a stack, read as `entries`, or say on standard error why there are none."""
        from utils.reading import worklist
        from utils.reading.conclusion import Referral
        from utils.reports.dicom.errors import NotReportable
        from utils.reports.dicom.made import kind_of
        from utils.reports.dicom.results import dicom_results, file_of
        from utils.reports.dicom.series import hashes_of, with_outlines
        from utils.reports.dicom.sources import sources_of

        first = stack[0]
        read = worklist.stack_of(first.file, entries)
        referral = self.referral if len(read.readings) > 1 else Referral()
        if referral.thresholds is not None:
            read = worklist.with_referral_thresholds(read, referral.thresholds)
        files = [(str(path), file_bytes(path)) for path in dict.fromkeys(item.path for item in stack)]
        sources = sources_of(files, hashes_of([read]))
        try:
            made = dicom_results(with_outlines(read, sources, self.segmenter, referral), self.kinds)
        except NotReportable as error:
            print(f"{first.file}: no DICOM results: {error}", file=sys.stderr)
            return
        stem = self.folder / self.stems[first.path]
        part = f"-{first.part}" if first.part is not None else ""
        for ds in made:
            write_whole(stem.with_name(f"{stem.name}{part}.{kind_of(ds)}.dcm"), file_of(ds))
