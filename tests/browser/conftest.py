"""A server with small networks for all browser tests, and a tab that notices errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.steps import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

    Serving = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def address(browser: Browser, serving: Serving, tiny_models: Path) -> Iterator[str]:
    with serving(tiny_models) as address:
        yield address


@pytest.fixture(scope="session")
def site_address(browser: Browser, serving: Serving, site_models: Path) -> Iterator[str]:
    """That of a server whose networks are right on the scans of `site_zip`."""
    with serving(site_models) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab of its own; errors on its console, and requests that leave this machine, fail the test."""
    tab = browser.new_page(viewport={"width": 1440, "height": 1200})
    tab.set_default_timeout(PATIENCE * 1000)
    errors: list[str] = []

    def note(message: ConsoleMessage) -> None:
        source = message.location["url"]
        if (
            message.type == "error" and "/_stcore/" not in source
        ):  # Streamlit looks for itself below each page
            errors.append(f"{message.text} {source}")

    def stay_here(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:")):
            errors.append(f"asked for {request.url}")

    tab.on("console", note)
    tab.on("request", stay_here)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    tab.close()
    assert not errors
