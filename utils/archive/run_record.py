"""run.json: what a run reads, with what, and what came out. It is written after the manifest and before the rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from utils.archive.errors import ArchiveRunError
from utils.records.acceptance import SiteProfile
from utils.records.base import InvalidRecord, Record, read_record

RUN = "run.json"


class Counts(Record):
    """Of a finished run: its rows are slices that were accepted and slices or files that were not."""

    rows: int
    accepted: int
    seconds: float  # of the last call alone
    rows_of_last_call: int


class Novelty(Record):
    """The thresholds of a classifier's novelty score, and the shares (0..1) of the `n` validation scans above them."""

    unusual: float
    refused: float
    n: int
    share_above_unusual: float
    share_above_refused: float


class Run(Record):
    """The settings and hashes of a run; `counts` when it is finished.

    models: name -> SHA-256 of the weights, the classifiers first. novelty: of the classifiers that have a detector.
    site_profile: that the answers follow, None without one.
    """

    sources: tuple[str, ...]
    classifiers: tuple[str, ...]
    models: Mapping[str, str]
    novelty: Mapping[str, Novelty]
    runtime: str
    shard_size: int
    files: int
    units: int
    shards: int
    manifest_sha256: str
    command: str
    date: str
    commit: str
    site_profile: SiteProfile | None = None
    counts: Counts | None = None


def read_run(folder: Path) -> Run | None:
    """The record of a folder; None where there is none. Raises ArchiveRunError where it is damaged."""
    try:
        return read_record(folder / RUN, Run)
    except FileNotFoundError:
        return None
    except InvalidRecord as error:
        raise ArchiveRunError(f"{error} Choose another output.") from None
