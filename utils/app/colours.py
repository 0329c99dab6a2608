"""The colour of each model in charts, by its title. No pandas: the first page imports it."""

from __future__ import annotations

from utils.networks.registry import NETWORKS

MODEL_COLOURS = {network.title: network.colour for network in NETWORKS.values() if network.colour} | {
    "Ensemble": "#CC79A7",
    "1-nearest neighbour": "#888888",
}
