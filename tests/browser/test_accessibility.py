"""axe-core on every page and state, and a picture of each to be looked at: runs/screenshots/."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.sync_api import expect

from tests.browser.steps import PATIENCE, SCAN, TITLES, go, measure_site, settled, too_wide, upload
from utils.paths import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser
PICTURES = REPOSITORY / "runs" / "screenshots"
SERIOUS = ("serious", "critical")


LOOKS: list[tuple[int, Literal["light", "dark"]]] = [
    (1440, "light"),
    (1440, "dark"),
    (390, "light"),
    (390, "dark"),
]


@pytest.fixture(params=LOOKS, ids=str)
def look(request: pytest.FixtureRequest, browser: Browser) -> Iterator[tuple[Page, str]]:
    """A tab of some width in some theme, and what its pictures are called."""
    width, theme = request.param
    tab = browser.new_page(viewport={"width": width, "height": 1000}, color_scheme=theme)
    tab.set_default_timeout(PATIENCE * 1000)
    yield tab, f"{width}-{theme}"
    tab.close()


def findings(page: Page) -> list[str]:
    """What axe-core finds serious or critical (WCAG 2.1 AA and its own rules), one line each."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


def test_no_page_has_a_serious_finding(
    look: tuple[Page, str], address: str, png_bytes: Callable[[int], bytes]
) -> None:
    page, name = look
    PICTURES.mkdir(parents=True, exist_ok=True)
    by_state = {}

    def inspect(state: str) -> None:
        settled(page)
        page.screenshot(path=PICTURES / f"{state}-{name}.png", full_page=True)
        by_state[state] = findings(page)

    page.goto(address)
    expect(page.get_by_text("Upload brain MRI for analysis")).to_be_visible()
    for title in TITLES:
        go(page, title)
        inspect(f"{title.lower()}-empty")
    go(page, "Read")
    upload(page, {"scan.png": png_bytes(0), "other.png": png_bytes(1), "broken.png": b"no picture"})
    expect(page.locator(SCAN)).to_be_visible()
    for title in TITLES:
        go(page, title)
        inspect(f"{title.lower()}-loaded")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    inspect("shortcuts")
    assert not [f"{state}: {line}" for state, lines in by_state.items() for line in lines]


def test_figures_of_a_site_have_no_serious_finding(page: Page, site_address: str, site_zip: bytes) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    measure_site(page, site_address, site_zip)
    lines = []
    for width, theme in LOOKS:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 1000})
        settled(page)
        expect(page.locator(".js-plotly-plot")).to_be_visible()
        page.screenshot(path=PICTURES / f"acceptance-figures-{width}-{theme}.png", full_page=True)
        lines += [f"{width}-{theme}: {line}" for line in findings(page)]
        assert not too_wide(page)
    assert not lines
