"""Shards are written when they are complete, each row once, whatever order and repetition the rows come in."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils.archive.rows import COUNTS, KEY
from utils.archive.writer import ROWS, ShardWriter, finished_shards, shard_file

SCHEMA = pa.schema([*KEY, ("source", pa.string()), ("accepted", pa.bool_()), ("reason", pa.string())])


def table(*keys: tuple[int, int, int, int]) -> pa.Table:
    """Rows of (shard, unit, row, rows of the unit)."""
    rows = [
        {"shard": shard, "unit": unit, "row": row, "unit_rows": count, "source": f"{unit}", "accepted": True}
        for shard, unit, row, count in keys
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([*SCHEMA, *COUNTS]))


@settings(max_examples=30)
@given(st.data())
def test_every_row_is_written_once(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("shards")
    counts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    keys = [(unit % 3, unit, row, count) for unit, count in enumerate(counts) for row in range(count)]
    stream = data.draw(st.permutations(keys + data.draw(st.lists(st.sampled_from(keys), max_size=10))))
    writer = ShardWriter(folder, SCHEMA)
    for shard in {key[0] for key in keys}:
        writer.expect(shard, [unit for unit in range(len(counts)) if unit % 3 == shard])
    completed = [
        unit for start in range(0, len(stream), 3) for unit in writer.add(table(*stream[start : start + 3]))
    ]
    assert sorted(completed) == list(range(len(counts))) and not writer.missing()
    written = ds.dataset(folder / ROWS, format="parquet").to_table()
    found = sorted(zip(written["unit"].to_pylist(), written["row"].to_pylist(), strict=True))
    assert found == sorted(key[1:3] for key in keys) and writer.rows == len(keys)
    assert finished_shards(folder) == {key[0] for key in keys}


def test_an_incomplete_shard_has_no_file(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SCHEMA)
    writer.expect(0, [0, 1])
    assert writer.add(table((0, 0, 0, 1))) == [0]
    assert writer.missing() == [(0, 1)] and finished_shards(tmp_path) == set()
    assert list((tmp_path / ROWS).iterdir()) == []


def test_what_was_given_up_is_refused_row_by_row(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, SCHEMA)
    writer.expect(4, [7, 8])
    writer.add(table((4, 7, 1, 3)))
    assert writer.give_up(4, 7, "a", "why") == [7] and writer.give_up(4, 8, "b", "why") == [8]
    rows = ds.dataset(shard_file(tmp_path, 4)).to_table().to_pylist()
    assert [(row["unit"], row["row"], row["reason"]) for row in rows] == [
        (7, 0, "why"), (7, 1, None), (7, 2, "why"), (8, 0, "why")
    ]  # fmt: skip


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    ShardWriter(tmp_path, SCHEMA)
    (tmp_path / ROWS / ".shard-0000001.parquet.unfinished").write_bytes(b"half")
    ShardWriter(tmp_path, SCHEMA)
    assert list((tmp_path / ROWS).iterdir()) == []
