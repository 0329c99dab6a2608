"""The network that a training starts from: built, with its initial weights, and ready for batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from utils.networks.registry import NETWORKS
from utils.networks.surgery import unfold_normalisation
from utils.networks.weights import load_base_weights
from utils.scans.preprocessing import as_input
from utils.training.batches import TrainingSet
from utils.training.recipes import Recipe

NORMALISATION_IMAGES = 64  # from which the initial statistics of batch normalisation are computed


@dataclass(frozen=True)
class InitialNetwork:
    """A network, the layers whose weights were loaded and the layers that were initialised at random."""

    network: keras.Model
    loaded_layers: list[str]
    fresh_layers: list[str]


def initial_network(
    recipe: Recipe, size: int, base_weights: str | Path | None, classes: int
) -> InitialNetwork:
    """Build a recipe's network for an input size and load its base weights, if any.

    Where registry and recipe say so (VGG16), the trained convolutions get batch normalisation during training: without
    it they learn too slowly for the number of epochs that a CPU can do.
    """
    entry = NETWORKS[recipe.network]
    network = entry.builder(size, classes)
    if base_weights is None:
        return InitialNetwork(
            network, [], [layer.name for layer in network.layers if layer.trainable_weights]
        )
    loaded, fresh = load_base_weights(network, base_weights)
    if entry.has_training_normalisation and recipe.has_training_normalisation:
        names = [layer.name for layer in network.layers]
        trained = names[names.index(recipe.frozen_until) + 1 :] if recipe.frozen_until else names
        network = entry.builder(size, classes, normalised=[layer for layer in trained if "_conv" in layer])
        load_base_weights(network, base_weights)
    return InitialNetwork(network, loaded, fresh)


def initialise_normalisation(
    network: keras.Model, loaded_layers: Sequence[str], training: TrainingSet, seed: int
) -> None:
    """Set the batch normalisation behind loaded layers so that the network computes the same as without it."""
    names = {layer.name for layer in network.layers}
    normalised = [layer for layer in loaded_layers if f"{layer}_norm" in names]
    if normalised:
        rows = np.random.default_rng(seed).integers(len(training.inputs), size=NORMALISATION_IMAGES)
        unfold_normalisation(network, normalised, as_input(training.inputs[rows]))
