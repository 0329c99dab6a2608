"""`--ray ADDRESS`: the same program on a cluster that is there already, and one sentence where it cannot be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from benchmarks.faults.archive_kills import different_rows
from tests.archive.steps import with_sources
from tests.support.s3 import SECRET, S3Server
from utils.archive import cluster
from utils.archive.cluster import Workers
from utils.archive.errors import ArchiveRunError
from utils.archive.machine_check import problem
from utils.archive.writer import ROWS
from utils.paths import REPOSITORY


def test_a_cluster_reads_s3_like_files(
    ray_cluster: str,
    s3: S3Server,
    archive_in_s3: str,
    archive: Path,
    rows: pa.Table,
    shipped: Path,
    tmp_path: Path,
) -> None:
    output = tmp_path / "out"
    command = [
        sys.executable,
        "model.py",
        "archive",
        archive_in_s3,
        "--output",
        str(output),
        "--ray",
        ray_cluster,
    ]
    run = subprocess.run(
        [*command, "--workers", "1", "--shard-size", "32"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert run.returncode == 0 and "Traceback" not in run.stderr, run.stderr
    written = ds.dataset(output / ROWS).to_table()
    assert different_rows(with_sources(written, archive_in_s3, str(archive)), rows) == []
    files = [file for file in output.rglob("*") if file.is_file()]
    assert not any(SECRET.encode() in file.read_bytes() for file in files) and SECRET not in run.stderr


def not_there(*_: object) -> str | None:
    """A function of the tests, which are not sent to the machines."""
    return None


def test_machines_that_lack_something_are_one_sentence(ray_cluster: str, shipped: Path) -> None:
    checks: list[tuple[Callable[..., str | None], str]] = [
        (problem, "On the cluster's machine .*: /not/there does not exist"),
        (not_there, "lacks the Python package tests"),
    ]
    with cluster.running(Workers(2, 1, ray_cluster)) as count:
        assert count == 2
        for check, sentence in checks:
            with pytest.raises(ArchiveRunError, match=sentence):
                cluster.check_machines(check, ["/not/there"], {}, "openvino")
    with (
        pytest.raises(ArchiveRunError, match="Ray has 2 cores; ask for fewer"),
        cluster.running(Workers(3, 1, ray_cluster)),
    ):
        pass


def test_another_version_of_ray_is_one_sentence(ray_cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    here = ray.__version__
    monkeypatch.setattr(ray, "__version__", "2.1.0")
    with (
        pytest.raises(ArchiveRunError, match=f"runs Ray {here} on Python .*, this command Ray 2.1.0"),
        cluster.running(Workers(None, 1, ray_cluster)),
    ):
        pass


def test_a_machine_with_other_networks_is_one_sentence(shipped: Path) -> None:
    sentence = problem([str(shipped)], {"cnn": "0" * 64}, "openvino")
    assert sentence is not None and "other networks" in sentence
