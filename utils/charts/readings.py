"""Charts of the readings of the loaded scans."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from utils.charts import titles
from utils.charts.style import (
    BLUE,
    CLASS_COLOURS,
    DASHES,
    GRAY,
    finish,
)
from utils.classes import CLASSES
from utils.wording import CLASS_TITLES


def tumour_scatter(names: Sequence[str], probabilities: Mapping[str, Sequence[float]]) -> go.Figure:
    """Probability of any tumour (0..1), one model against the other, one point per scan; exactly two models."""
    (first, across), (second, up) = probabilities.items()
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[0, 100],
            y=[0, 100],
            mode="lines",
            hoverinfo="skip",
            line={"color": GRAY, "dash": "dot", "width": 1},
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[100 * value for value in across], y=[100 * value for value in up], mode="markers",
            text=[html.escape(name) for name in names],
            marker={"size": 10, "color": BLUE, "opacity": 0.7}, cliponaxis=False,
            hovertemplate=f"%{{text}}<br>{first} %{{x:.1f}} %<br>{second} %{{y:.1f}} %<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title=f"{first}: probability of any tumour (%)", range=[0, 100])
    figure.update_yaxes(title=f"{second}: probability of any tumour (%)", range=[0, 100])
    gap = max(abs(a - b) for a, b in zip(across, up, strict=True))
    return finish(
        figure, f"Tumour probabilities of the models differ by at most {100 * gap:.0f} percentage points", 420
    )


def class_curves(
    title: str, slices: Sequence[int], probabilities: Sequence[Sequence[float]], in_view: int
) -> go.Figure:
    """One model's class probabilities along a volume, one curve per class; a line marks the slice in view.

    slices: (N,) slice numbers, 1 for the first. probabilities: (N, 4), 0..1, in CLASSES order, NaN where
    the slice was rejected.
    """
    table = 100 * np.asarray(probabilities, dtype=float).reshape(-1, len(CLASSES))
    figure = go.Figure()
    for index, name in enumerate(CLASSES):
        figure.add_trace(
            go.Scatter(
                x=list(slices), y=table[:, index], mode="lines+markers", name=CLASS_TITLES[name],
                line={"color": CLASS_COLOURS[name], "dash": DASHES[index], "width": 2}, marker={"size": 5},
                hovertemplate=f"slice %{{x}}, {CLASS_TITLES[name]}: %{{y:.1f}} %<extra></extra>",
            )
        )  # fmt: skip
    figure.add_vline(x=in_view, line={"color": GRAY, "width": 2, "dash": "dot"})
    figure.update_xaxes(title="slice")
    figure.update_yaxes(title="probability (%)", range=[-2, 102])
    finish(figure, titles.along_the_volume(title, slices, probabilities), 420)
    return figure.update_layout(showlegend=True, legend={"orientation": "h", "y": -0.3})
