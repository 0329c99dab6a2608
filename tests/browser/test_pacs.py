"""The PACS page in a real browser with a real archive: search, choose, load, read."""

from __future__ import annotations

import base64
import re
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.looks import problems_of
from tests.browser.steps import READY, go, settled
from tests.support.mr_series import Drawn, series
from tests.support.orthanc import Orthanc, missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

    Serving = Callable[..., AbstractContextManager[str]]

pytestmark = pytest.mark.browser
PASSWORD = "open sesame"


@pytest.fixture
def archive(tmp_path: Path):
    """A PACS that asks for a password, with one study."""
    if missing():
        pytest.skip(missing())
    server = Orthanc(tmp_path / "orthanc", password=PASSWORD)
    server.start()
    token = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
    for _, data in series(Drawn(slices=3, shape=(130, 120))):
        request = urllib.request.Request(f"http://127.0.0.1:{server.http}/instances", data)
        request.add_header("Authorization", f"Basic {token}")
        urllib.request.urlopen(request, timeout=60).close()
    yield server
    server.kill()


def test_series_of_the_archive_is_read(
    page: Page, serving: Serving, tiny_models: Path, archive: Orthanc, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(f'[pacs]\nurl = "{archive.dicomweb}"\nuser = "reader"\npassword = "{PASSWORD}"\n')
    with serving(tiny_models, options=["--secrets.files", str(secrets)]) as address:
        page.goto(address)
        go(page, "PACS")
        expect(page.get_by_role("button", name="Search for MR studies")).to_be_visible()
        assert not problems_of(page, "pacs-empty")
        page.get_by_label("Patient ID").fill("D-1")
        page.get_by_role("button", name="Search for MR studies").click()
        expect(page.locator("td", has_text="Drawn study")).to_be_attached()
        settled(page)
        assert PASSWORD not in page.content() and archive.dicomweb not in page.content()
        assert not problems_of(page, "pacs-studies")
        page.get_by_role("button", name="Load series").click()
        expect(page.locator(f'{READY} canvas[aria-label^="The scan PACS 1 (1)"]').first).to_be_visible()
        expect(page).to_have_url(re.compile(rf"{address}/?(read)?$"))


def test_page_is_not_there_without_configuration(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("link", name="Volume", exact=True).first).to_be_attached()
    expect(page.get_by_role("link", name="PACS", exact=True)).to_have_count(0)
