"""The real app in a process of its own, and headless Chromium to look at it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds until a server answers
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; without one the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that returns a free port."""

    def find() -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    return find


@pytest.fixture(scope="session")
def serving(free_port: Callable[[], int]) -> Callable[..., AbstractContextManager[str]]:
    """`with serving(models) as address`: the app in a process of its own that reads with these networks.

    `options` go to `streamlit run`, the output of the process to `log`; `program` replaces `-m streamlit`.
    """

    @contextmanager
    def serve(
        models: Path | None = None,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        port: int | None = None,
        program: Sequence[str] = ("-m", "streamlit"),
        script: Path = REPOSITORY / "app.py",
    ) -> Iterator[str]:
        port = port or free_port()
        command = [sys.executable, *program, "run", str(script), "--server.headless", "true"]
        named = {} if models is None else {"BRAIN_MRI_MODELS": str(models)}
        with (log or Path(os.devnull)).open("wb") as output:
            server = subprocess.Popen(
                [*command, "--server.port", str(port), *options],
                cwd=REPOSITORY,
                env=os.environ | named | dict(environment or {}),
                stdout=output,
                stderr=output,
            )
            try:
                _wait_for(f"http://127.0.0.1:{port}/_stcore/health", server)
                yield f"http://127.0.0.1:{port}"
            finally:
                server.terminate()
                server.wait(60)

    return serve


def _wait_for(address: str, server: subprocess.Popen) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert server.poll() is None, "the server has stopped"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{address} did not answer")
