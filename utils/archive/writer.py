"""Rows -> one Parquet file a shard. A file is there when all rows of its shard are in it, each once.

Rows come in any order, and those of a task that was repeated may come twice. Each knows how many rows its unit has, so
that a complete shard is known as such.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from utils.archive.rows import COUNTS

ROWS = "rows"  # the folder of the data set


@dataclass
class _Shard:
    missing: dict[int, int | None]  # unit -> rows that are missing; None where none has come
    seen: set[tuple[int, int]] = field(default_factory=set)
    tables: list[pa.Table] = field(default_factory=list)


class ShardWriter:
    """Collects the rows of the shards that are being read. `schema` are the columns of the files."""

    def __init__(self, folder: Path, schema: pa.Schema) -> None:
        self._folder = folder / ROWS
        self._folder.mkdir(exist_ok=True)
        for unfinished in self._folder.glob(".*.unfinished"):  # of a run that was killed
            unfinished.unlink()
        self._schema = schema
        self._shards: dict[int, _Shard] = {}
        self.rows = 0

    def expect(self, shard: int, units: Iterable[int]) -> None:
        """Begin a shard that has these units."""
        self._shards[shard] = _Shard(dict.fromkeys(units))

    def add(self, table: pa.Table) -> list[int]:
        """Take rows with the columns of `schema` and `rows.COUNTS`; returns the units that they complete."""
        completed: list[int] = []
        for number in table["shard"].unique().to_pylist():
            shard = self._shards.get(number)
            if shard is None:
                continue  # it is written: these rows came twice
            kept = []
            columns = (table[name].to_pylist() for name in ("shard", "unit", "row", "unit_rows"))
            for index, (of_shard, unit, row, count) in enumerate(zip(*columns, strict=True)):
                if of_shard != number or (unit, row) in shard.seen:
                    continue
                shard.seen.add((unit, row))
                kept.append(index)
                left = shard.missing[unit]
                shard.missing[unit] = (count if left is None else left) - 1
                if shard.missing[unit] == 0:
                    del shard.missing[unit]
                    completed.append(unit)
            shard.tables.append(table.take(pa.array(kept, pa.int64())).select(self._schema.names))
            if not shard.missing:
                self._write(number)
        return completed

    def missing(self) -> list[tuple[int, int]]:
        """(shard, unit) of which rows are missing."""
        return [(number, unit) for number, shard in self._shards.items() for unit in shard.missing]

    def give_up(self, number: int, unit: int, source: str, reason: str) -> list[int]:
        """Add a refusal for every row of a unit that is missing; returns the unit."""
        shard = self._shards[number]
        seen = sum(1 for key in shard.seen if key[0] == unit)
        left = shard.missing[unit]
        count = seen + (1 if left is None else left)
        rows = [
            {
                "shard": number,
                "unit": unit,
                "row": row,
                "unit_rows": count,
                "source": source,
                "accepted": False,
                "reason": reason,
            }
            for row in range(count)
            if (unit, row) not in shard.seen
        ]
        return self.add(pa.Table.from_pylist(rows, schema=pa.schema([*self._schema, *COUNTS])))

    def _write(self, number: int) -> None:
        table = pa.concat_tables(self._shards.pop(number).tables).sort_by(
            [("unit", "ascending"), ("row", "ascending")]
        )
        file = shard_file(self._folder.parent, number)
        unfinished = file.with_name(f".{file.name}.unfinished")
        with unfinished.open("wb") as stream:
            pq.write_table(table, stream, compression="zstd")
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
        self.rows += len(table)


def shard_file(folder: Path, number: int) -> Path:
    return folder / ROWS / f"shard-{number:07}.parquet"


def finished_shards(folder: Path) -> set[int]:
    """The numbers of the shards whose files are there."""
    return {int(file.stem.removeprefix("shard-")) for file in (folder / ROWS).glob("shard-*.parquet")}
