"""Charts of correct and incorrect predictions: accuracy, confusion matrices, figures per class, robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from utils.charts import titles
from utils.charts.style import BLUE, GRAY, Colours, class_ticks, dots, finish, model_colour
from utils.classes import CLASSES
from utils.records.evaluation import ClassificationRecord
from utils.records.measures import OverallFigures
from utils.records.robustness import RobustnessRecord
from utils.wording import CLASS_TITLES, in_percent, percent, value_with_interval

FIGURE_TITLES = {
    "precision": "precision",
    "recall": "recall (sensitivity)",
    "f1": "F1",
    "iou": "IoU (Jaccard)",
    "auc": "AUC",
}


def accuracies(models: Mapping[str, OverallFigures], colours: Colours | None = None) -> go.Figure:
    """The accuracy of each model with its interval. models, colours: by title."""
    rows = [
        (title, 100 * (figures.accuracy or 0), *_percent(figures.interval("accuracy"), figures.accuracy or 0))
        for title, figures in models.items()
    ]
    title, value, low, high = max(rows, key=lambda row: row[1])
    figure = dots([(row[0], "", *row[1:]) for row in rows], lambda value: percent(value / 100, 1), colours)
    figure.update_xaxes(title="accuracy (%), 95 % CI", range=[0, 112],
                        tickvals=[0, 20, 40, 60, 80, 100])  # fmt: skip
    shown = value_with_interval(value / 100, (low / 100, high / 100))
    words = f"Highest accuracy: {title}, {shown}"
    return finish(figure, words, 130 + 60 * len(rows))


def confusion_matrix(
    counts: Sequence[Sequence[int]], intervals: Sequence[Sequence[float] | None] = (None,) * len(CLASSES)
) -> go.Figure:
    """The 4 x 4 counts (rows reference, columns prediction, in CLASSES order) with each row's percentages.

    intervals: (low, high) of each class's recall (0..1), written beside its name.
    """
    table = np.asarray(counts, dtype=int)
    shares = _row_percent(table)
    text = [
        [f"{count}<br>{percent(share / 100, 1)}" for count, share in zip(*row, strict=True)]
        for row in zip(table, shares, strict=True)
    ]
    names = class_ticks()
    rows = [
        name if span is None else f"{name}<br>({in_percent(span[0])}-{percent(span[1])})"
        for name, span in zip(names, intervals, strict=True)
    ]
    figure = go.Figure(
        go.Heatmap(
            z=shares, x=names, y=rows, text=text, texttemplate="%{text}", colorscale="cividis", zmin=0, zmax=100,
            xgap=2, ygap=2, showscale=False,
            hovertemplate="reference %{y}, predicted %{x}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="predicted", showgrid=False, tickangle=0)
    title = "reference" if all(span is None for span in intervals) else "reference (95 % CI of sensitivity)"
    figure.update_yaxes(title=title, showgrid=False, autorange="reversed")
    return finish(figure, titles.most_confused(table), 460)


def confusion_of_many(counts: Sequence[Sequence[int]], names: Sequence[str]) -> go.Figure:
    """C x C counts (rows reference, columns prediction, in the order of `names`) in percent of the row."""
    table = np.asarray(counts, dtype=int)
    percent = _row_percent(table)
    figure = go.Figure(
        go.Heatmap(
            z=percent, x=names, y=names, customdata=table, colorscale="cividis", zmin=0, zmax=100, showscale=False,
            hovertemplate="reference %{y}, predicted %{x}: %{customdata} (%{z:.0f} %)<extra></extra>",
        )
    )  # fmt: skip
    figure.update_xaxes(title="predicted", showgrid=False, tickangle=-90, dtick=1, tickfont={"size": 9})
    figure.update_yaxes(
        title="reference", showgrid=False, autorange="reversed", dtick=1, tickfont={"size": 9}
    )
    accuracy = 100 * np.trace(table) / max(table.sum(), 1)
    return finish(
        figure, f"Accuracy over {len(names)} subtypes: {accuracy:.0f} % of {table.sum()} scans", 900
    )


def per_class_bars(
    models: Mapping[str, ClassificationRecord], figure_name: str = "recall", colours: Colours | None = None
) -> go.Figure:
    """One figure of each class for several models, with its interval as a whisker.

    models, colours: by title. figure_name: one of CLASS_FIGURES.
    """
    figure = go.Figure()
    labelled: list[tuple[float, str, str]] = []
    for title, record in models.items():
        rows = [record.classes[name] for name in CLASSES]
        values = [row.figure(figure_name) if row.n else None for row in rows]
        intervals = [row.interval(figure_name) if row.n else None for row in rows]
        spans = [interval or (value, value) for interval, value in zip(intervals, values, strict=True)]
        figure.add_traces(
            _bars_with_whiskers(title, values, spans, model_colour(title, len(labelled), colours or {}))
        )
        labelled += [
            (value, CLASS_TITLES[name], title)
            for name, value in zip(CLASSES, values, strict=True)
            if value is not None
        ]
    word = FIGURE_TITLES.get(figure_name, figure_name)
    figure.update_xaxes(title=word, range=[0, 1.02])
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_layout(scattermode="group", scattergap=0.2, bargap=0.2)
    finding = "No class has a value"
    if labelled:
        finding = "Lowest {0}: {2}, {1:.3f} ({3})".format(word, *min(labelled))
    return finish(figure, finding, 150 + 4 * (14 + 24 * max(1, len(models))))


def tumor_detection(
    rows: Sequence[tuple[str, str, float, float, float]], colours: Colours | None = None
) -> go.Figure:
    """Tumour detection by source of the test scans: (source, model title, AUC, low, high) each."""
    part, title, value, low, high = min(rows, key=lambda row: row[2])
    figure = dots(rows, "{:.3f}".format, colours)
    figure.update_xaxes(title="tumour detection: area under the ROC curve, 95 % CI",
                        range=[min(0.5, *(row[3] for row in rows)) - 0.02, 1.06])  # fmt: skip
    words = f"Lowest tumour detection: {part}, AUC {value:.3f} ({low:.3f}-{high:.3f}, {title})"
    return finish(
        figure, words, 130 + 44 * len({row[0] for row in rows}) * max(len({row[1] for row in rows}), 1)
    )


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
    figure.update_xaxes(title="accuracy (%); dotted: original images", range=[0, 104])
    figure.update_yaxes(autorange="reversed")
    finding = (
        f"Lowest accuracy under {worst[1]}: {100 * worst[0]:.0f} % instead of {100 * record.accuracy:.0f} %"
    )
    return finish(figure, finding, 480)


def _bars_with_whiskers(title: str, values: Sequence, spans: Sequence, colour: str) -> list:
    """Pale bars, so that the whisker shows on both themes; the text is a trace of its own, in the theme's colour."""
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


def _row_percent(table: np.ndarray) -> np.ndarray:
    """(C, C) counts as percent of their row; 0 in an empty one."""
    of_row = table.sum(axis=1, keepdims=True)
    return 100 * np.divide(table, of_row, out=np.zeros(table.shape), where=of_row > 0)


def _percent(interval: Sequence[float] | None, value: float) -> tuple[float, float]:
    low, high = interval or (value, value)
    return 100 * low, 100 * high
