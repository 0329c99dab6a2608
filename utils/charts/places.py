"""Plotly figures of places: do maps point at tumours, do outlines lie on them."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from utils.charts.performance import finish
from utils.charts.trust import dots
from utils.wording import CLASS_TITLES


def pointing(records: Mapping[str, Mapping]) -> go.Figure:
    """How often the strongest place of each method's map lies in the tumour, a row a method.

    records: network title -> what `evaluations.load_explanations` gives.
    """
    rows = [
        (figures["title"], network, *_percents(figures["tumors"], "pointing"))
        for network, record in records.items()
        for figures in record["methods"].values()
        if figures["tumors"]["n"]
    ]
    method, network, value, low, high = max(rows, key=lambda row: row[2])
    figure = dots(rows, "{:.0f} %")
    figure.update_xaxes(title="strongest place in the tumour (% of maps), 95 % interval",
                        range=[0, 112], tickvals=[0, 20, 40, 60, 80, 100])  # fmt: skip
    words = f"{method} of {network} points into the tumour in {value:.0f} % ({low:.0f} to {high:.0f})"
    return finish(figure, words, 130 + 44 * len(rows))


def outlines(record: Mapping) -> go.Figure:
    """The overlap of outline and tumour (Dice), over all scans, by class and by size: `evaluations.load_outlines`."""
    parts = {"all tumours": record}
    parts |= {CLASS_TITLES.get(name, name): part for name, part in record["classes"].items()}
    parts |= {f"{name} tumours": part for name, part in record["sizes"].items()}
    rows = [
        (name, "", part["dice"], *(part["dice_interval"] or (part["dice"], part["dice"])))
        for name, part in parts.items()
        if part["dice"] is not None
    ]
    figure = dots(rows, "{:.2f}")
    figure.update_xaxes(title="overlap of outline and tumour (mean Dice), 95 % interval", range=[0, 1.06])
    false = record["false_outlines_per_100"]
    words = f"Outlines overlap by {record['dice']:.2f} (Dice)"
    if false is not None:
        words += f"; of 100 healthy scans {false:.1f} get one"
    return finish(figure, words, 130 + 60 * len(rows))


def _percents(figures: Mapping, name: str) -> tuple[float, float, float]:
    value = 100 * figures[name]
    low, high = figures[f"{name}_interval"] or (figures[name], figures[name])
    return value, 100 * low, 100 * high
