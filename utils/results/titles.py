"""Titles and chart colours of networks, ensemble and baselines. Imports no pandas: figures are read later."""

from __future__ import annotations

from utils.networks.registry import NETWORKS

BASELINE_TITLES = {  # of `utils.evaluation.baselines`
    "1-nn": "1-nearest neighbour",
    "logistic": "Logistic regression",
    "shortcut": "Sequence-only baseline",
}
MODEL_TITLES = (
    {name: network.title for name, network in NETWORKS.items()} | {"ensemble": "Ensemble"} | BASELINE_TITLES
)
COLOURS = {"ensemble": "#CC79A7", "1-nn": "#888888"}  # in charts, beside those of the registry of networks


def model_colours() -> dict[str, str]:
    """Title -> colour in charts, of the networks, ensemble and baselines that have one of their own."""
    colours = {name: network.colour for name, network in NETWORKS.items() if network.colour} | COLOURS
    return {MODEL_TITLES[name]: colour for name, colour in colours.items()}
