"""Charts of localisation: saliency maps and outlines against reference segmentations."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from utils.charts.style import Colours, dots, finish
from utils.records.explanations import ExplanationsRecord
from utils.records.measures import Figures
from utils.records.segmentation import OutlineFigures, OutlineRecord
from utils.wording import CLASS_TITLES, percent, value_with_interval


def pointing(records: Mapping[str, ExplanationsRecord], colours: Colours | None = None) -> go.Figure:
    """How often the peak activation of each method's map is inside the tumour, one row per method.

    records, colours: by title of the network.
    """
    rows = [
        (figures.title, network, *_percents(figures.tumors, "pointing"))
        for network, record in records.items()
        for figures in record.methods.values()
        if figures.tumors.n
    ]
    method, network, value, low, high = max(rows, key=lambda row: row[2])
    figure = dots(rows, lambda value: percent(value / 100), colours)
    figure.update_xaxes(title="peak activation inside the tumour (% of maps), 95 % CI",
                        range=[0, 112], tickvals=[0, 20, 40, 60, 80, 100])  # fmt: skip
    share = value_with_interval(value / 100, (low / 100, high / 100), 0)
    words = f"{method} of {network}: peak activation inside the tumour in {share}"
    return finish(figure, words, 130 + 44 * len(rows))


def outlines(record: OutlineRecord) -> go.Figure:
    """Mean Dice of outlines over all tumours, by class and by size."""
    parts: dict[str, OutlineFigures] = {"all tumours": record}
    parts |= {CLASS_TITLES.get(name, name): part for name, part in record.classes.items()}
    parts |= {f"{name} tumours": part for name, part in record.sizes.items()}
    rows = [
        (name, "", part.dice, *(part.interval("dice") or (part.dice, part.dice)))
        for name, part in parts.items()
        if part.dice is not None
    ]
    figure = dots(rows, "{:.2f}".format)
    figure.update_xaxes(
        title="overlap of outline and reference segmentation (Dice), 95 % CI", range=[0, 1.06]
    )
    false = record.false_outlines_per_100
    words = f"Mean Dice of outlines {record.dice:.2f}"
    if false is not None:
        words += f"; false-positive rate {false:.1f} % on scans without tumour"
    return finish(figure, words, 130 + 60 * len(rows))


def _percents(figures: Figures, name: str) -> tuple[float, float, float]:
    value = figures.figure(name) or 0.0
    low, high = figures.interval(name) or (value, value)
    return 100 * value, 100 * low, 100 * high
