"""s3:// sources, on a real S3 server: the same rows as from files, and one sentence where the service fails."""

from __future__ import annotations

import io
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from benchmarks.faults.archive_kills import different_rows
from tests.archive.steps import listed, read, with_sources
from tests.support.archives import png, replace_ray, zipped
from tests.support.corpus import endless_jpeg
from tests.support.processes import free_port
from tests.support.s3 import SECRET, S3Server
from utils.archive.cluster import Workers
from utils.archive.decoding import Decoder
from utils.archive.errors import NO_ANSWER, NO_CREDENTIALS, ArchiveRunError
from utils.archive.inference import Inference
from utils.archive.run import Settings, read_archive
from utils.archive.sources import CHANGED
from utils.archive.storage import resolved
from utils.archive.writer import ROWS, finished_shards


def test_rows_equal_those_of_the_same_files(
    s3: S3Server, archive_in_s3: str, archive: Path, decoded: pa.Table
) -> None:
    rows = pa.concat_tables(Decoder()(listed(archive_in_s3)))
    assert rows["reason"].to_pylist() == decoded["reason"].to_pylist()
    assert with_sources(rows, archive_in_s3, str(archive)).drop("shard").equals(decoded.drop("shard"))


def test_objects_prefixes_and_zips_are_sources(s3: S3Server) -> None:
    archive = io.BytesIO()
    zipped(archive, {"one.png": png(1), "two.png": png(2)})
    names = ["x.png", "x.png/y.png", "a b?#%41.png", "ä::b.png", "deep/er/z.png"]
    bucket = s3.new_bucket("sources", {name: png(seed) for seed, name in enumerate(names)})
    s3.put("sources", {"deep/": b"", "deep/.hidden.png": png(1), ".git/a.png": png(1)})
    s3.put("sources", {"packed.zip": archive.getvalue()})
    packed = [f"{bucket}/packed.zip/one.png", f"{bucket}/packed.zip/two.png"]
    for source, expected in (
        (bucket, [f"{bucket}/{name}" for name in names] + packed),
        (f"{bucket}/deep/", [f"{bucket}/deep/er/z.png"]),
        (f"{bucket}/packed.zip", packed),
        (f"{bucket}/{names[2]}", [f"{bucket}/{names[2]}"]),
    ):
        rows = read(source)
        assert sorted(row["source"] for row in rows) == sorted(expected)
        assert {row["reason"] for row in rows} == {None}


def test_a_poisonous_object_is_one_refusal(s3: S3Server) -> None:
    rows = read(s3.new_bucket("poisonous", {"a.png": png(1), "b.jpg": endless_jpeg(), "c.png": png(2)}))
    assert [row["reason"] is None for row in rows] == [True, False, True]
    assert "takes too long" in rows[1]["reason"]


def test_a_source_in_s3_that_cannot_be_used_is_one_sentence(
    s3: S3Server, archive_in_s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source, sentence in (
        ("s3://no-such-bucket/x", "There is no bucket no-such-bucket; check its name."),
        ("s3://no-such-bucket", "There is no bucket no-such-bucket; check its name."),
        (f"{archive_in_s3}/nothing", "does not exist"),
        ("s3://", "s3://BUCKET"),
        (f"s3://tester:{SECRET}@scans/x", "Credentials do not belong in the name of a source"),
    ):
        with pytest.raises(ArchiveRunError, match=sentence) as error:
            resolved([source])
        assert SECRET not in str(error.value)
    empty = s3.new_bucket("empty", {})
    assert [row["reason"] for row in read(empty)] == [
        "This folder holds no files; name a folder with scans in it."
    ]


@contextmanager
def rights_checked(s3: S3Server) -> Iterator[None]:
    """The server refuses users that it does not know."""

    def from_request(count: str) -> None:
        address = f"{s3.environment['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
        request = urllib.request.Request(
            address, count.encode(), {"Content-Type": "text/plain"}, method="POST"
        )
        urllib.request.urlopen(request).close()

    from_request("0")
    yield
    from_request("inf")


def test_without_valid_credentials_the_run_stops(
    s3: S3Server, archive_in_s3: str, fresh_s3: Callable[..., None]
) -> None:
    source = f"{archive_in_s3}/images/0"
    files = listed(source).slice(0, 1)
    with rights_checked(s3):
        with pytest.raises(ArchiveRunError, match="no access"):
            resolved([source])
        assert [row["reason"] for table in Decoder()(files) for row in table.to_pylist()] == [NO_CREDENTIALS]
    for variables in ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, {"AWS_PROFILE": "nobody"}):
        fresh_s3(**variables)
        with pytest.raises(ArchiveRunError, match="needs valid credentials"):
            resolved([source])


def test_an_object_that_changes_is_refused_not_mixed_up(s3: S3Server) -> None:
    packed = io.BytesIO()
    zipped(packed, {"one.png": png(1)})
    bucket = s3.new_bucket("changing", {"a.png": png(1), "b.png": png(2), "c.zip": packed.getvalue()})
    files = listed(bucket)
    zipped(packed := io.BytesIO(), {"one.png": png(3)})
    s3.put("changing", {"a.png": png(3), "c.zip": packed.getvalue()})
    rows = pa.concat_tables(Decoder()(files)).to_pylist()
    assert [row["reason"] for row in rows] == [CHANGED, None, CHANGED]


@pytest.fixture
def fresh_s3(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that sets or removes environment variables and forgets connections."""
    from s3fs import S3FileSystem

    def change(**variables: str | None) -> None:
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        S3FileSystem.clear_instance_cache()

    return change


def test_a_run_goes_on_after_the_service_did_not_answer(
    s3: S3Server,
    archive_in_s3: str,
    archive: Path,
    rows: pa.Table,
    inference: Inference,
    shipped: Path,
    fresh_s3: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without Ray; the run lists the files, reads a shard, and then the server is gone."""
    from moto.server import ThreadedMotoServer

    port = free_port()
    fresh_s3(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}")
    output = tmp_path / "out"
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)  # has the same buckets
    server.start()
    is_failing = True

    def read_here(tasks: Iterable[pa.Table], *_: object) -> Iterator[pa.Table]:
        decoder = Decoder()
        for task in tasks:
            if is_failing and finished_shards(output):
                server.stop()
                fresh_s3()  # open connections would go on
            yield from map(inference, decoder(task))

    replace_ray(monkeypatch, read_here)
    settings = Settings([archive_in_s3], output, 32, Workers(), "")
    with pytest.raises(ArchiveRunError) as error:
        read_archive(settings)
    assert str(error.value) == NO_ANSWER
    kept = finished_shards(output)
    with pytest.raises(ArchiveRunError) as error:
        read_archive(settings)
    assert str(error.value) == NO_ANSWER

    is_failing = False
    fresh_s3(AWS_ENDPOINT_URL=s3.environment["AWS_ENDPOINT_URL"])
    run = read_archive(settings)
    assert run.counts is not None and 0 < run.counts.rows_of_last_call < run.counts.rows and kept
    written = ds.dataset(output / ROWS).to_table()
    assert different_rows(with_sources(written, archive_in_s3, str(archive)), rows) == []
    assert not any(SECRET.encode() in file.read_bytes() for file in output.rglob("*") if file.is_file())
