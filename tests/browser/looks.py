"""How the browser tests look at a page: axe-core in both themes, sideways scrolling, pictures in runs/screenshots/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tests.browser.steps import settled, too_wide
from utils.paths import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = REPOSITORY / "runs" / "screenshots"
SERIOUS = ("serious", "critical")
LOOKS: list[tuple[int, Literal["light", "dark"]]] = [
    (390, "light"),
    (390, "dark"),
    (720, "light"),  # 1440 at 200 % zoom
    (1024, "light"),
    (1440, "dark"),
    (1440, "light"),
]
INSPECTED = (390, 1440)  # the widths at which axe-core runs


def problems_of(page: Page, state: str) -> list[str]:
    """What is wrong with a page in each width and theme, one line each; the page is 1440 wide and light afterwards.

    A page that scrolls sideways, and what axe-core finds serious or critical (WCAG 2.1 AA and its own rules). Of the
    dark theme only the contrast is inspected: the rest is the same.
    """
    PICTURES.mkdir(parents=True, exist_ok=True)
    problems = []
    for width, theme in LOOKS:
        name = f"{state}-{width}-{theme}"
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 1000})
        settled(page)
        page.screenshot(path=PICTURES / f"{name}.png")
        if too_wide(page):
            problems.append(f"{name}: scrolls sideways")
        if width in INSPECTED:
            problems += [f"{name}: {line}" for line in _findings(page, theme == "dark")]
    return problems


def _findings(page: Page, only_contrast: bool) -> list[str]:
    from axe_playwright_python.sync_playwright import Axe

    rules = {"runOnly": {"type": "rule", "values": ["color-contrast"]}} if only_contrast else {}
    return [
        f"{violation['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
        for violation in Axe()
        .run(page, options={"resultTypes": ["violations"], **rules})
        .response["violations"]
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]
