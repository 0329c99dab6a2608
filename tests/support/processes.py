"""A Streamlit server in a process of its own, free ports and the path of Chromium. Standard library only."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds until a server answers
CHROMIUM_FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


class ServerFailed(RuntimeError):
    """The server ended or did not answer in time."""


@dataclass(frozen=True)
class Server:
    """A running server; `begin` is the time (`time.perf_counter`) at which its process was started."""

    process: subprocess.Popen
    begin: float
    address: str


def chromium() -> str | None:
    """The path of Chromium or Chrome; None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def streamlit_server(
    script: Path = REPOSITORY / "app.py",
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
    port: int | None = None,
    program: Sequence[str] = ("-m", "streamlit"),
) -> Iterator[Server]:
    """A Streamlit server on loopback that accepts connections, with this repository's settings.

    `options` go to `streamlit run`, the output of the process is appended to `log`; `program` replaces `-m streamlit`.
    Raises ServerFailed if it does not start.
    """
    port = port or free_port()
    command = [sys.executable, *program, "run", str(script), "--server.headless", "true"]
    command += ["--server.port", str(port), *options]
    with (log or Path(os.devnull)).open("ab") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=os.environ | dict(environment or {}), stdout=output, stderr=output
        )
        try:
            while not _listens(port):
                if process.poll() is not None or time.perf_counter() - begin > PATIENCE:
                    raise ServerFailed(f"The server did not start; see why with `{' '.join(command)}`.")
                time.sleep(0.01)
            yield Server(process, begin, f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
