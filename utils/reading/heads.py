"""The part of a network behind its evidence layer: linear, or differentiated by Keras, which is loaded for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from utils.evidence.cams import gradient_maps
from utils.evidence.linear_maps import LinearHead
from utils.networks.runtime.archive import Layer, chain

if TYPE_CHECKING:
    import keras


def linear_head(layers: Sequence[Layer], layer: str, logits: Sequence[np.ndarray]) -> LinearHead | None:
    """The head behind `layer` where maps have a closed form, else None. logits: the arrays of the layer `logits`."""
    behind = chain(layers, layer, "logits") or ()
    steps = [step for step in behind if step.kind != "Dropout" and step.config.get("activation") != "linear"]
    if not behind or behind[-1].kind != "Dense" or behind[-1] in steps:
        return None
    window = (1, 1)
    if steps and steps[0].kind == "MaxPooling2D":
        settings = steps.pop(0).config
        if settings["padding"] != "valid" or settings["pool_size"] != settings["strides"]:
            return None
        window = tuple(settings["pool_size"])
    if [step.kind for step in steps] != ["GlobalAveragePooling2D"]:
        return None
    return LinearHead(np.asarray(logits[0], np.float32), window)


class KerasHeads:
    """The heads of one network behind any of its layers. Keras and the network are loaded with the first."""

    def __init__(self, load: Callable[[], keras.Model]) -> None:
        self._load = load
        self._network: keras.Model | None = None
        self._cuts: dict[str, tuple[keras.Model, keras.Model]] = {}  # building one is slow
        self._lock = threading.RLock()

    @property
    def network(self) -> keras.Model:
        """The network as a Keras model."""
        with self._lock:
            if self._network is None:
                self._network = self._load()
            return self._network

    @property
    def is_loaded(self) -> bool:
        return self._network is not None

    def tensors(self, layer: str, inputs: np.ndarray) -> list[np.ndarray]:
        """What the head behind a layer takes for inputs (N, S, S, 1): the features first."""
        from keras import ops

        with self._lock:
            outputs = self._cut(layer)[0]([inputs])
        return [
            ops.convert_to_numpy(tensor) for tensor in (outputs if isinstance(outputs, list) else [outputs])
        ]

    def maps(self, layer: str, tensors: Sequence[np.ndarray], classes: int, method: str) -> np.ndarray:
        """`cams.gradient_maps` behind a layer."""
        with self._lock:
            return gradient_maps(self._cut(layer)[1], tensors, classes, method)

    def _cut(self, layer: str) -> tuple[keras.Model, keras.Model]:
        from utils.networks.surgery import split_at

        if layer not in self._cuts:
            self._cuts[layer] = split_at(self.network, layer)
        return self._cuts[layer]
