"""The inference actor: decoded rows in, finished rows out. No Ray; networks load when an actor starts."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from utils.archive.errors import ArchiveRunError
from utils.archive.rows import COUNTS, KEY, PIXELS, SLICE, columns_of, result_schema, scan_of
from utils.networks.cards import Card, check_weights, load_card
from utils.networks.registry import is_segmenter
from utils.networks.shipped import load_ensemble, reading_networks, segmentation_weights
from utils.reading.background import read_safely
from utils.reading.worklist import Entry

if TYPE_CHECKING:
    from utils.reading.joint import JointReader
    from utils.reading.reader import Reader
    from utils.records.acceptance import AnswerRule

THREADS = ("OMP_NUM_THREADS", "OPENVINO_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
OTHER_NETWORKS = "There are other networks than those of this run; give all machines the same models folder."


@dataclass(frozen=True)
class Networks:
    """Those of a run; `joint_reader` and `referral_thresholds` of the ensemble are None where there are none."""

    readers: list[Reader]
    joint_reader: JointReader | None
    referral_thresholds: Mapping[str, float] | None


class Inference:
    """Called with a table with the columns of `rows.DECODED`; gives the finished rows and the columns `rows.COUNTS`.

    models: name -> SHA-256 of the weights; other weights on this machine raise ArchiveRunError. rule: that of a site
    profile, None without one.
    """

    def __init__(self, models: Mapping[str, str], threads: int, rule: AnswerRule | None = None) -> None:
        os.environ.update(dict.fromkeys(THREADS, str(threads)))  # read when a runtime is imported
        cards = run_cards()
        if versions(cards) != dict(models):
            raise ArchiveRunError(OTHER_NETWORKS)
        self._rule = rule
        self._networks = load_networks(cards)
        self._constant = {f"{name}_sha256": version for name, version in models.items()} | {
            "runtime": self._networks.readers[0].runtime
        }
        classifiers = [reader.card.name for reader in self._networks.readers]
        self._schema = pa.schema([*result_schema(classifiers, list(models)), *COUNTS])

    def __call__(self, table: pa.Table) -> pa.Table:
        facts = [name for name in PIXELS.names if name != "pixels"]
        names = [*KEY.names, *COUNTS.names, *SLICE.names, *facts]
        rows = table.select(names).to_pylist()
        entries = []
        for row, pixels in zip(rows, table["pixels"], strict=True):
            scan = None if row["reason"] else scan_of(row | {"pixels": pixels.as_buffer()})
            entries.append(Entry("", row["source"], scan, reason=row["reason"]))
        networks = self._networks
        results = read_safely(entries, networks.readers, networks.joint_reader, with_maps=False)
        for row, entry in zip(rows, results, strict=True):
            columns = columns_of(entry, networks.referral_thresholds, self._rule)
            row |= self._constant | {"accepted": False} | columns
        return pa.Table.from_pylist(rows, schema=self._schema)


def run_cards() -> list[Card]:
    """The checked cards of the classifiers and, where there is one, of the segmentation network.

    Raises NetworkUnavailable.
    """
    weights = reading_networks()
    if segmentation_weights().is_file():
        weights.append(segmentation_weights())
    cards = [load_card(file) for file in weights]
    for card in cards:
        check_weights(card)
    return cards


def versions(cards: Sequence[Card]) -> dict[str, str]:
    """Name -> SHA-256 of the weights."""
    return {card.name: card.version for card in cards}


def load_networks(cards: Sequence[Card]) -> Networks:
    """Load the networks of these cards (`run_cards`)."""
    from utils.reading.joint import JointReader
    from utils.reading.reader import Reader
    from utils.reading.segmenter import Segmenter

    ensemble = load_ensemble()
    segmenters = [Segmenter.load(card.weights) for card in cards if is_segmenter(card.name)]
    detection = ensemble.detection if ensemble else None
    return Networks(
        [Reader.load(card.weights) for card in cards if not is_segmenter(card.name)],
        JointReader(segmenters[0], detection) if segmenters else None,
        ensemble.referral_thresholds if ensemble else None,
    )
