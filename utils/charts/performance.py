"""Plotly figures from results. Pure functions; each title states what the picture shows.

Colours: Okabe and Ito, "Color Universal Design", 2008 (the four that keep 3:1 contrast on white and on dark), and
cividis (Nunez et al., PLOS ONE 2018). Backgrounds are clear and text has no colour of its own: the theme sets it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from utils.charts import titles
from utils.classes import CLASSES
from utils.records.evaluation import ClassificationRecord
from utils.wording import CLASS_TITLES

BLUE, VERMILLION, GREEN, PURPLE, GRAY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#888888"
CLASS_COLOURS = dict(zip(CLASSES, (VERMILLION, BLUE, GREEN, PURPLE), strict=True))
Colours = Mapping[str, str]  # title of a network or baseline -> its colour; others get the next free one
NO_COLOURS: Colours = {}
FIGURE_TITLES = {
    "precision": "precision",
    "recall": "recall (sensitivity)",
    "f1": "F1",
    "iou": "IoU (Jaccard)",
    "auc": "AUC",
}
DASHES = ("solid", "dash", "dot", "dashdot")
_TITLE_WIDTH = 44  # characters that fit on a phone


def confusion_matrix(
    counts: Sequence[Sequence[int]], intervals: Sequence[Sequence[float] | None] = (None,) * len(CLASSES)
) -> go.Figure:
    """The 4 x 4 counts (rows truth, columns prediction, in CLASSES order) with each row's percentages.

    intervals: [low, high] of each class's recall (0..1), told beside its name.
    """
    table = np.asarray(counts, dtype=int)
    percent = _row_percent(table)
    text = [
        [f"{count}<br>{share:.1f} %" for count, share in zip(*row, strict=True)]
        for row in zip(table, percent, strict=True)
    ]
    names = class_ticks()
    rows = [
        name if span is None else f"{name}<br>({100 * span[0]:.0f}-{100 * span[1]:.0f} %)"
        for name, span in zip(names, intervals, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=percent, x=names, y=rows, text=text, texttemplate="%{text}", colorscale="cividis", zmin=0, zmax=100,
            xgap=2, ygap=2, showscale=False,
            hovertemplate="truly %{y}, read as %{x}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="read as", showgrid=False, tickangle=0)
    title = "truly" if all(span is None for span in intervals) else "truly (interval: share read rightly)"
    figure.update_yaxes(title=title, showgrid=False, autorange="reversed")
    return finish(figure, titles.most_confused(table), 460)


def _row_percent(table: np.ndarray) -> np.ndarray:
    """(C, C) counts as percent of their row; 0 in an empty one."""
    of_row = table.sum(axis=1, keepdims=True)
    return 100 * np.divide(table, of_row, out=np.zeros(table.shape), where=of_row > 0)


def confusion_of_many(counts: Sequence[Sequence[int]], names: Sequence[str]) -> go.Figure:
    """C x C counts (rows truth, columns prediction, in the order of `names`) as each row's shares, for many classes."""
    table = np.asarray(counts, dtype=int)
    percent = _row_percent(table)
    figure = go.Figure(
        go.Heatmap(
            z=percent, x=names, y=names, customdata=table, colorscale="cividis", zmin=0, zmax=100, showscale=False,
            hovertemplate="truly %{y}, read as %{x}: %{customdata} (%{z:.0f} %)<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="read as", showgrid=False, tickangle=-90, dtick=1, tickfont={"size": 9})
    figure.update_yaxes(title="truly", showgrid=False, autorange="reversed", dtick=1, tickfont={"size": 9})
    right = 100 * np.trace(table) / max(table.sum(), 1)
    return finish(
        figure, f"The very class of {len(names)} is named on {right:.0f} % of {table.sum()} scans", 900
    )


def roc_curves(
    targets: np.ndarray,
    probabilities: np.ndarray,
    intervals: Mapping[str, Sequence[float] | None] | None = None,
) -> go.Figure:
    """One class against the rest, a curve each. targets (N,) int, probabilities (N, 4) in CLASSES order.

    intervals: class -> [low, high] of its area, where known.
    """
    from sklearn.metrics import auc, roc_curve  # slow to import, and only these two charts need it

    figure = go.Figure(line([0, 1], [0, 1], GRAY, "dot", "chance"))
    areas = {}
    for index, name in _present(targets):
        false, true, _ = roc_curve(np.asarray(targets) == index, np.asarray(probabilities)[:, index])
        areas[name] = float(auc(false, true))
        figure.add_trace(line(false, true, CLASS_COLOURS[name], DASHES[index], CLASS_TITLES[name]))
    figure.update_xaxes(title="false positive rate (1 - specificity)", range=[0, 1])
    figure.update_yaxes(title="true positive rate (sensitivity)", range=[0, 1.02])
    _add_key(figure, areas, "AUC", intervals or {}, x=0.98)
    return finish(figure, titles.weakest_class("Hardest to tell from the rest", "AUC", areas), 440)


def precision_recall_curves(
    targets: np.ndarray,
    probabilities: np.ndarray,
    intervals: Mapping[str, Sequence[float] | None] | None = None,
) -> go.Figure:
    """One class against the rest, a curve each, with its average precision (AP). Arguments as for roc_curves."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    figure = go.Figure()
    areas = {}
    for index, name in _present(targets):
        true, scores = np.asarray(targets) == index, np.asarray(probabilities)[:, index]
        precision, recall, _ = precision_recall_curve(true, scores)
        areas[name] = float(average_precision_score(true, scores))
        figure.add_trace(line(recall, precision, CLASS_COLOURS[name], DASHES[index], CLASS_TITLES[name]))
    figure.update_xaxes(title="recall (sensitivity)", range=[0, 1])
    figure.update_yaxes(title="precision", range=[0, 1.02])
    _add_key(figure, areas, "AP", intervals or {}, x=0.02)
    return finish(figure, titles.weakest_class("Hardest to find without false alarms", "AP", areas), 440)


def reliability_diagram(table: pd.DataFrame) -> go.Figure:
    """Accuracy against confidence with Wilson whiskers, the counts below. table: `calibration.reliability`."""
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.06)
    figure.add_trace(line([0, 1], [0, 1], GRAY, "dot", "as sure as right"), row=1, col=1)
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
    figure.update_xaxes(title="confidence (probability of the answer)", row=2, col=1)
    figure.update_yaxes(title="accuracy", range=[0, 1.02], row=1, col=1)
    figure.update_yaxes(title="scans", range=[0, 1.3 * table["count"].max()], nticks=3, row=2, col=1)
    figure.add_annotation(x=0.98, y=0.08, text="dotted: as sure as right", showarrow=False, xanchor="right")
    return finish(figure, titles.how_sure(table), 500)


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


def per_class_bars(
    models: Mapping[str, ClassificationRecord], figure_name: str = "recall", colours: Colours = NO_COLOURS
) -> go.Figure:
    """One figure of each class for several models, with its interval as a whisker.

    models: by title. figure_name: one of CLASS_FIGURES.
    """
    figure = go.Figure()
    seen: list[tuple[float, str, str]] = []
    for title, record in models.items():
        rows = [record.classes[name] for name in CLASSES]
        values = [row.figure(figure_name) if row.n else None for row in rows]
        intervals = [row.interval(figure_name) if row.n else None for row in rows]
        spans = [interval or (value, value) for interval, value in zip(intervals, values, strict=True)]
        figure.add_traces(_bars_with_whiskers(title, values, spans, model_colour(title, len(seen), colours)))
        seen += [
            (value, CLASS_TITLES[name], title)
            for name, value in zip(CLASSES, values, strict=True)
            if value is not None
        ]
    word = FIGURE_TITLES.get(figure_name, figure_name)
    figure.update_xaxes(title=word, range=[0, 1.02])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(scattermode="group", scattergap=0.2, bargap=0.2)
    finding = (
        "No class has a value" if not seen else "Lowest {0}: {2}, {1:.3f} ({3})".format(word, *min(seen))
    )
    return finish(figure, finding, 150 + 4 * (14 + 24 * max(1, len(models))))


def _bars_with_whiskers(title: str, values: Sequence, spans: Sequence, colour: str) -> list:
    """Pale bars, so that the whisker shows on both themes; the words are a trace apart, in the theme's colour."""
    known = [(value, low, high) for value, (low, high) in zip(values, spans, strict=True)]
    more = [0 if value is None else max(0, high - value) for value, _, high in known]
    less = [0 if value is None else max(0, value - low) for value, low, _ in known]
    names = class_ticks()
    bars = go.Bar(
        orientation="h", x=values, y=names, name=title, offsetgroup=title, marker={"color": colour, "opacity": 0.25},
        error_x={"array": more, "arrayminus": less, "color": colour, "thickness": 2},
        hovertemplate=f"%{{y}}: {title} %{{x:.3f}}<extra></extra>",
    )  # fmt: skip
    words = go.Scatter(
        orientation="h", x=[0.01] * len(names), y=names, offsetgroup=title, mode="text", hoverinfo="skip",
        text=["" if value is None else f"{title} {value:.3f}" for value in values], textposition="middle right",
    )  # fmt: skip
    return [bars, words]


def _present(targets: np.ndarray) -> list[tuple[int, str]]:
    """The classes that occur, where there is another to tell them from."""
    found = set(np.unique(targets).tolist())
    return [(index, name) for index, name in enumerate(CLASSES) if index in found and len(found) > 1]


def line(x: Sequence | np.ndarray, y: Sequence | np.ndarray, colour: str, dash: str, name: str) -> go.Scatter:
    return go.Scatter(
        x=x, y=y, mode="lines", name=name, showlegend=False, line={"color": colour, "dash": dash, "width": 2},
        hovertemplate=f"{name}: %{{x:.3f}}, %{{y:.3f}}<extra></extra>",
    )  # fmt: skip


def _add_key(
    figure: go.Figure,
    areas: Mapping[str, float],
    unit: str,
    intervals: Mapping[str, Sequence[float] | None],
    x: float,
) -> None:
    """Name and area of each curve inside the plot, where these curves leave room; the swatch has its colour."""
    lines = []
    for name, area in areas.items():
        span = intervals.get(name)
        told = f" ({span[0]:.3f}-{span[1]:.3f})" if span else ""
        swatch = f'<span style="color:{CLASS_COLOURS[name]}">■</span>'
        lines.append(f"{swatch} {CLASS_TITLES[name]}, {unit} {area:.3f}{told}")
    figure.add_annotation(
        text="<br>".join(lines), x=x, y=0.04, xref="x domain", yref="y domain", showarrow=False, align="left",
        xanchor="right" if x > 0.5 else "left", yanchor="bottom",
    )  # fmt: skip


def class_ticks() -> list[str]:
    return [CLASS_TITLES[name].replace(" ", "<br>") for name in CLASSES]


def model_colour(title: str, position: int, colours: Colours) -> str:
    return colours.get(title) or (GREEN, PURPLE, BLUE, VERMILLION)[position % 4]


def finish(figure: go.Figure, title: str, height: int) -> go.Figure:
    lines = -(-len(title) // _TITLE_WIDTH)
    wrapped = "<br>".join(textwrap.wrap(title, _TITLE_WIDTH if lines == 1 else len(title) // lines + 6))
    figure.update_layout(
        title={"text": wrapped, "x": 0, "xanchor": "left"}, height=height, showlegend=False, barmode="group",
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", margin={"l": 10, "r": 10, "t": 70, "b": 10},
    )  # fmt: skip
    figure.update_xaxes(automargin=True, zeroline=False)
    return figure.update_yaxes(automargin=True, zeroline=False)
