"""What a run over an archive gave, as counts: answers, grades, refusal reasons, drift of the novelty scores.

The data set is read batch by batch, so that its size hardly matters. Rows of unfinished shards are not there yet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from utils.archive.errors import ArchiveRunError
from utils.archive.run_record import Novelty, Run, read_run
from utils.archive.writer import ROWS, finished_shards, shard_file

MOST_VALUES = 30  # of one column
COUNTED = ("answer", "grade", "reason")
BINS = np.linspace(0, 3, 61)  # novelty scores over the threshold `unusual`; larger ones are in the last bin


@dataclass(frozen=True)
class Drift:
    """The novelty scores of one network in the archive and on validation scans; shares 0..1.

    `histogram`: how many of the `n` scores lie in each of BINS, in units of the threshold `unusual`.
    """

    network: str
    validation: Novelty
    n: int
    share_above_unusual: float
    share_above_refused: float
    histogram: np.ndarray


@dataclass(frozen=True)
class Report:
    """`counts`: column of COUNTED -> value -> rows, the most frequent first. `shards` is how many are finished.

    `scans`: for the drift monitor of a site profile, feature -> values of all scans; empty without a profile.
    """

    run: Run
    shards: int
    rows: int
    accepted: int
    counts: Mapping[str, Mapping[str, int]]
    drifts: tuple[Drift, ...]
    scans: Mapping[str, np.ndarray]


def read_report(folder: Path) -> Report:
    """The report of the finished shards in a folder. Raises ArchiveRunError where it holds no run."""
    run = read_run(folder)
    if run is None:
        raise ArchiveRunError(f"{folder} holds no run; name the output folder of `model.py archive`.")
    counts: dict[str, Counter[str]] = {column: Counter() for column in COUNTED}
    tallies = {network: _Tally(novelty) for network, novelty in run.novelty.items()}
    rows = accepted = 0
    for batch in _batches(folder, [f"{network}_novelty" for network in tallies]):
        rows += len(batch)
        accepted += pc.sum(batch["accepted"]).as_py() or 0
        for column in COUNTED:
            for value in pc.value_counts(batch[column].drop_null()).to_pylist():
                counts[column][value["values"]] += value["counts"]
        for network, tally in tallies.items():
            tally.add(batch[f"{network}_novelty"].drop_null().to_numpy(zero_copy_only=False))
    return Report(
        run=run,
        shards=len(finished_shards(folder)),
        rows=rows,
        accepted=accepted,
        counts={column: dict(counter.most_common(MOST_VALUES)) for column, counter in counts.items()},
        drifts=tuple(tally.drift(network) for network, tally in tallies.items()),
        scans=scan_values(folder, list(tallies)) if run.site_profile else {},
    )


def scan_values(folder: Path, networks: Sequence[str]) -> dict[str, np.ndarray]:
    """The tumour probability as evaluated, and the novelty score for each network, of each image or stack, (N,).

    Of a stack those of its most suspicious slice, among the slices with brain that no detector refuses where there are
    some: as the app represents a stack.
    """
    sources = {"tumor_probability": "evaluated_tumor_probability"} | {
        name: f"{name}_novelty" for name in networks
    }
    columns = ["unit", "part", "grade", "brain", *sources.values()]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in sources}
    for number in sorted(finished_shards(folder)):
        table = pq.read_table(shard_file(folder, number), columns=columns)
        table = table.filter(pc.and_(table["brain"], pc.is_valid(table["evaluated_tumor_probability"])))
        chosen = _most_suspicious(table)
        for name, column in sources.items():
            parts[name].append(table[column].to_numpy()[chosen].astype(np.float32))
    return {name: np.concatenate(values) if values else np.zeros(0) for name, values in parts.items()}


def _most_suspicious(table: pa.Table) -> np.ndarray:
    """(N,) the row of each stack that represents it."""
    unit, part = table["unit"].to_numpy(), table["part"].fill_null(0).to_numpy()
    is_refused = pc.equal(table["grade"], "refused").to_numpy()
    order = np.lexsort((-table["evaluated_tumor_probability"].to_numpy(), is_refused, part, unit))
    unit, part = unit[order], part[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (unit[1:] != unit[:-1]) | (part[1:] != part[:-1])
    return np.asarray(order[is_first])


def _batches(folder: Path, novelties: list[str]) -> Iterator[pa.RecordBatch]:
    if not finished_shards(folder):
        return
    data = ds.dataset(folder / ROWS, format="parquet")
    yield from data.to_batches(columns=["accepted", *COUNTED, *novelties])


class _Tally:
    """Counts the scores of one network."""

    def __init__(self, validation: Novelty) -> None:
        self._validation = validation
        self._histogram = np.zeros(len(BINS) - 1, np.int64)
        self._unusual = self._refused = 0

    def add(self, scores: np.ndarray) -> None:
        self._unusual += int((scores > self._validation.unusual).sum())
        self._refused += int((scores > self._validation.refused).sum())
        relative = np.clip(scores / max(self._validation.unusual, 1e-9), BINS[0], BINS[-1])
        self._histogram += np.histogram(relative, BINS)[0]

    def drift(self, network: str) -> Drift:
        n = int(self._histogram.sum())
        shares = self._unusual / max(n, 1), self._refused / max(n, 1)
        return Drift(network, self._validation, n, *shares, self._histogram)
