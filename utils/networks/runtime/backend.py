"""The one interface to a network: inputs -> the outputs of some of its layers. And what opens a network for it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from utils.networks.cards import Card, NetworkUnavailable
from utils.networks.runtime.archive import Layer, UnsupportedNetwork
from utils.networks.runtime.choice import KERAS, runtime_of

if TYPE_CHECKING:
    import keras

_log = logging.getLogger(__name__)


class Backend(Protocol):
    """A network that is ready to compute. Safe to share between threads.

    `runtime` is KERAS, FLOAT32 or BFLOAT16 of `choice`; `layers` are the network's, `logits` the arrays of the layer
    of that name: (k, C) kernel and (C,) bias where it is dense.
    """

    runtime: str
    layers: tuple[Layer, ...]
    logits: tuple[np.ndarray, ...]

    def run(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """The outputs of the layers that the network was opened with, float32, images (N, H, W, C).

        inputs: (N, S, S, 1) float32, 0..255.
        """
        ...

    def release(self) -> None:
        """Give memory that only a running network needs back to the system; the next run takes it again."""
        ...


def open_network(card: Card, outputs: Sequence[str], runtime: str | None = None) -> Backend:
    """The network of a card, to compute the outputs of these layers; `runtime` as `runtime_of` gives by default.

    Keras computes a network that OpenVINO cannot. Raises NetworkUnavailable where the file is damaged or holds code.
    """
    runtime = runtime or runtime_of(card)
    if runtime != KERAS:
        from utils.networks.runtime.openvino_backend import OpenVinoBackend

        try:
            return OpenVinoBackend(card, outputs, runtime)
        except UnsupportedNetwork as reason:
            _log.info("Keras computes the network %s: %s", card.name, reason)
    from utils.networks.runtime.keras_backend import KerasBackend

    return KerasBackend(load_keras(card.weights), outputs)


def load_keras(weights: Path) -> keras.Model:
    """A network as a Keras model. Raises NetworkUnavailable where the file is damaged or holds code."""
    import keras

    try:
        return keras.saving.load_model(weights, compile=False, safe_mode=True)
    except ValueError:  # what Keras raises for a file that would run code
        raise NetworkUnavailable(
            f"{weights} cannot be loaded safely: it is damaged or holds code of its own. Train it again."
        ) from None
