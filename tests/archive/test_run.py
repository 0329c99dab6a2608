"""Whole runs on Ray: workers and driver are killed, the same command goes on, and no row is lost or doubled."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from benchmarks.faults.archive_kills import Victim, different_rows, wait_for
from tests.commands.steps import one_sentence
from tests.support.archives import REFUSALS, SLICES, replace_ray
from utils.archive.run_record import read_run
from utils.archive.writer import ROWS, finished_shards

WORKERS = 2


@pytest.fixture
def ray() -> None:
    pytest.importorskip("ray.data", reason="Ray is not installed (requirements-archive.txt)")


def test_kills_lose_no_row_and_double_none(
    ray, archive: Path, shipped: Path, rows: pa.Table, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    arguments = [str(archive), "--output", str(output), "--workers", str(WORKERS), "--shard-size", "32"]
    with Victim(arguments) as first:
        wait_for(lambda: first.workers("Inference") and first.workers("Decoder"), first)
        first.kill(random.choice(first.workers()))
        wait_for(lambda: finished_shards(output), first)
        first.kill(first.process.pid)
    kept = {file: file.stat().st_mtime_ns for file in (output / ROWS).glob("*.parquet")}
    assert kept
    with Victim(arguments) as second:
        code, errors = second.finish()
    assert code == 0 and "Traceback" not in errors, errors
    assert all(file.stat().st_mtime_ns == written for file, written in kept.items())
    run = read_run(output)
    assert run is not None and run.counts is not None
    assert (run.counts.rows, run.counts.accepted) == (SLICES + REFUSALS, SLICES)
    assert different_rows(ds.dataset(output / ROWS).to_table(), rows) == []


def test_files_that_no_worker_listed_are_not_left_out(
    ray, run, archive: Path, models_copy: Path, tmp_path: Path, monkeypatch
) -> None:
    from utils.archive import cluster

    replace_ray(monkeypatch, lambda *_: iter(()))
    monkeypatch.setattr(cluster, "list_parts", lambda _: iter(()))
    assert "could not be listed" in one_sentence(*run("archive", archive, "--output", tmp_path / "out"))
    assert read_run(tmp_path / "out") is None
