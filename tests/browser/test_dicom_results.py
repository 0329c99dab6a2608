"""DICOM results in the app: off until the choice, then a ZIP of objects on the Read and Volume pages."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import pydicom
import pytest
from playwright.sync_api import expect

from tests.browser.steps import go, settled, upload
from tests.support import mr_series
from tests.support.mr_series import Drawn
from utils.reports.dicom.made import kind_of

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.browser

FILES = mr_series.series(Drawn(mr_series.SAGITTAL, slices=3))
CHOICE = "DICOM results for this study"


def button(page: Page) -> Locator:
    """The button that opens the choice of objects; the help of the switch has a similar name."""
    return page.locator('[data-testid="stPopover"]', has_text="DICOM results").get_by_role("button")


def choose(page: Page) -> None:
    """Press the switch, which is folded away with the uploader."""
    switch = page.get_by_text(CHOICE, exact=True)
    while not switch.is_visible():  # a rerun may fold it again
        page.locator("summary", has_text="Add scans").click()
        page.wait_for_timeout(500)
    switch.click()


def downloaded(page: Page) -> dict[str, pydicom.Dataset]:
    """The objects of the ZIP, by the names of its files."""
    button(page).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        return {name: pydicom.dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist()}


def test_objects_of_a_series_are_downloaded_after_the_choice(page: Page, address: str) -> None:
    page.goto(address)
    upload(page, dict(FILES))
    expect(page.get_by_role("button", name="Report of this scan (PDF)")).to_be_visible()
    settled(page)
    assert button(page).count() == 0

    choose(page)
    expect(page.get_by_text("add its files again")).to_be_visible()
    upload(page, dict(FILES))
    expect(button(page)).to_be_visible()
    settled(page)
    made = downloaded(page)
    assert [*made] == ["sr.dcm", "capture.dcm", "pdf.dcm"]  # the small networks outline nothing
    source = pydicom.dcmread(io.BytesIO(FILES[0][1]))
    for name, ds in made.items():
        assert kind_of(ds) == name.removesuffix(".dcm")
        assert (ds.StudyInstanceUID, ds.PatientID) == (source.StudyInstanceUID, source.PatientID)
    assert mr_series.PATIENT not in page.content()

    go(page, "Volume")
    expect(button(page)).to_be_visible()
    assert {ds.SOPInstanceUID for ds in downloaded(page).values()} == {
        ds.SOPInstanceUID for ds in made.values()
    }

    go(page, "Read")
    choose(page)
    expect(button(page)).to_have_count(0)
