"""What a training step sees: pictures in batches, balanced and changed at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from utils.augmentation import augment, mirror
from utils.classes import CLASSES
from utils.preprocessing import preprocess
from utils.scans import read_scan_file


@dataclass(frozen=True)
class TrainingSet:
    """Rows to learn from; rows that show the same picture share a number in `pictures` (0, 1, ...).

    `inputs` is (N, S, S) uint8 pictures, `targets` (N,) class indices; `transform` changes one input at random.
    """

    inputs: np.ndarray
    pictures: np.ndarray
    targets: np.ndarray
    transform: Callable[[np.ndarray, np.random.Generator], np.ndarray] = augment

    @property
    def size(self) -> int:
        """How many different pictures an epoch shows."""
        return int(self.pictures.max()) + 1

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
        """One epoch: (inputs float32, one-hot targets, weights) with every picture once, through a random row of it."""
        weights = self.class_weights()
        for rows in self.epoch_rows(batch_size, rng):
            batch = np.stack([self.transform(row, rng) for row in self.inputs[rows]])
            targets = self.targets[rows]
            yield as_input(batch), np.eye(len(CLASSES), dtype=np.float32)[targets], weights[targets]

    def epoch_rows(self, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        shuffled = rng.permutation(len(self.pictures))
        chosen = shuffled[np.unique(self.pictures[shuffled], return_index=True)[1]]
        rng.shuffle(chosen)
        for start in range(0, len(chosen), batch_size):
            yield chosen[start : start + batch_size]

    def class_weights(self) -> np.ndarray:
        """(classes,) float32: inverse to how many pictures a class has, 1 on average over the pictures."""
        first = np.unique(self.pictures, return_index=True)[1]
        counts = np.bincount(self.targets[first], minlength=len(CLASSES)).astype(np.float32)
        return (len(first) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)


def training_set(rows: pd.DataFrame, size: int, augmented: bool = True) -> TrainingSet:
    """Read the rows of a sample table (`path`, `picture`, `target`) at an input size. Raises UnreadableScan."""
    targets = rows["target"].map(CLASSES.index).to_numpy()
    pictures = pd.factorize(rows["picture"])[0]
    transform = augment if augmented else mirror
    return TrainingSet(load_pictures(list(rows["path"]), size), pictures, targets, transform)


def load_pictures(paths: list[str], size: int) -> np.ndarray:
    """(N, size, size) uint8, every file read and preprocessed as the app does it. Raises UnreadableScan."""
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda path: preprocess(read_scan_file(path).pixels, size)[0], paths)))


def as_input(batch: np.ndarray) -> np.ndarray:
    """(N, S, S, 1) float32 from (N, S, S) pictures."""
    return batch[..., None].astype(np.float32)
