"""Charts of a run over an archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go

from utils.charts.style import BLUE, VERMILLION, finish
from utils.wording import percent


def answers(counts: Mapping[str, int]) -> go.Figure:
    """A bar for each answer: title -> number of scans."""
    total = max(sum(counts.values()), 1)
    texts = [percent(count / total, 1) for count in counts.values()]
    bars = go.Bar(x=[*counts.values()], y=[*counts], orientation="h", text=texts, marker_color=BLUE)
    figure = go.Figure(bars).update_yaxes(autorange="reversed").update_xaxes(title="scans")
    most = f"Most frequent answer: {next(iter(counts))}" if counts else "No scan has an answer"
    return finish(figure, most, 120 + 40 * len(counts))


def novelty_histogram(
    network: str,
    histogram: Sequence[int] | np.ndarray,
    bins: np.ndarray,
    refused: float,
    shares: tuple[float, float],
) -> go.Figure:
    """The novelty scores of a network, in units of its threshold `unusual`, with both thresholds.

    refused: the other threshold in these units. shares: above `unusual`, in the archive and on validation scans.
    """
    bars = go.Bar(x=(bins[:-1] + bins[1:]) / 2, y=histogram, width=np.diff(bins), marker_color=BLUE)
    figure = go.Figure(bars).update_layout(bargap=0)
    for place, name in ((1.0, "unusual"), (min(refused, bins[-1]), "refused")):
        figure.add_vline(place, line={"color": VERMILLION, "dash": "dash"}, annotation_text=name)
    figure.update_xaxes(title="novelty score / threshold of unusual scans").update_yaxes(title="scans")
    here, validation = (percent(share, 1) for share in shares)
    return finish(
        figure, f"{network}: {here} above the threshold of unusual scans, {validation} on validation", 320
    )
