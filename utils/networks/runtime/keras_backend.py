"""Networks computed by Keras."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import keras
import numpy as np

from utils.networks.runtime.archive import layers_of
from utils.networks.runtime.choice import KERAS


class KerasBackend:
    """A loaded Keras network. See `backend.Backend`."""

    runtime = KERAS

    def __init__(self, network: keras.Model, outputs: Sequence[str]) -> None:
        self.network = network
        self.layers = layers_of(network.get_config())
        self.logits = tuple(network.get_layer("logits").get_weights())
        self._forward = keras.Model(network.inputs, [network.get_layer(name).output for name in outputs])
        self._lock = threading.Lock()

    def run(self, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        with self._lock:
            outputs = self._forward.predict_on_batch(inputs)
        return tuple(
            keras.ops.convert_to_numpy(output)
            for output in (outputs if isinstance(outputs, list | tuple) else [outputs])
        )

    def release(self) -> None:
        """TensorFlow keeps its memory."""
