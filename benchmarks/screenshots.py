"""Draw the screenshots of the documentation: `python -m benchmarks.screenshots docs/pictures`.

They show the synthetic example of the app and a rejected file, never the scan of a person.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.speed.browser import EVIDENCE, browsing, read_example, server, tab
from utils.paths import REPOSITORY


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("Name the folder of the screenshots: `python -m benchmarks.screenshots docs/pictures`.")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with (
        browsing() as browser,
        tempfile.TemporaryDirectory() as scratch,
        server(REPOSITORY / "app.py") as (_, _, url),
        tab(browser) as page,
    ):

        def save(name: str) -> None:
            page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
            page.wait_for_timeout(1500)  # charts are drawn after the script has finished
            page.screenshot(path=folder / f"{name}.png")

        page.goto(url)
        read_example(page)
        note = Path(scratch, "referral letter.png")
        note.write_bytes(b"This is not an image.")
        page.set_input_files('input[type="file"]', note)
        page.locator('[data-testid="stAlert"]', has_text=note.name).first.wait_for()
        save("read")
        page.get_by_role("link", name="Compare").click()
        page.locator(EVIDENCE).nth(1).wait_for()
        save("compare")
        page.get_by_role("link", name="Heatmaps").click()
        page.locator(EVIDENCE).nth(1).wait_for()
        save("heatmaps")
        page.get_by_role("link", name="Evaluation").click()
        page.locator(".js-plotly-plot").first.wait_for()
        save("evaluation")


if __name__ == "__main__":
    main()
