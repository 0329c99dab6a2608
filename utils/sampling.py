"""What a training step sees: pictures (or features of frozen layers) in batches, balanced and changed at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
from tqdm import tqdm

from utils.augmentation import augment
from utils.classes import right_answers
from utils.preprocessing import preprocess
from utils.scans import read_scan_file

HEALTHY_SHARE = 0.25
LARGEST_WEIGHT = 5.0  # of one picture over the average: more would let a handful of pictures rule
WEAK_NEGATIVE = 0.5
AUGMENTED_COPIES = 2  # of each picture, beside the plain one, whose frozen features are kept


@dataclass(frozen=True)
class TrainingSet:
    """Rows to learn from; rows that show the same picture share a number in `pictures` (0, 1, ...).

    `inputs` is (N, S, S) uint8 pictures or (N, h, w, c) float16 features, `targets` (N, 4) float32, 1 for each right
    answer, `weights` (N,) float32; `transform` changes one input at random.
    """

    inputs: np.ndarray
    pictures: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    transform: Callable[[np.ndarray, np.random.Generator], np.ndarray] = augment

    @property
    def size(self) -> int:
        """How many different pictures an epoch shows."""
        return int(self.pictures.max()) + 1

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
        """One epoch: (inputs float32, targets, weights) with every picture once, through a random row of it."""
        for rows in self.epoch_rows(batch_size, rng):
            batch = np.stack([self.transform(row, rng) for row in self.inputs[rows]])
            yield as_input(batch), self.targets[rows], self.weights[rows]

    def epoch_rows(self, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        shuffled = rng.permutation(len(self.pictures))
        chosen = shuffled[np.unique(self.pictures[shuffled], return_index=True)[1]]
        rng.shuffle(chosen)
        for start in range(0, len(chosen), batch_size):
            yield chosen[start : start + batch_size]

    def through(self, trunk: keras.Model, file: Path, seed: tuple[int, int]) -> TrainingSet:
        """The set as features of a frozen trunk: each picture plain and twice augmented; mirrored at random later."""
        first = np.unique(self.pictures, return_index=True)[1]
        rng = np.random.default_rng(seed)
        plain = self.inputs[first]
        changed = [np.stack([augment(image, rng) for image in plain]) for _ in range(AUGMENTED_COPIES)]
        inputs = cached_features(trunk, np.concatenate([plain, *changed]), file)
        copies = 1 + AUGMENTED_COPIES
        return TrainingSet(
            inputs,
            np.tile(self.pictures[first], copies),
            np.tile(self.targets[first], (copies, 1)),
            np.tile(self.weights[first], copies),
            _mirror,
        )


def training_set(rows: pd.DataFrame, size: int) -> TrainingSet:
    """Read the rows of a sample table (`path`, `picture`, `target`) at an input size. Raises UnreadableScan."""
    pictures = load_pictures(list(rows["path"]), size)
    targets = right_answers(rows["target"])
    return TrainingSet(pictures, pd.factorize(rows["picture"])[0], targets, balancing_weights(rows))


def balancing_weights(rows: pd.DataFrame) -> np.ndarray:
    """(N,) float32 for a sample table (`picture`, `source`, `sequence`, `target`): 1 on average over the pictures.

    In every source and sequence the healthy pictures count a quarter of all and the tumour classes that occur share
    the rest evenly, so that neither source nor sequence tells tumour from health (reweighing: Kamiran and Calders,
    Knowledge and Information Systems 33, 2012), as far as weights of at most `LARGEST_WEIGHT` can. The slices without
    tumour of patients who have one (LGG) count `WEAK_NEGATIVE`: what was left unmarked need not be healthy.
    """
    domain, target = rows["source"] + " " + rows["sequence"], rows["target"]
    first = ~rows.duplicated("picture")
    counts = pd.crosstab(domain[first], target[first])
    factors = {}
    for place, row in counts.iterrows():
        tumours = [name for name in counts.columns if name != "no_tumor" and row[name]]
        healthy = int(row.get("no_tumor", 0))
        for name in tumours:
            factors[place, name] = (
                (1 - HEALTHY_SHARE * bool(healthy)) * row.sum() / (len(tumours) * row[name])
            )
        if healthy:
            factors[place, "no_tumor"] = (HEALTHY_SHARE if tumours else 1) * row.sum() / healthy
    weights = np.asarray(
        [min(factors[cell], LARGEST_WEIGHT) for cell in zip(domain, target, strict=True)], np.float32
    )
    weights[((rows["source"] == "lgg") & (target == "no_tumor")).to_numpy()] *= WEAK_NEGATIVE
    return weights / weights[first.to_numpy()].mean()


def load_pictures(paths: list[str], size: int) -> np.ndarray:
    """(N, size, size) uint8, every file read and preprocessed as the app does it. Raises UnreadableScan."""
    with ThreadPoolExecutor() as pool:
        return np.stack(list(pool.map(lambda path: preprocess(read_scan_file(path).pixels, size)[0], paths)))


def cached_features(trunk: keras.Model, images: np.ndarray, file: Path) -> np.ndarray:
    """(N, h, w, c) float16 features of (N, S, S) uint8 pictures, kept in a memory-mapped file."""
    shape = (len(images), *trunk.output_shape[1:])
    if file.is_file():
        stored = np.load(file, mmap_mode="r")
        if stored.shape == shape:
            return stored
    partial = file.with_suffix(".part.npy")
    stored = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
    for start in tqdm(range(0, len(images), 32), desc="features", mininterval=5, unit="batch"):
        features = trunk.predict_on_batch(as_input(images[start : start + 32]))
        stored[start : start + 32] = keras.ops.convert_to_numpy(features).astype(np.float16)
    stored.flush()
    partial.replace(file)
    return np.load(file, mmap_mode="r")


def as_input(batch: np.ndarray) -> np.ndarray:
    """float32, with a channel axis for pictures."""
    return (batch[..., None] if batch.ndim == 3 else batch).astype(np.float32)


def _mirror(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return features[:, ::-1] if rng.random() < 0.5 else features
