"""Plotly figures of how far a network holds: right, elsewhere, when unsure, on worse pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from utils.charts.performance import (
    BLUE,
    DASHES,
    GRAY,
    GREEN,
    NO_COLOURS,
    PURPLE,
    VERMILLION,
    Colours,
    finish,
    line,
    model_colour,
)
from utils.records.measures import Interval, OverallFigures
from utils.records.robustness import RobustnessRecord

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)


def accuracies(models: Mapping[str, OverallFigures], colours: Colours = NO_COLOURS) -> go.Figure:
    """How often each network is right, with its interval. models: by title."""
    rows = [
        (title, 100 * (figures.accuracy or 0), *_percent(figures.accuracy_interval, figures.accuracy or 0))
        for title, figures in models.items()
    ]
    title, value, low, high = max(rows, key=lambda row: row[1])
    figure = dots([(row[0], "", *row[1:]) for row in rows], "{:.1f} %", colours)
    figure.update_xaxes(title="scans read rightly (%), 95 % interval", range=[0, 112],
                        tickvals=[0, 20, 40, 60, 80, 100])  # fmt: skip
    words = f"{title} is right on {value:.1f} % of scans ({low:.1f} to {high:.1f})"
    return finish(figure, words, 130 + 60 * len(rows))


def elsewhere(
    rows: Sequence[tuple[str, str, float, float, float]], colours: Colours = NO_COLOURS
) -> go.Figure:
    """Tumour at all, part by part of the test scans: (part, network title, AUC, low, high) each."""
    part, title, value, low, high = min(rows, key=lambda row: row[2])
    figure = dots(rows, "{:.3f}", colours)
    figure.update_xaxes(title="tumour at all: area under the ROC curve, 95 % interval",
                        range=[min(0.5, *(row[3] for row in rows)) - 0.02, 1.06])  # fmt: skip
    words = f"Tumours are hardest to find in {part}: AUC {value:.3f} ({low:.3f} to {high:.3f}, {title})"
    return finish(
        figure, words, 130 + 44 * len({row[0] for row in rows}) * max(len({row[1] for row in rows}), 1)
    )


def dots(
    rows: Sequence[tuple[str, str, float, float, float]], form: str, colours: Colours = NO_COLOURS
) -> go.Figure:
    """A dot and its interval a row: (row, network or "", value, low, high); the value stands beside its dot."""
    figure = go.Figure()
    networks = list(dict.fromkeys(network for _, network, *_ in rows))
    for number, network in enumerate(networks):
        own = [row for row in rows if row[1] == network]
        dot_colours = [model_colour(network or name, number, colours) for name, *_ in own]
        for colour, (name, _, value, low, high) in zip(dot_colours, own, strict=True):
            figure.add_trace(
                go.Scatter(
                    x=[value], y=[name], mode="markers+text", text=[f"{network} {form.format(value)}".strip()],
                    textposition="top center", marker={"size": 11, "color": colour}, offsetgroup=network,
                    error_x={"array": [high - value], "arrayminus": [value - low], "color": colour, "thickness": 2},
                    hovertemplate=f"%{{y}}: {form.format(value)}<extra></extra>", cliponaxis=False, orientation="h",
                )
            )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure.update_layout(scattermode="group", scattergap=0.3)


def _percent(interval: Sequence[float] | None, value: float) -> tuple[float, float]:
    low, high = interval or (value, value)
    return 100 * low, 100 * high


def tumor_roc(
    sources: Mapping[str, tuple[np.ndarray, np.ndarray]],
    intervals: Mapping[str, Interval | None] | None = None,
) -> go.Figure:
    """Tumour at all, a ROC curve a source: source -> scores (N,) float, tumor (N,) bool, both kinds present.

    intervals: source -> [low, high] of its area.
    """
    from sklearn.metrics import auc, roc_curve

    figure = go.Figure(line([0, 1], [0, 1], GRAY, "dot", "chance"))
    areas = {}
    for number, (source, (scores, tumor)) in enumerate(sources.items()):
        false, true, _ = roc_curve(tumor, scores)
        areas[source] = float(auc(false, true))
        span = (intervals or {}).get(source)
        told = f" ({span[0]:.3f}-{span[1]:.3f})" if span else ""
        colour = _COLOURS[number % len(_COLOURS)]
        figure.add_trace(line(false, true, colour, DASHES[number % len(DASHES)], source))
        figure.add_annotation(
            text=f'<span style="color:{colour}">■</span> {source}, AUC {areas[source]:.3f}{told}', showarrow=False,
            x=0.98, y=0.04 + 0.07 * number, xref="x domain", yref="y domain", xanchor="right", yanchor="bottom",
        )  # fmt: skip
    figure.update_xaxes(title="healthy scans called tumour (1 - specificity)", range=[0, 1])
    figure.update_yaxes(title="tumours found (sensitivity)", range=[0, 1.02])
    weakest = min(areas, key=lambda source: areas[source])
    return finish(figure, f"Tumours are hardest to find in {weakest}: AUC {areas[weakest]:.3f}", 440)


def risk_coverage(models: Mapping[str, pd.DataFrame], colours: Colours = NO_COLOURS) -> go.Figure:
    """Accuracy on the most certain scans, a curve a network with its interval: `calibration.risk_coverage`."""
    figure = go.Figure()
    told: list[str] = []
    names_at = {title: 100 * float(table["accuracy"].iloc[-1]) for title, table in models.items()}
    ranks = {title: rank for rank, title in enumerate(sorted(names_at, key=lambda title: names_at[title]))}
    for title, table in models.items():
        share, colour = 100 * table["share"], model_colour(title, len(told), colours)
        figure.add_trace(
            go.Scatter(
                x=[*share, *share[::-1]], y=[*(100 * table["high"]), *(100 * table["low"][::-1])], fill="toself",
                fillcolor=colour, opacity=0.15, line={"width": 0}, hoverinfo="skip", showlegend=False,
            )
        )  # fmt: skip
        accuracy = 100 * table["accuracy"]
        figure.add_trace(line(share, accuracy, colour, DASHES[len(told) % len(DASHES)], title))
        figure.add_annotation(
            x=100,
            y=accuracy.iloc[-1],
            text=title,
            showarrow=False,
            xanchor="left",
            xshift=6,
            yshift=14 * (ranks[title] - (len(ranks) - 1) / 2),  # curves that end together keep readable names
            font={"color": colour},
        )
        told.append(f"{title} {np.interp(80, share, accuracy):.1f} % right")
    figure.update_xaxes(title="scans that are answered, the most certain first (%)", range=[10, 118],
                        tickvals=[20, 40, 60, 80, 100])  # fmt: skip
    figure.update_yaxes(title="accuracy on them (%)")
    return finish(figure, f"On the most certain 80 %: {', '.join(told)}", 440)


def robustness(record: RobustnessRecord) -> go.Figure:
    """Accuracy under every degradation and level."""
    figure = go.Figure()
    worst = (2.0, "")
    for name, change in record.changes.items():
        percent = [100 * value for value in change.accuracy]
        levels = [f"{level:g}" for level in change.levels]
        figure.add_trace(
            go.Scatter(
                x=percent, y=[name] * len(percent), mode="lines+markers+text", text=levels, textposition="top center",
                marker={"size": 9, "color": BLUE}, line={"color": BLUE, "width": 1}, showlegend=False,
                hovertemplate=f"{name} %{{text}} {change.unit}: %{{x:.1f}} %<extra></extra>", cliponaxis=False,
            )
        )  # fmt: skip
        lowest = min(range(len(percent)), key=percent.__getitem__)
        worst = min(worst, (change.accuracy[lowest], f"{name} {levels[lowest]}".removesuffix(" 1")))
    figure.add_vline(x=100 * record.accuracy, line={"color": GRAY, "dash": "dot", "width": 1})
    figure.update_xaxes(title="accuracy (%); dotted: the scans as they are", range=[0, 104])
    figure.update_yaxes(autorange="reversed")
    finding = (
        f"Falls furthest under {worst[1]}: {100 * worst[0]:.0f} % instead of {100 * record.accuracy:.0f} %"
    )
    return finish(figure, finding, 480)
