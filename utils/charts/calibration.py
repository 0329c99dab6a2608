"""Charts of confidence: is it justified, and what does referral of uncertain scans gain?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from utils.charts import titles
from utils.charts.style import BLUE, DASHES, GRAY, Colours, finish, line, model_colour


def reliability_diagram(table: pd.DataFrame) -> go.Figure:
    """Accuracy against confidence with Wilson whiskers, the counts below. table: `calibration.reliability`."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.06)
    figure.add_trace(line([0, 1], [0, 1], GRAY, "dot", "perfect calibration"), row=1, col=1)
    accuracy = table["accuracy"]
    figure.add_trace(
        go.Scatter(
            x=table["confidence"], y=accuracy, mode="lines+markers", line={"color": BLUE}, marker={"size": 8},
            error_y={"array": table["accuracy_high"] - accuracy, "arrayminus": accuracy - table["accuracy_low"]},
            customdata=table["count"], showlegend=False,
            hovertemplate="confidence %{x:.3f}, accuracy %{y:.3f}, %{customdata} scans<extra></extra>",
        ),
        row=1, col=1,
    )  # fmt: skip
    figure.add_trace(
        go.Bar(
            x=(table["low"] + table["high"]) / 2, y=table["count"], width=(table["high"] - table["low"]) * 0.9,
            text=table["count"], textposition="outside", cliponaxis=False, marker_color=BLUE, showlegend=False,
            hovertemplate="%{y} scans<extra></extra>",
        ),
        row=2, col=1,
    )  # fmt: skip
    figure.update_xaxes(range=[0, 1.01])
    figure.update_xaxes(title="confidence (predicted probability of the label)", row=2, col=1)
    figure.update_yaxes(title="accuracy", range=[0, 1.02], row=1, col=1)
    figure.update_yaxes(title="scans", range=[0, 1.3 * table["count"].max()], nticks=3, row=2, col=1)
    figure.add_annotation(
        x=0.98, y=0.08, text="dotted: perfect calibration", showarrow=False, xanchor="right"
    )
    return finish(figure, titles.calibration(table), 500)


def risk_coverage(models: Mapping[str, pd.DataFrame], colours: Colours | None = None) -> go.Figure:
    """Accuracy on the most confident scans, one curve per model with its interval.

    models: title -> table of `utils.metrics.calibration.risk_coverage`. colours: by title.
    """
    figure = go.Figure()
    at_80_percent: list[str] = []
    names_at = {title: 100 * float(table["accuracy"].iloc[-1]) for title, table in models.items()}
    ranks = {title: rank for rank, title in enumerate(sorted(names_at, key=lambda title: names_at[title]))}
    for title, table in models.items():
        share, colour = 100 * table["share"], model_colour(title, len(at_80_percent), colours or {})
        figure.add_trace(
            go.Scatter(
                x=[*share, *share[::-1]], y=[*(100 * table["high"]), *(100 * table["low"][::-1])], fill="toself",
                fillcolor=colour, opacity=0.15, line={"width": 0}, hoverinfo="skip", showlegend=False,
            )
        )  # fmt: skip
        accuracy = 100 * table["accuracy"]
        figure.add_trace(line(share, accuracy, colour, DASHES[len(at_80_percent) % len(DASHES)], title))
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
        at_80_percent.append(f"{title} {np.interp(80, share, accuracy):.1f} %")
    figure.update_xaxes(title="coverage: scans not referred, most confident first (%)", range=[10, 118],
                        tickvals=[20, 40, 60, 80, 100])  # fmt: skip
    figure.update_yaxes(title="accuracy on these scans (%)")
    return finish(figure, f"Accuracy at 80 % coverage: {', '.join(at_80_percent)}", 440)
