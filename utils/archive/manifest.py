"""The manifest: every file of a run with its unit and shard, written before anything is read.

A unit is read at once: one file, or all DICOM files of one series, wherever they are. A shard is a run of units whose
rows become one file. Both follow from the files and the shard size alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from utils.archive.sources import Part, files_of, parts_of

MANIFEST = "manifest.parquet"
BYTES_OF_A_SLICE = 262_144  # a larger file counts as several slices when work is divided
PARTS = pa.schema(
    [
        ("position", pa.int64()),  # of the listed file
        ("file", pa.large_string()),
        ("entry", pa.int32()),
        ("member", pa.large_string()),
        ("size", pa.int64()),
        ("version", pa.binary(8)),
        ("series", pa.binary(16)),
        ("reason", pa.large_string()),
    ]
)
FILES = pa.schema([("shard", pa.int32()), ("unit", pa.int64()), ("cost", pa.int32()), *PARTS])
LISTED_AT_ONCE = 1_000


def list_files(sources: Iterable[str]) -> Iterator[pa.Table]:
    """All files of resolved sources, a ZIP as one file, in tables with the columns of `PARTS`."""
    files = enumerate(file for source in sources for file in files_of(source))
    while batch := list(islice(files, LISTED_AT_ONCE)):
        yield _table((position, [file]) for position, file in batch)


def with_parts(files: pa.Table) -> pa.Table:
    """The same table with the members of ZIPs and the series of DICOM files. Opens every file."""
    return _table(
        (position, parts_of(file))
        for position, file in zip(files["position"].to_pylist(), parts_in(files), strict=True)
    )


def parts_in(table: pa.Table) -> list[Part]:
    """The parts of a table with the columns of `PARTS` and perhaps others."""
    return [Part(**row) for row in table.select(PARTS.names[1:]).to_pylist()]


def divided(parts: pa.Table, shard_size: int) -> pa.Table:
    """The manifest of all parts: units numbered in order of their first file, shards of about `shard_size` slices."""
    parts = parts.sort_by([("position", "ascending"), ("entry", "ascending")])
    series = pc.dictionary_encode(parts["series"]).combine_chunks().indices.fill_null(-1).to_numpy()
    alone = len(parts) + np.arange(len(parts))  # a number of its own for every file without series
    _, first, key = np.unique(np.where(series < 0, alone, series), return_index=True, return_inverse=True)
    units = np.argsort(np.argsort(first))[key]  # in order of their first file
    order = np.argsort(units, kind="stable")
    units = units[order]
    cost = np.maximum(parts["size"].to_numpy()[order] // BYTES_OF_A_SLICE, 1)
    first = np.searchsorted(units, np.arange(units[-1] + 1 if len(units) else 0))
    shard = groups((np.cumsum(cost) - cost)[first], shard_size)[units]
    columns = [pa.array(shard, pa.int32()), pa.array(units, pa.int64()), pa.array(cost, pa.int32())]
    return pa.Table.from_arrays([*columns, *parts.take(order).columns], schema=FILES)


def groups(starts: np.ndarray, size: int) -> np.ndarray:
    """The number of the group of each item, counted without gaps, where a group begins every `size`."""
    return np.unique(starts // size, return_inverse=True)[1]


def write(folder: Path, files: pa.Table) -> None:
    """Write the manifest, one row group a shard; it appears under its name when it is complete."""
    unfinished = folder / f".{MANIFEST}.unfinished"
    shards = files["shard"].to_numpy()
    bounds = np.searchsorted(shards, np.arange(shards[-1] + 2 if len(shards) else 0))
    with pq.ParquetWriter(unfinished, FILES, compression="zstd") as writer:
        for start, stop in pairwise(bounds):
            writer.write_table(files.slice(start, stop - start), row_group_size=int(stop - start))
    os.replace(unfinished, folder / MANIFEST)


def shard_sizes(folder: Path) -> list[int]:
    """The number of files of every shard."""
    facts = pq.read_metadata(folder / MANIFEST)
    return [facts.row_group(number).num_rows for number in range(facts.num_row_groups)]


def read_shards(folder: Path, shards: Iterable[int]) -> Iterator[tuple[int, pa.Table]]:
    """The number and the files of each shard, in the columns of `FILES`."""
    with pq.ParquetFile(folder / MANIFEST) as manifest:
        for shard in shards:
            yield shard, manifest.read_row_group(shard).cast(FILES)


def tasks_of(files: pa.Table, size: int) -> list[pa.Table]:
    """The files of one shard in pieces of whole units, of about `size` slices each."""
    cost, units = files["cost"].to_numpy(), files["unit"].to_numpy()
    _, first, inverse = np.unique(units, return_index=True, return_inverse=True)
    number = groups((np.cumsum(cost) - cost)[first], size)[inverse]
    bounds = np.searchsorted(number, np.arange(number[-1] + 2))
    return [files.slice(start, stop - start) for start, stop in pairwise(bounds)]


def _table(files: Iterable[tuple[int, Sequence[Part]]]) -> pa.Table:
    rows = [{"position": position} | asdict(part) for position, parts in files for part in parts]
    return pa.Table.from_pylist(rows, schema=PARTS)
