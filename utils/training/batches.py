"""Training batches: every image once an epoch, with balanced weights and random changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from utils.classes import CLASSES, right_answers
from utils.datasets.masks import read_mask
from utils.datasets.sources import weak_negative_sources
from utils.scans.preprocessing import as_input, preprocess
from utils.scans.upload import read_scan_file
from utils.training.augmentation import ImageAndMask, augment, mirror
from utils.training.lesion_transplant import LesionTransplant, Sample

HEALTHY_SHARE = 0.25
LARGEST_WEIGHT = (
    5.0  # of an image relative to the average: a larger one would let a handful of images dominate
)
WEAK_NEGATIVE = 0.5

Transform = Callable[[np.ndarray, np.ndarray, np.random.Generator], ImageAndMask]


@dataclass(frozen=True)
class TrainingSet:
    """Rows to learn from; rows that hold the same image share a number in `image_ids` (0, 1, ...).

    `inputs` is (N, S, S) uint8, `targets` (N, C) float32, 1 for each correct class, `weights` (N,) float32, `masks`
    (N, S, S) uint8, 255 inside the tumour, all 0 where no mask is known. `transform` changes an image and its mask at
    random, after `transplant` may have removed or inserted a tumour.
    """

    inputs: np.ndarray
    image_ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    masks: np.ndarray
    transform: Transform = augment
    transplant: LesionTransplant | None = None

    @property
    def size(self) -> int:
        """The number of different images, all of which an epoch uses."""
        return int(self.image_ids.max()) + 1

    def batches(self, batch_size: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, ...]]:
        """One epoch: (inputs float32, targets, weights, masks); of rows with the same image a random one is used."""
        for rows in self.epoch_rows(batch_size, rng):
            samples = [self._sample(row, rng) for row in rows]
            transformed = [self.transform(image, mask, rng) for image, mask, _, _ in samples]
            inputs, masks = (np.stack(part) for part in zip(*transformed, strict=True))
            targets = np.stack([target for _, _, target, _ in samples])
            weights = np.stack([weight for _, _, _, weight in samples])
            yield as_input(inputs), targets, weights, masks

    def _sample(self, row: int, rng: np.random.Generator) -> Sample:
        if self.transplant is None:
            return self.inputs[row], self.masks[row], self.targets[row], self.weights[row]
        return self.transplant.sample(row, self.inputs, self.masks, self.targets, self.weights, rng)

    def epoch_rows(self, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """The row numbers of an epoch's batches, in random order."""
        shuffled = rng.permutation(len(self.image_ids))
        chosen = shuffled[np.unique(self.image_ids[shuffled], return_index=True)[1]]
        rng.shuffle(chosen)
        for start in range(0, len(chosen), batch_size):
            yield chosen[start : start + batch_size]


def training_set(
    rows: pd.DataFrame,
    size: int,
    augmented: bool = True,
    classes: Sequence[str] = CLASSES,
    transplant_share: float = 0.0,
    remapping_share: float = 0.2,
) -> TrainingSet:
    """Read the rows of a sample table (`path`, `mask`, `picture`, `source`, `sequence`, `target`) at an input size.

    Without `augmented` images are only mirrored. `transplant_share`: how many of the images that allow it have their
    tumour removed or get one; `remapping_share`: how many have their intensities remapped. Raises UnreadableScan.
    """
    inputs, masks = load_images_and_masks(list(rows["path"]), list(rows["mask"]), size)
    image_ids = pd.factorize(rows["picture"])[0]
    transform = partial(augment, remapping_share=remapping_share) if augmented else mirror
    targets = right_answers(rows["target"], classes)
    has_transplant = transplant_share > 0 and augmented
    transplant = (
        LesionTransplant.of(inputs, masks, targets, classes, transplant_share) if has_transplant else None
    )
    return TrainingSet(inputs, image_ids, targets, balancing_weights(rows), masks, transform, transplant)


def balancing_weights(rows: pd.DataFrame) -> np.ndarray:
    """(N,) float32 for a sample table (`picture`, `source`, `sequence`, `target`), with a mean of 1 over the images.

    In every source and sequence the healthy images count a quarter, and the tumour classes that occur share the rest
    evenly, so that neither source nor sequence predicts a tumour (reweighing: Kamiran and Calders, Knowledge and
    Information Systems 33, 2012), as far as weights of at most `LARGEST_WEIGHT` allow. T1 with and without contrast
    count as one sequence: no healthy brain has contrast. The slices without a marked tumour of patients who have one
    (LGG) count `WEAK_NEGATIVE`: an unmarked slice need not be healthy.
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
    weights[((rows["source"].isin(weak_negative_sources())) & (target == "no_tumor")).to_numpy()] *= (
        WEAK_NEGATIVE
    )
    return weights / weights[first.to_numpy()].mean()


def load_images(paths: Sequence[str], size: int) -> np.ndarray:
    """(N, size, size) uint8: every file read and preprocessed as in the app. Raises UnreadableScan."""
    return load_images_and_masks(paths, [""] * len(paths), size)[0]


def load_images_and_masks(
    paths: Sequence[str], masks: Sequence[str], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Both (N, size, size) uint8; a mask (255 inside) is preprocessed like its image, "" gives an empty one.

    Raises UnreadableScan.
    """

    def load(path: str, mask: str) -> ImageAndMask:
        image, geometry = preprocess(read_scan_file(path).pixels, size)
        resized_mask = geometry.to_network(read_mask(mask, geometry.scan_shape))
        return image, np.rint(resized_mask).astype(np.uint8)

    with ThreadPoolExecutor() as pool:
        loaded = list(pool.map(load, paths, masks))
    images, loaded_masks = (np.stack(part) for part in zip(*loaded, strict=True))
    return images, loaded_masks
