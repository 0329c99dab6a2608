"""What the browser tests do and look at, again and again."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.support.mr_series import Drawn, series

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocketRoute

PATIENCE = 120  # seconds; a busy machine loads TensorFlow slowly
expect.set_options(timeout=PATIENCE * 1000)
PAGES = ("", "volume", "compare", "heatmaps", "cases", "evaluation", "acceptance", "about")
TITLES = ("Read", "Volume", "Compare", "Heatmaps", "Cases", "Evaluation", "Acceptance", "About")
READY = ".viewer[data-ready]"
SPACING = 0.5  # mm of a pixel of `drop_series`
SCAN = 'canvas[aria-label="The scan scan.png"]'  # the text for screen readers
EVIDENCE = 'canvas[aria-label*="Grad-CAM saliency map of {}"]'

DROP = """(zone, [name, data]) => {
    const bytes = Uint8Array.from(atob(data), sign => sign.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, { type: "image/png" }));
    for (const kind of ["dragenter", "dragover", "drop"])
        zone.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


class Connection:
    """A page's connection to the server, made before the page is opened: what the page sends can be held back."""

    def __init__(self, page: Page) -> None:
        self._waiting: list[str | bytes] | None = None
        page.route_web_socket("**/_stcore/stream", self._open)

    def _open(self, page: WebSocketRoute) -> None:
        self._server = page.connect_to_server()
        page.on_message(self._send)

    def _send(self, message: str | bytes) -> None:
        if self._waiting is None:
            self._server.send(message)
        else:
            self._waiting.append(message)

    def hold(self) -> None:
        self._waiting = []

    def release(self) -> None:
        """Send what waited, all at once."""
        waiting, self._waiting = self._waiting or [], None
        for message in waiting:
            self._server.send(message)


def upload(page: Page, files: dict[str, bytes]) -> None:
    from playwright.sync_api import FilePayload

    payloads = [FilePayload(name=name, mimeType="image/png", buffer=data) for name, data in files.items()]
    page.locator('input[type="file"]').set_input_files(payloads)


def drop_series(page: Page, address: str) -> None:
    """Eight slices of a drawn head, `SPACING` mm a pixel, on the Read page."""
    from playwright.sync_api import FilePayload

    page.goto(address)
    drawn = Drawn(slices=8, shape=(64, 60), spacing=(SPACING, SPACING))
    files = [
        FilePayload(name=name, mimeType="application/dicom", buffer=data) for name, data in series(drawn)
    ]
    page.locator('input[type="file"]').set_input_files(files)
    expect(place_of(page)).to_contain_text("with brain")
    settled(page)


def place_of(page: Page) -> Locator:
    return page.locator(f"{READY} .place")


def go(page: Page, title: str) -> None:
    """To another page of the same session; on a narrow screen the way there is in the menu."""
    link = page.get_by_role("link", name=title, exact=True).first
    expect(link).to_be_attached()
    place = link.bounding_box()
    if place is None or place["x"] < 0:
        page.locator('[data-testid="stExpandSidebarButton"]').click()
        page.wait_for_function("link => link.getBoundingClientRect().x >= 0", arg=link.element_handle())
        link.click()
        close = page.locator('[data-testid="stSidebarCollapseButton"] button')
        if close.is_visible():  # it stays open where the page is the one that was open
            close.click()
        page.wait_for_function("link => link.getBoundingClientRect().x < 0", arg=link.element_handle())
        return
    link.click()


def settled(page: Page) -> None:
    """Nothing runs any more."""
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible()
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def too_wide(page: Page) -> bool:
    """Whether the page, and not only a box in it, scrolls sideways, after five seconds: charts follow late."""
    wide = (
        "() => [document.scrollingElement, document.querySelector('[data-testid=stMain]')]"
        ".some(box => box.scrollWidth > box.clientWidth)"
    )
    for _ in range(20):
        if not page.evaluate(wide):
            return False
        page.wait_for_timeout(250)
    return True


def measure_site(page: Page, address: str, site: bytes) -> None:
    """Drop a ZIP on the Acceptance page and have it measured."""
    page.goto(f"{address}/acceptance")
    zone = page.locator('[data-testid="stFileUploaderDropzone"]').first
    expect(zone).to_be_visible()
    zone.evaluate(DROP, ["site.zip", base64.b64encode(site).decode()])
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_role("table").first).to_be_visible()
    settled(page)


def side_by_side(page: Page) -> None:
    """All panes of the Read page at one size, with the whole tool bar."""
    layout = page.get_by_role("button", name="Layout:")
    for panes in (2, 3):
        layout.click()
        expect(layout).to_have_text(f"Layout: {panes}")


def picture(page: Page, selector: str) -> np.ndarray:
    """(H, W, 3) int of what a pane of the viewer shows."""
    element: Locator = page.locator(f"{READY} {selector}").first
    expect(element).to_be_visible()
    assert element.bounding_box() is not None
    data = element.evaluate("canvas => canvas.toDataURL('image/png')").partition(",")[2]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=int)


def at_size_of(shown: np.ndarray, brain: np.ndarray) -> np.ndarray:
    """A (h, w, 3) picture at the size of a scan (H, W), (H, W, 3) float."""
    size = (brain.shape[1], brain.shape[0])
    return cv2.resize(shown.astype(np.float32), size, interpolation=cv2.INTER_AREA)


def overlays(page: Page) -> list[np.ndarray]:
    """The pictures of both networks, beside the scan."""
    return [picture(page, EVIDENCE.format(title)) for title in ("CNN", "VGG16")]
