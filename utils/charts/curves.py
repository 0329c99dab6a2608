"""ROC and precision-recall curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from utils.charts import titles
from utils.charts.style import CLASS_COLOURS, COLOURS, DASHES, GRAY, finish, line
from utils.classes import CLASSES
from utils.records.measures import Interval
from utils.wording import CLASS_TITLES


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
    figure.update_xaxes(title="false-positive rate (1 - specificity)", range=[0, 1])
    figure.update_yaxes(title="true positive rate (sensitivity)", range=[0, 1.02])
    _add_key(figure, areas, "AUC", intervals or {}, x=0.98)
    return finish(figure, titles.weakest_class("Lowest AUC", "AUC", areas), 440)


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
    return finish(figure, titles.weakest_class("Lowest average precision", "AP", areas), 440)


def tumor_roc(
    sources: Mapping[str, tuple[np.ndarray, np.ndarray]],
    intervals: Mapping[str, Interval | None] | None = None,
) -> go.Figure:
    """Tumour detection, one ROC curve per source: source -> scores (N,) float, tumor (N,) bool, both kinds present.

    intervals: source -> [low, high] of its area.
    """
    from sklearn.metrics import auc, roc_curve

    figure = go.Figure(line([0, 1], [0, 1], GRAY, "dot", "chance"))
    areas = {}
    for number, (source, (scores, tumor)) in enumerate(sources.items()):
        false, true, _ = roc_curve(tumor, scores)
        areas[source] = float(auc(false, true))
        span = (intervals or {}).get(source)
        interval = f" ({span[0]:.3f}-{span[1]:.3f})" if span else ""
        colour = COLOURS[number % len(COLOURS)]
        figure.add_trace(line(false, true, colour, DASHES[number % len(DASHES)], source))
        figure.add_annotation(
            text=f'<span style="color:{colour}">■</span> {source}, AUC {areas[source]:.3f}{interval}', showarrow=False,
            x=0.98, y=0.04 + 0.07 * number, xref="x domain", yref="y domain", xanchor="right", yanchor="bottom",
        )  # fmt: skip
    figure.update_xaxes(title="false-positive rate (1 - specificity)", range=[0, 1])
    figure.update_yaxes(title="true-positive rate (sensitivity)", range=[0, 1.02])
    weakest = min(areas, key=lambda source: areas[source])
    return finish(figure, f"Lowest tumour detection: {weakest}, AUC {areas[weakest]:.3f}", 440)


def _present(targets: np.ndarray) -> list[tuple[int, str]]:
    """The classes that occur; none where only one does."""
    present = set(np.unique(targets).tolist())
    return [(index, name) for index, name in enumerate(CLASSES) if index in present and len(present) > 1]


def _add_key(
    figure: go.Figure,
    areas: Mapping[str, float],
    unit: str,
    intervals: Mapping[str, Sequence[float] | None],
    x: float,
) -> None:
    """Name and area of each curve inside the plot, with a swatch of its colour."""
    lines = []
    for name, area in areas.items():
        span = intervals.get(name)
        interval = f" ({span[0]:.3f}-{span[1]:.3f})" if span else ""
        swatch = f'<span style="color:{CLASS_COLOURS[name]}">■</span>'
        lines.append(f"{swatch} {CLASS_TITLES[name]}, {unit} {area:.3f}{interval}")
    figure.add_annotation(
        text="<br>".join(lines), x=x, y=0.04, xref="x domain", yref="y domain", showarrow=False, align="left",
        xanchor="right" if x > 0.5 else "left", yanchor="bottom",
    )  # fmt: skip
