"""A run over an archive with a site profile: its answers, its record, and the drift monitor of its report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.commands.steps import one_sentence
from tests.support.acceptance import RULE, add_ensemble, made_scans
from tests.support.archives import png, replace_ray
from utils.acceptance.profile import make_profile
from utils.acceptance.run import accept
from utils.archive.decoding import Decoder
from utils.archive.inference import Inference
from utils.archive.report import scan_values
from utils.archive.run_record import read_run
from utils.archive.writer import ROWS, shard_file
from utils.records.acceptance import Distributions, SiteProfile
from utils.records.base import write_record

SCANS = 24


@pytest.fixture
def profile(models_copy: Path) -> SiteProfile:
    add_ensemble(models_copy)
    return make_profile(accept(made_scans(120, tumor_shift=4), RULE, None), "North")


@pytest.fixture
def archive_command(run, profile: SiteProfile, tmp_path: Path, monkeypatch) -> Callable[..., tuple]:
    """`model.py archive` on single images, with its stages in this process instead of Ray."""

    def read(tasks, run, count, threads):
        rule = run.site_profile.active_rule if run.site_profile else None
        for task in tasks:
            yield Inference(run.models, threads, rule)(pa.concat_tables(Decoder()(task)))

    replace_ray(monkeypatch, read)
    (tmp_path / "in").mkdir()
    for number in range(SCANS):
        (tmp_path / "in" / f"{number:02}.png").write_bytes(png(number))
    return lambda *options: run("archive", tmp_path / "in", "--output", tmp_path / "out", *options)


def test_rows_answer_with_the_profile_and_the_report_names_and_compares_it(
    run, archive_command, profile: SiteProfile, tmp_path: Path
) -> None:
    file = tmp_path / "p.json"
    write_record(file, profile)
    assert archive_command("--site-profile", file)[0] == 0
    rows = pq.read_table(shard_file(tmp_path / "out", 0)).to_pylist()
    lines = run("predict", tmp_path / "in", "--site-profile", file)[1].splitlines()
    predicted = {line["file"]: line for line in map(json.loads, lines)}
    assert len(rows) == SCANS
    for row in rows:
        answer = predicted[row["source"]]["ensemble"]
        assert row["tumor_probability"] == pytest.approx(answer["tumor_probability"], abs=1e-5)
        assert (row["answer"] == answer["label"]) == answer["answered"]
        mean = 1 - (row["cnn_no_tumor"] + row["vgg16_no_tumor"]) / 2
        assert row["evaluated_tumor_probability"] == pytest.approx(mean, abs=1e-5)
    record = read_run(tmp_path / "out")
    assert record is not None and record.site_profile == profile
    code, table, _ = run("archive-report", tmp_path / "out")
    assert code == 0 and profile.title in table and f"Drift: {SCANS} scans differ" in table
    assert profile.title in (tmp_path / "out" / "report.html").read_text()
    alike = Distributions(
        tumor_probability=tuple(sorted(row["evaluated_tumor_probability"] for row in rows)), novelty={}
    )
    same = profile.model_copy(update={"distributions": alike})
    write_record(tmp_path / "out" / "run.json", record.model_copy(update={"site_profile": same}))
    assert f"No drift: {SCANS} scans do not differ" in run("archive-report", tmp_path / "out")[1]


def test_a_run_goes_on_with_its_own_profile_alone(archive_command, profile, tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    write_record(file, profile)
    assert archive_command("--site-profile", file)[0] == 0
    assert archive_command("--site-profile", file)[0] == 0
    assert "a run with other site profile" in one_sentence(*archive_command())
    file.write_text("{")
    assert "is no site profile of this version" in one_sentence(*archive_command("--site-profile", file))


def test_a_stack_is_represented_by_its_most_suspicious_slice_with_brain(tmp_path: Path) -> None:
    names = ("unit", "part", "brain", "grade", "evaluated_tumor_probability", "cnn_novelty")
    rows = [
        (1, 1, True, "ok", 0.3, 1.0),
        (1, 1, True, "unusual", 0.6, 2.0),
        (1, 1, False, "ok", 0.9, 3.0),
        (1, 1, True, "refused", 0.8, 4.0),
        (1, 2, True, "refused", 0.7, 5.0),
        (2, None, True, "ok", 0.2, 6.0),
        (3, None, None, None, None, None),
    ]
    (tmp_path / ROWS).mkdir()
    pq.write_table(
        pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows[::-1]]),
        shard_file(tmp_path, 0),
    )
    values = scan_values(tmp_path, ["cnn"])
    np.testing.assert_allclose(sorted(values["cnn"]), [2, 5, 6])
    np.testing.assert_allclose(sorted(values["tumor_probability"]), [0.2, 0.6, 0.7])
