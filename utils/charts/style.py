"""Colours, lines and layout that all charts share.

Colours: Okabe and Ito, "Color Universal Design", 2008 (the four that keep 3:1 contrast on white and on dark), and
cividis (Nunez et al., PLOS ONE 2018). Backgrounds are transparent and text has no colour of its own: the theme sets it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from utils.classes import CLASSES
from utils.wording import CLASS_TITLES

BLUE, VERMILLION, GREEN, PURPLE, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#888888"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)
CLASS_COLOURS = dict(zip(CLASSES, (VERMILLION, BLUE, GREEN, PURPLE), strict=True))
DASHES = ("solid", "dash", "dot", "dashdot")
_TITLE_WIDTH = 44  # characters that fit on a phone

Colours = Mapping[str, str]  # title of a model -> its colour


def finish(figure: go.Figure, title: str, height: int) -> go.Figure:
    """The figure with its title, which states the finding, and the common layout; height in pixels."""
    lines = -(-len(title) // _TITLE_WIDTH)
    wrapped = "<br>".join(textwrap.wrap(title, _TITLE_WIDTH if lines == 1 else len(title) // lines + 6))
    figure.update_layout(
        title={"text": wrapped, "x": 0, "xanchor": "left"}, height=height, showlegend=False, barmode="group",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", margin={"l": 10, "r": 10, "t": 70, "b": 10},
    )  # fmt: skip
    figure.update_xaxes(automargin=True, zeroline=False)
    return figure.update_yaxes(automargin=True, zeroline=False)


def line(x: Sequence | np.ndarray, y: Sequence | np.ndarray, colour: str, dash: str, name: str) -> go.Scatter:
    """A line without legend entry; `dash` is one of DASHES."""
    return go.Scatter(
        x=x, y=y, mode="lines", name=name, showlegend=False, line={"color": colour, "dash": dash, "width": 2},
        hovertemplate=f"{name}: %{{x:.3f}}, %{{y:.3f}}<extra></extra>",
    )  # fmt: skip


def class_ticks() -> list[str]:
    """The titles of CLASSES as axis labels, in two lines where they have two words."""
    return [CLASS_TITLES[name].replace(" ", "<br>") for name in CLASSES]


def model_colour(title: str, position: int, colours: Colours) -> str:
    """The colour of a model; one that has none gets a colour by its position."""
    return colours.get(title, COLOURS[(position + 2) % len(COLOURS)])


def dots(
    rows: Sequence[tuple[str, str, float, float, float]],
    in_words: Callable[[float], str],
    colours: Colours | None = None,
) -> go.Figure:
    """One row per dot with its interval: (row, model or "", value, low, high); the value is written beside the dot.

    in_words: the value as text, "91.2 %". colours: those of models, or of rows without a model, by title.
    """
    colours = colours or {}
    figure = go.Figure()
    networks = list(dict.fromkeys(network for _, network, *_ in rows))
    for number, network in enumerate(networks):
        own = [row for row in rows if row[1] == network]
        own_colours = [model_colour(network or name, number, colours) for name, *_ in own]
        for colour, (name, _, value, low, high) in zip(own_colours, own, strict=True):
            figure.add_trace(
                go.Scatter(
                    x=[value], y=[name], mode="markers+text", text=[f"{network} {in_words(value)}".strip()],
                    textposition="top center", marker={"size": 11, "color": colour}, offsetgroup=network,
                    error_x={"array": [high - value], "arrayminus": [value - low], "color": colour, "thickness": 2},
                    hovertemplate=f"%{{y}}: {in_words(value)}<extra></extra>", cliponaxis=False, orientation="h",
                )
            )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure.update_layout(scattermode="group", scattergap=0.3)
