"""An S3 server (moto) on loopback with the drawn archive in a bucket."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import free_port

SECRET = "drawn-secret-of-the-tests"
BUCKET = "scans"


@dataclass(frozen=True)
class S3Server:
    """`client` is boto3's; `environment` is what a program needs to use the server."""

    server: Any
    client: Any
    environment: dict[str, str]

    def put(self, bucket: str, objects: dict[str, bytes]) -> None:
        for key, data in objects.items():
            self.client.put_object(Bucket=bucket, Key=key, Body=data)

    def new_bucket(self, name: str, objects: dict[str, bytes]) -> str:
        """A bucket with these objects; returns its URI."""
        self.client.create_bucket(Bucket=name)
        self.put(name, objects)
        return f"s3://{name}"


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server for the whole session, without buckets."""
    moto = pytest.importorskip("moto.server", reason="moto is not installed (requirements-dev.txt)")
    pytest.importorskip("s3fs", reason="s3fs is not installed (requirements-archive.txt)")
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    nothing = tmp_path_factory.mktemp("aws") / "none"
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(nothing),
        "AWS_SHARED_CREDENTIALS_FILE": str(nothing),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
    yield S3Server(server, client, environment)
    server.stop()


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The server, and this process with its address and credentials in the environment."""
    from s3fs import S3FileSystem

    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    yield s3_server
    S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="session")
def archive_in_s3(s3_server: S3Server, archive: Path) -> str:
    """The URI of a bucket with the files of `archive`. All tests share it: do not change the objects."""
    files = [file for file in archive.rglob("*") if file.is_file()]
    return s3_server.new_bucket(BUCKET, {str(file.relative_to(archive)): file.read_bytes() for file in files})
