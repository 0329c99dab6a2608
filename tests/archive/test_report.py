"""The report of a run: counts of its finished shards, as a table and a page."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.commands.steps import Run as RunCommand
from tests.commands.steps import one_sentence
from tests.support.archives import REFUSALS, SLICES
from utils.archive.report import read_report
from utils.archive.run_record import RUN, Novelty, Run
from utils.archive.writer import ROWS, shard_file
from utils.records.base import write_record

NOVELTY = Novelty(unusual=2.0, refused=4.0, n=1000, share_above_unusual=0.05, share_above_refused=0.001)


@pytest.fixture
def output(rows: pa.Table, tmp_path: Path) -> Path:
    """The output of a run of two shards, the second of which is missing. Novelty scores rise from 0 to 5."""
    scores = pa.array(
        [5 * number / SLICES if row else None for number, row in enumerate(rows["accepted"].to_pylist())]
    )
    place = rows.schema.get_field_index("cnn_novelty")
    rows = rows.set_column(place, rows.schema.field(place), scores.cast(pa.float32()))
    (tmp_path / ROWS).mkdir()
    pq.write_table(rows, shard_file(tmp_path, 0))
    run = Run(
        sources=(), classifiers=("cnn", "vgg16"), models={"cnn": "0" * 64}, novelty={"cnn": NOVELTY},
        runtime="openvino", shard_size=100, files=200, units=200, shards=2,
        manifest_sha256="", command="", date="", commit="",
    )  # fmt: skip
    write_record(tmp_path / RUN, run)
    return tmp_path


def test_the_report_counts_every_row_of_the_finished_shards(output: Path, rows: pa.Table) -> None:
    report = read_report(output)
    assert (report.shards, report.rows, report.accepted) == (1, SLICES + REFUSALS, SLICES)
    for column, total in (("answer", SLICES), ("grade", SLICES), ("reason", REFUSALS)):
        counts = report.counts[column]
        assert sum(counts.values()) == total
        for value, count in counts.items():
            assert count == pc.sum(pc.equal(rows[column], value)).as_py()


def test_drift_is_the_share_of_scores_above_the_thresholds(output: Path) -> None:
    (drift,) = read_report(output).drifts
    assert drift.n == SLICES == drift.histogram.sum()
    assert drift.share_above_unusual == pytest.approx(0.6, abs=0.03)
    assert drift.share_above_refused == pytest.approx(0.2, abs=0.03)
    assert drift.histogram[20:].sum() == pytest.approx(0.6 * SLICES, abs=6)  # from `unusual` on


def test_the_command_writes_a_table_and_a_page(run: RunCommand, output: Path) -> None:
    code, table, _ = run("archive-report", output)
    assert code == 0
    assert "1 of 2" in table and f"{SLICES:,} (" in table and "5.00 %" in table
    page = (output / "report.html").read_text(encoding="utf-8")
    assert page.count("plotly-graph-div") >= 2 and "This file is empty" in page
    assert "src=" not in page.split("<body>")[0]


def test_a_folder_without_run_is_one_sentence(run: RunCommand, tmp_path: Path) -> None:
    assert "holds no run" in one_sentence(*run("archive-report", tmp_path))


def test_a_run_without_rows_has_a_report(run: RunCommand, output: Path) -> None:
    shard_file(output, 0).unlink()
    code, table, _ = run("archive-report", output)
    assert code == 0 and "0 of 2" in table
