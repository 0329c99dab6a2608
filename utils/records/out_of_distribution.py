"""What `benchmarks.accuracy.out_of_distribution` writes about the out-of-distribution detector: gate.json."""

from __future__ import annotations

from pydantic import Field

from utils.records.base import Record

HEAD_CT = "not_brain_mri/HeadCT"  # a group of the record: what comes closest to a brain MRI


class DetectorThresholds(Record):
    """Above which novelty a scan is unusual or refused, above which score it counts as turned; of one network."""

    unusual: float
    refused: float
    turned: float


class FlaggedShares(Record):
    """Shares of `n` images. `marked`: unusual or refused by any network; `marked_by`: by each one."""

    n: int
    unusual: float
    refused: float
    marked: float
    marked_by: dict[str, float]
    inverted: float
    turned: float


class AtOnePercent(Record):
    """Shares that would be marked at the threshold that marks 1 % of the test scans of known collections."""

    score: float
    marked: float
    groups: dict[str, float]


class OutOfDistributionRecord(Record):
    """`weights_sha256` and `thresholds` by network, `groups` by kind of image, `not_brain_mri` over the rest."""

    date: str
    commit: str
    command: str
    weights_sha256: dict[str, str]
    thresholds: dict[str, DetectorThresholds]
    groups: dict[str, FlaggedShares]
    not_brain_mri: FlaggedShares = Field(alias="not brain MRI, all")
    at_one_percent: AtOnePercent = Field(alias="at 1 % of fold 0")
