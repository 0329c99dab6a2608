"""Plotly figures of how far a network holds: tumour at all, referring the unsure, worse pictures. As utils.charts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from utils.charts import BLUE, DASHES, GRAY, GREEN, PURPLE, VERMILLION, finish, line, model_colour

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE)


def tumor_roc(sources: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> go.Figure:
    """Tumour at all, a ROC curve a source: source -> scores (N,) float, tumor (N,) bool, both kinds present."""
    from sklearn.metrics import auc, roc_curve

    figure = go.Figure(line([0, 1], [0, 1], GRAY, "dot", "chance"))
    areas = {}
    for number, (source, (scores, tumor)) in enumerate(sources.items()):
        false, true, _ = roc_curve(tumor, scores)
        areas[source] = float(auc(false, true))
        colour = _COLOURS[number % len(_COLOURS)]
        figure.add_trace(line(false, true, colour, DASHES[number % len(DASHES)], source))
        figure.add_annotation(
            text=f'<span style="color:{colour}">■</span> {source}, AUC {areas[source]:.3f}', showarrow=False,
            x=0.98, y=0.04 + 0.07 * number, xref="x domain", yref="y domain", xanchor="right", yanchor="bottom",
        )  # fmt: skip
    figure.update_xaxes(title="healthy scans called tumour (1 - specificity)", range=[0, 1])
    figure.update_yaxes(title="tumours found (sensitivity)", range=[0, 1.02])
    weakest = min(areas, key=lambda source: areas[source])
    return finish(figure, f"Tumours are hardest to find in {weakest}: AUC {areas[weakest]:.3f}", 440)


def risk_coverage(models: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> go.Figure:
    """Accuracy on the most certain scans: title -> confidence (N,), right (N,) bool. A curve a network.

    Source: El-Yaniv and Wiener, JMLR 11 (2010).
    """
    figure = go.Figure()
    told: list[str] = []
    for title, (confidence, right) in models.items():
        order = np.argsort(-confidence, kind="stable")
        answered = np.arange(1, len(order) + 1)
        accuracy = 100 * np.cumsum(right[order]) / answered
        share = 100 * answered / len(order)
        shown = share >= 10  # fewer scans tell little
        colour = model_colour(title, len(told))
        figure.add_trace(line(share[shown], accuracy[shown], colour, DASHES[len(told) % len(DASHES)], title))
        figure.add_annotation(
            x=100,
            y=accuracy[-1],
            text=title,
            showarrow=False,
            xanchor="left",
            xshift=6,
            font={"color": colour},
        )
        at_80 = accuracy[max(round(0.8 * len(order)) - 1, 0)]
        told.append(f"{title} {at_80:.1f} % right")
    figure.update_xaxes(title="scans that are answered, the most certain first (%)", range=[10, 112],
                        tickvals=[20, 40, 60, 80, 100])  # fmt: skip
    figure.update_yaxes(title="accuracy on them (%)")
    return finish(figure, f"On the most certain 80 %: {', '.join(told)}", 440)


def robustness(record: Mapping) -> go.Figure:
    """Accuracy under every change and level. record: what utils.robustness.measure_robustness returns."""
    figure = go.Figure()
    worst = (2.0, "")
    for name, change in record["changes"].items():
        percent = [100 * value for value in change["accuracy"]]
        levels = [f"{level:g}" for level in change["levels"]]
        figure.add_trace(
            go.Scatter(
                x=percent, y=[name] * len(percent), mode="lines+markers+text", text=levels, textposition="top center",
                marker={"size": 9, "color": BLUE}, line={"color": BLUE, "width": 1}, showlegend=False,
                hovertemplate=f"{name} %{{text}} {change['unit']}: %{{x:.1f}} %<extra></extra>", cliponaxis=False,
            )
        )  # fmt: skip
        lowest = min(range(len(percent)), key=percent.__getitem__)
        worst = min(worst, (change["accuracy"][lowest], f"{name} {levels[lowest]}".removesuffix(" 1")))
    figure.add_vline(x=100 * record["accuracy"], line={"color": GRAY, "dash": "dot", "width": 1})
    figure.update_xaxes(title="accuracy (%); dotted: the scans as they are", range=[0, 104])
    figure.update_yaxes(autorange="reversed")
    finding = (
        f"Falls furthest under {worst[1]}: {100 * worst[0]:.0f} % instead of {100 * record['accuracy']:.0f} %"
    )
    return finish(figure, finding, 480)
