"""A Ray cluster of one machine, started like a user's, on free loopback ports."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import PATIENCE, free_port
from tests.support.s3 import S3Server

PORTS = (
    "port", "ray-client-server-port", "dashboard-agent-listen-port", "dashboard-agent-grpc-port", "metrics-export-port",
    "node-manager-port", "object-manager-port", "runtime-env-agent-port",
)  # fmt: skip
TOKEN = "0123456789abcdef" * 4


@pytest.fixture
def ray_cluster(running_cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the cluster, with its token in the environment."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("RAY_AUTH_MODE", "")  # so that what Ray writes there is removed again
    monkeypatch.delenv("RAY_AUTH_MODE")
    return running_cluster


@pytest.fixture(scope="session")
def running_cluster(s3_server: S3Server) -> Iterator[str]:
    """A cluster with two cores that demands a token, and whose machine has the credentials of the S3 server."""
    pytest.importorskip("ray.data", reason="Ray is not installed (requirements-archive.txt)")
    from benchmarks.faults.archive_kills import descendants
    from utils.archive.cluster import ENVIRONMENT

    ports = {name: free_port() for name in PORTS}
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        command = [
            str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--node-ip-address=127.0.0.1",
            "--num-cpus=2", "--object-store-memory=200000000", "--include-dashboard=false",
            "--include-log-monitor=false", "--disable-usage-stats", f"--temp-dir={folder}",
            *(f"--{name}={port}" for name, port in ports.items()),
        ]  # fmt: skip
        environment = os.environ | s3_server.environment | ENVIRONMENT
        environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
        log = Path(folder, "start.log")
        with log.open("wb") as stream:
            process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream)
        try:
            end = time.monotonic() + PATIENCE
            while "Ray runtime started" not in log.read_text():
                assert process.poll() is None and time.monotonic() < end, log.read_text()
                time.sleep(0.2)
            yield f"127.0.0.1:{ports['port']}"
        finally:
            for pid in (process.pid, *descendants(process.pid)):  # `ray stop` would end every cluster
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
