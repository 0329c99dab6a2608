"""What a training step sees: pictures in batches, balanced and changed at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from utils.classes import CLASSES, right_answers
from utils.datasets.masks import read_mask
from utils.scans.preprocessing import as_input, preprocess
from utils.scans.upload import read_scan_file
from utils.training.augmentation import augment, mirror
from utils.training.lesion_transplant import Mixing, Shown

HEALTHY_SHARE = 0.25
LARGEST_WEIGHT = 5.0  # of one picture over the average: more would let a handful of pictures rule
WEAK_NEGATIVE = 0.5


@dataclass(frozen=True)
class TrainingSet:
    """Rows to learn from; rows that show the same picture share a number in `pictures` (0, 1, ...).

    `inputs` is (N, S, S) uint8 pictures, `targets` (N, C) float32, 1 for each right answer, `weights` (N,) float32,
    `masks` (N, S, S) uint8, 255 inside the tumour, all 0 where no outline is known; `transform` changes one input and
    its mask at random, after `mixing` may have taken its tumour away or given it one.
    """

    inputs: np.ndarray
    pictures: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    masks: np.ndarray
    transform: Callable[[np.ndarray, np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]] = (
        augment
    )
    mixing: Mixing | None = None

    @property
    def size(self) -> int:
        """How many different pictures an epoch shows."""
        return int(self.pictures.max()) + 1

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
        """One epoch: (inputs float32, targets, weights, masks), every picture once, through a random row of it."""
        for rows in self.epoch_rows(batch_size, rng):
            shown = [self._shown(row, rng) for row in rows]
            changed = [self.transform(image, mask, rng) for image, mask, _, _ in shown]
            inputs, masks = (np.stack(part) for part in zip(*changed, strict=True))
            yield (
                as_input(inputs),
                np.stack([one[2] for one in shown]),
                np.stack([one[3] for one in shown]),
                masks,
            )

    def _shown(self, row: int, rng: np.random.Generator) -> Shown:
        own = self.inputs, self.masks, self.targets, self.weights
        if self.mixing is None:
            return tuple(part[row] for part in own)  # type: ignore[return-value]
        return self.mixing.show(row, *own, rng)

    def epoch_rows(self, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        shuffled = rng.permutation(len(self.pictures))
        chosen = shuffled[np.unique(self.pictures[shuffled], return_index=True)[1]]
        rng.shuffle(chosen)
        for start in range(0, len(chosen), batch_size):
            yield chosen[start : start + batch_size]


def training_set(
    rows: pd.DataFrame,
    size: int,
    augmented: bool = True,
    classes: Sequence[str] = CLASSES,
    mixed: float = 0.0,
    grays: float = 0.2,
) -> TrainingSet:
    """Read the rows of a sample table (`path`, `mask`, `picture`, `source`, `sequence`, `target`) at an input size.

    mixed: the share of pictures whose tumour is taken out or that are given one, where they are augmented; grays: the
    share whose grays change their order.
    Raises UnreadableScan.
    """
    inputs, masks = load_pictures_and_masks(list(rows["path"]), list(rows["mask"]), size)
    numbers = pd.factorize(rows["picture"])[0]
    transform = partial(augment, grays=grays) if augmented else mirror
    targets = right_answers(rows["target"], classes)
    mixing = Mixing.of(inputs, masks, targets, classes, mixed) if mixed and augmented else None
    return TrainingSet(inputs, numbers, targets, balancing_weights(rows), masks, transform, mixing)


def balancing_weights(rows: pd.DataFrame) -> np.ndarray:
    """(N,) float32 for a sample table (`picture`, `source`, `sequence`, `target`): 1 on average over the pictures.

    In every source and sequence the healthy pictures count a quarter of all and the tumour classes that occur share
    the rest evenly, so that neither source nor sequence tells tumour from health (reweighing: Kamiran and Calders,
    Knowledge and Information Systems 33, 2012), as far as weights of at most `LARGEST_WEIGHT` can. T1 with and
    without contrast count as one: there is no healthy brain with contrast. The slices without tumour of patients who
    have one (LGG) count `WEAK_NEGATIVE`: what was left unmarked need not be healthy.
    """
    domain, target = rows["source"] + " " + rows["sequence"].str.removesuffix("C+"), rows["target"]
    first = ~rows.duplicated("picture")
    counts = pd.crosstab(domain[first], target[first])
    factors: dict[tuple, float] = {}
    for place, row in counts.iterrows():
        tumours = [name for name in counts.columns if name != "no_tumor" and row[name]]
        healthy = HEALTHY_SHARE if tumours else 1.0
        healthy = healthy if row.get("no_tumor", 0) else 0.0
        shares = {name: (1 - healthy) / len(tumours) for name in tumours} | {"no_tumor": healthy}
        factors |= {(place, name): share * row.sum() / row[name] for name, share in shares.items() if share}
    weights = np.asarray(
        [min(factors[cell], LARGEST_WEIGHT) for cell in zip(domain, target, strict=True)], np.float32
    )
    weights[((rows["source"] == "lgg") & (target == "no_tumor")).to_numpy()] *= WEAK_NEGATIVE
    return weights / weights[first.to_numpy()].mean()


def load_pictures(paths: Sequence[str], size: int) -> np.ndarray:
    """(N, size, size) uint8, every file read and preprocessed as the app does it. Raises UnreadableScan."""
    return load_pictures_and_masks(paths, [""] * len(paths), size)[0]


def load_pictures_and_masks(
    paths: Sequence[str], masks: Sequence[str], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Both (N, size, size) uint8; a mask (255 inside) goes the way of its picture, "" gives an empty one.

    Raises UnreadableScan.
    """

    def load(path: str, mask: str) -> tuple[np.ndarray, np.ndarray]:
        picture, geometry = preprocess(read_scan_file(path).pixels, size)
        outline = geometry.to_network(read_mask(mask, geometry.scan_shape))
        return picture, np.rint(outline).astype(np.uint8)

    with ThreadPoolExecutor() as pool:
        loaded = list(pool.map(load, paths, masks))
    pictures, outlines = (np.stack(part) for part in zip(*loaded, strict=True))
    return pictures, outlines
