"""Training curves."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from utils.charts.style import BLUE, GRAY, VERMILLION, finish, line


def training_curves(history: Sequence[Mapping]) -> go.Figure:
    """Losses and validation accuracy over the epochs; a dotted line where the phase changes.

    A ring marks the epoch that was kept: the lowest validation loss of the last phase.

    history: one mapping an epoch with phase, epoch, loss, validation_loss (nats), validation_accuracy (0..1).
    Raises ValueError where it is empty.
    """
    if not history:
        raise ValueError("There is no epoch to draw.")
    table = pd.DataFrame(list(history))
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.6, 0.4], vertical_spacing=0.08)
    last = table.iloc[-1]
    for column, other, title, colour, dash in (
        ("loss", "validation_loss", "training", VERMILLION, "dash"),
        ("validation_loss", "loss", "validation", BLUE, "solid"),
    ):
        figure.add_trace(line(table["epoch"], table[column], colour, dash, title), row=1, col=1)
        figure.add_annotation(
            x=last["epoch"], y=last[column], text=title, showarrow=False, xanchor="left", xshift=6,
            yanchor="bottom" if last[column] > last[other] else "top",  # apart where the lines end together
        )  # fmt: skip
    percent = 100 * table["validation_accuracy"]
    figure.add_trace(line(table["epoch"], percent, BLUE, "solid", "validation accuracy"), row=2, col=1)
    final = table[table["phase"] == last["phase"]]  # an earlier phase may have another input size
    best = final.loc[final["validation_loss"].idxmin()]
    figure.add_trace(
        go.Scatter(
            x=[best["epoch"]], y=[best["validation_loss"]], mode="markers", showlegend=False,
            marker={"size": 11, "symbol": "circle-open", "color": BLUE, "line": {"width": 2}}, hoverinfo="skip",
        ),
        row=1, col=1,
    )  # fmt: skip
    changes = table[table["phase"] != table["phase"].shift()]
    if len(changes) > 1:
        _mark_phases(figure, changes)
    figure.update_xaxes(range=[table["epoch"].min() - 0.5, table["epoch"].max() + 0.5])
    figure.update_xaxes(title="epoch", row=2, col=1)
    figure.update_yaxes(title="loss (nats)", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="accuracy (%)", row=2, col=1)
    kept = f"epoch {best['epoch']:.0f} of {len(table)}"
    title = f"Weights kept from {kept}: validation loss {best['validation_loss']:.2f}"
    figure = finish(figure, title, 480)
    return figure.update_layout(margin_r=80, margin_t=100)


def _mark_phases(figure: go.Figure, changes: pd.DataFrame) -> None:
    for number, (epoch, phase) in enumerate(zip(changes["epoch"], changes["phase"], strict=True)):
        start = epoch - 0.5
        if number:
            figure.add_vline(x=start, line={"color": GRAY, "dash": "dot", "width": 1})
        figure.add_annotation(
            x=start, y=1, yref="y domain", text=textwrap.fill(str(phase), 18).replace("\n", "<br>"),
            showarrow=False, xanchor="left", yanchor="bottom", align="left",
        )  # fmt: skip
