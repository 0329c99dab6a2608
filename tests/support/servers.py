"""The real app in a process of its own, and headless Chromium to look at it."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.orthanc import Orthanc
from tests.support.orthanc import missing as orthanc_missing
from tests.support.processes import CHROMIUM_FLAGS, PATIENCE, Server, chromium, streamlit_server
from tests.support.processes import free_port as find_free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium; without one the test is skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = chromium()
    if path is None:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that returns a free port."""
    return find_free_port


@pytest.fixture(scope="session")
def serving() -> Callable[..., AbstractContextManager[str]]:
    """`with serving(models) as address`: the app in a process of its own that reads with these networks.

    The other arguments are those of `streamlit_server`.
    """

    @contextmanager
    def serve(
        models: Path | None = None, environment: Mapping[str, str] | None = None, **options: Any
    ) -> Iterator[str]:
        named = {} if models is None else {"BRAIN_MRI_MODELS": str(models)}
        with streamlit_server(environment=named | dict(environment or {}), **options) as server:
            _wait_until_healthy(server)
            yield server.address

    return serve


def _wait_until_healthy(server: Server) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert server.process.poll() is None, "the server has stopped"
        try:
            urllib.request.urlopen(f"{server.address}/_stcore/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"{server.address} did not answer")


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """An empty PACS; without Orthanc the test is skipped."""
    reason = orthanc_missing()
    if reason:
        pytest.skip(reason)
    server = Orthanc(tmp_path_factory.mktemp("orthanc"))
    server.start()
    yield server
    server.kill()
