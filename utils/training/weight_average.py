"""An exponential moving average of a network's weights (Polyak and Juditsky 1992; Izmailov et al., UAI 2018)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np


class WeightAverage:
    """The average of all weights of a network, statistics of batch normalisation included.

    `decay`: the share of the old average in a step, 0 for no averaging; it rises to its value over the first steps, so
    that the initial weights do not dominate a short training.
    """

    def __init__(self, network: keras.Model, decay: float) -> None:
        self.network, self.decay, self.steps = network, decay, 0
        self.weights = network.get_weights() if decay else []

    def update(self) -> None:
        """Take the network's present weights into the average."""
        if not self.decay:
            return
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        self.weights = [
            decay * old + (1 - decay) * new
            for old, new in zip(self.weights, self.network.get_weights(), strict=True)
        ]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the network has the averaged weights."""
        if not self.decay:
            yield
            return
        trained = self.network.get_weights()
        self.network.set_weights(self.weights)
        try:
            yield
        finally:
            self.network.set_weights(trained)

    def save(self, file: Path) -> None:
        if self.decay:
            np.savez(file, *self.weights, steps=self.steps)

    def load(self, file: Path) -> None:
        """Continue the average of an interrupted training."""
        if self.decay and file.is_file():
            with np.load(file, allow_pickle=False) as archive:
                self.steps = int(archive["steps"])
                self.weights = [archive[f"arr_{number}"] for number in range(len(self.weights))]
