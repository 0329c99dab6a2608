"""What all tests of pages do with Streamlit's AppTest, and what they look at."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
from streamlit.testing.v1 import AppTest

from utils.reading.worklist import Entry

ROOT = Path(__file__).parents[2]


def opened(name: str, *entries: Entry) -> AppTest:
    """A page of `pages/` with entries on the worklist, after its first run."""
    page = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=60)
    page.session_state["worklist"] = {entry.key: entry for entry in entries}
    return again(page)


def again(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def plain(words: str) -> str:
    """The words with simple spaces and hyphens."""
    return words.replace("\u00a0", " ").replace("\u2011", "-")


def charts_of(page: AppTest) -> list[dict]:
    """What plotly was given."""
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def probabilities_of(page: AppTest) -> pd.DataFrame | None:
    """The table of class probabilities, a column per model; None where there is none."""
    for element in page.get("html"):
        if "probabilities" in element.proto.body:
            return table_of(element.proto.body)
    return None


def table_of(markup: str) -> pd.DataFrame:
    """The table in a piece of HTML, with its first column as the index."""
    table = ElementTree.fromstring(markup[markup.index("<table") :])
    head, *rows = (["".join(cell.itertext()) for cell in row] for row in table.iter("tr"))
    return pd.DataFrame(rows, columns=head).set_index(head[0])


def viewer_of(page: AppTest) -> dict:
    """What the linked pictures were given."""
    (viewer,) = (
        element for element in page.get("bidi_component") if element.proto.component_name == "scan_viewer"
    )
    return json.loads(viewer.proto.json)


def views_beside(page: AppTest) -> list[dict]:
    """What the viewer would show of the scans beside the one in view."""
    shown = page.get("bidi_component")
    return [json.loads(each.proto.json) for each in shown if each.proto.component_name == "views_beside"]


def component_of(page: AppTest, name: str) -> dict:
    """What a component was given."""
    (shown,) = (element for element in page.get("bidi_component") if element.proto.component_name == name)
    return json.loads(shown.proto.json)


def worklist_of(page: AppTest) -> pd.DataFrame:
    """The rows of the worklist beside the scan."""
    titles = {"name": "Scan", "title": "Status", "review": "Review", "answer": "Answer"}
    return pd.DataFrame(component_of(page, "worklist")["rows"]).rename(columns=titles)


def pictures_of(page: AppTest) -> list[str]:
    """The addresses of the scan and of each network's evidence; equal addresses are equal pictures."""
    viewer = viewer_of(page)
    assert [bool(pane["evidence"]) for pane in viewer["panes"]] == [False, True, True]
    return [viewer["scan"], *(pane["evidence"] for pane in viewer["panes"][1:])]
