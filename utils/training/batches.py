"""Training batches: every image once an epoch, with balanced weights and random changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from utils.classes import CLASSES, right_answers
from utils.datasets.masks import BOX_LEVEL, IMAGE_LEVEL, read_mask
from utils.datasets.sources import weak_negative_sources
from utils.scans.preprocessing import as_input, preprocess
from utils.scans.upload import read_scan_file
from utils.training.augmentation import ImageAndMask, augment, mirror, strip_skull
from utils.training.balanced_sampling import sampling_probabilities
from utils.training.lesion_transplant import LesionTransplant, Sample
from utils.training.recipes import Recipe

HEALTHY_SHARE = 0.25
LARGEST_WEIGHT = (
    5.0  # of an image relative to the average: a larger one would let a handful of images dominate
)
WEAK_NEGATIVE = 0.5

Transform = Callable[[np.ndarray, np.ndarray, np.random.Generator], ImageAndMask]


@dataclass(frozen=True)
class SkullStripping:
    """Removes the skull of a random `share` (0..1) of the rows that `has_skull`, (N,) bool."""

    share: float
    has_skull: np.ndarray

    def apply(self, row: int, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> ImageAndMask:
        if self.has_skull[row] and rng.random() < self.share:
            return strip_skull(image, mask, rng)
        return image, mask


@dataclass(frozen=True)
class TrainingSet:
    """Rows to learn from; rows that hold the same image share a number in `image_ids` (0, 1, ...).

    `inputs` is (N, S, S) uint8, `targets` (N, C) float32, 1 for each correct class, `weights` (N,) float32, `masks`
    (N, S, S) uint8, 255 inside the tumour, all 0 where no mask is known. `transform` changes an image and its mask at
    random, after `transplant` may have removed or inserted a tumour and `skull_stripping` the skull. `probabilities`:
    (N,), with which rows are drawn; without them an epoch uses every image once.
    """

    inputs: np.ndarray
    image_ids: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    masks: np.ndarray
    transform: Transform = augment
    transplant: LesionTransplant | None = None
    skull_stripping: SkullStripping | None = None
    probabilities: np.ndarray | None = None

    @property
    def size(self) -> int:
        """The number of different images, and of images in an epoch."""
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
            sample = self.inputs[row], self.masks[row], self.targets[row], self.weights[row]
        else:
            sample = self.transplant.sample(row, self.inputs, self.masks, self.targets, self.weights, rng)
        if self.skull_stripping is None:
            return sample
        image, mask, target, weight = sample
        return (*self.skull_stripping.apply(row, image, mask, rng), target, weight)

    def epoch_rows(self, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
        """The row numbers of an epoch's batches, in random order."""
        if self.probabilities is not None:
            chosen = rng.choice(len(self.image_ids), self.size, p=self.probabilities)
        else:
            shuffled = rng.permutation(len(self.image_ids))
            chosen = shuffled[np.unique(self.image_ids[shuffled], return_index=True)[1]]
            rng.shuffle(chosen)
        for start in range(0, len(chosen), batch_size):
            yield chosen[start : start + batch_size]


def training_set(
    rows: pd.DataFrame, size: int, recipe: Recipe, is_augmented: bool = True, classes: Sequence[str] = CLASSES
) -> TrainingSet:
    """Read the rows of a sample table (`path`, `mask`, `picture`, `source`, `sequence`, `target`) at an input size.

    A recipe with `has_boxes` also needs the column `box`, one that is `is_balanced` or has a `stripping_share` those of
    `sampling_probabilities`. Without `is_augmented` images are only mirrored. Raises UnreadableScan.
    """
    training = validation_set(rows, size, classes, recipe.has_boxes, recipe.has_image_labels)
    if recipe.is_balanced:
        weights = np.where(_is_weak_negative(rows), WEAK_NEGATIVE, 1).astype(np.float32)
        training = replace(training, probabilities=sampling_probabilities(rows), weights=weights)
    if not is_augmented:
        return training
    if recipe.transplant_share:
        arrays = training.inputs, training.masks, training.targets
        training = replace(
            training, transplant=LesionTransplant.of(*arrays, classes, recipe.transplant_share)
        )
    if recipe.stripping_share:
        stripping = SkullStripping(recipe.stripping_share, ~rows["is_skull_stripped"].to_numpy(bool))
        training = replace(training, skull_stripping=stripping)
    return replace(training, transform=partial(augment, remapping_share=recipe.remapping_share))


def validation_set(
    rows: pd.DataFrame,
    size: int,
    classes: Sequence[str] = CLASSES,
    has_boxes: bool = False,
    has_image_labels: bool = False,
) -> TrainingSet:
    """The rows with balancing weights, at most mirrored; `has_boxes` reads boxes where there is no mask.

    `has_image_labels`: the mask of a tumour in an unknown place is IMAGE_LEVEL everywhere.
    """
    mask_files = rows["mask"]
    if has_boxes:
        mask_files = mask_files.where(mask_files != "", rows["box"])
    inputs, masks = load_images_and_masks(list(rows["path"]), list(mask_files), size)
    is_box = (mask_files != rows["mask"]).to_numpy()
    masks[is_box] = masks[is_box] // 128 * BOX_LEVEL
    if has_image_labels:
        masks[((mask_files == "") & (rows["target"] != "no_tumor")).to_numpy()] = IMAGE_LEVEL
    image_ids = pd.factorize(rows["picture"])[0]
    targets = right_answers(rows["target"], classes)
    return TrainingSet(inputs, image_ids, targets, balancing_weights(rows), masks, mirror)


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
    weights[_is_weak_negative(rows)] *= WEAK_NEGATIVE
    return weights / weights[first.to_numpy()].mean()


def _is_weak_negative(rows: pd.DataFrame) -> np.ndarray:
    return (rows["source"].isin(weak_negative_sources()) & (rows["target"] == "no_tumor")).to_numpy()


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
