"""How samples are split into training, validation and test; `utils.datasets.protocols` names the splits.

Every function takes a sample table (`utils.datasets.samples`) and returns the rows in use with the columns `target`
(the label to learn) and `part` ("train", "validation" or "test"). They raise DatasetError where the samples lack what
the split needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from utils.datasets.patients import patients_of
from utils.datasets.sources import doubtful_patients, sources_of_families
from utils.datasets.tables import DatasetError

TEST_FOLD, VALIDATION_FOLD = 0, 1
_PART_OF_FOLD = {TEST_FOLD: "test", VALIDATION_FOLD: "validation"}


@dataclass(frozen=True)
class SplitOptions:
    """`protocol`: the name in errors. `patients`: a CSV with the columns file and patient, for `folder_split`."""

    protocol: str
    seed: int = 0
    patients: Path | None = None


def fold_split(samples: pd.DataFrame, options: SplitOptions) -> pd.DataFrame:
    """Folds 2-4, 1 and 0 of the manifest, with corrected labels; validation and test count an image once."""
    _require_folds(samples, options)
    return _one_image_a_picture(_parts_by_fold(samples))


def external_split(samples: pd.DataFrame, options: SplitOptions, source: str) -> pd.DataFrame:
    """Folds 2-4 and 1 of all sources but one; the test part is every fold of that one, each image once.

    Images of the source that share a group with images of the others are dropped.
    """
    return _external_split(samples, options, (source,), source)


def family_split(samples: pd.DataFrame, options: SplitOptions, families: tuple[str, ...]) -> pd.DataFrame:
    """Folds 2-4 and 1 of the sources of all other families; the test part is every fold of these, each image once.

    Images that share a group with images of the others are dropped from it, and patients who may be in two families.
    """
    split = _external_split(samples, options, sources_of_families(families), " and ".join(families))
    is_doubtful = (split["part"] == "test") & split["patient"].str.startswith(doubtful_patients())
    return split[~is_doubtful].reset_index(drop=True)


def folder_split(samples: pd.DataFrame, options: SplitOptions) -> pd.DataFrame:
    """Five folds by patient where a CSV names the patients, else by image similarity: 3 train, 1 validates, 1 tests."""
    if options.patients is not None:
        samples = samples.assign(group=_patient_groups(samples, Path(options.patients)))
    samples = samples.assign(fold=_grouped_folds(samples, 5, options.seed))
    return _one_image_a_picture(_parts_by_fold(samples))


def published_split(
    samples: pd.DataFrame, options: SplitOptions, source: str, folds: int, by_group: bool
) -> pd.DataFrame:
    """The authors' Training and Testing folders and labels; one of `folds` parts of Training validates.

    The folds keep groups together, or (`by_group` false) are drawn image by image, as other authors draw them.
    """
    samples = samples[(samples["source"] == source) & (samples["published_split"] != "")].copy()
    if not {"Training", "Testing"} <= set(samples["published_split"]):
        raise DatasetError(
            f"The {options.protocol} protocol needs {source.capitalize()}'s Training and Testing folders."
        )
    samples["target"] = samples["label"]
    samples["part"] = np.where(samples["published_split"] == "Testing", "test", "train")
    train = samples["part"] == "train"
    rows = samples[train]
    fold_of = _grouped_folds if by_group else _random_folds
    samples.loc[samples.index[train][fold_of(rows, folds, options.seed) == 0], "part"] = "validation"
    return samples.reset_index(drop=True)


def subtype_split(samples: pd.DataFrame, options: SplitOptions, source: str, by_group: bool) -> pd.DataFrame:
    """One source with the labels of its authors: folds 2-4, 1 and 0 of the manifest.

    Validation and test count an image once. With `by_group` false five folds are drawn image by image instead, as other
    authors draw them, and no image is dropped: images of one patient are then in all parts.
    """
    samples = samples[samples["source"] == source].copy()
    if samples.empty:
        raise DatasetError(f"The {options.protocol} protocol needs the set {source}.")
    samples["target"] = samples["subtype_label"]
    if by_group:
        samples["part"] = _part_of(samples["fold"])
        return _one_image_a_picture(samples)
    fold = _random_folds(samples, 5, options.seed, "target")
    samples["part"] = _part_of(pd.Series(fold, samples.index))
    return samples.reset_index(drop=True)


def _external_split(
    samples: pd.DataFrame, options: SplitOptions, sources: tuple[str, ...], title: str
) -> pd.DataFrame:
    _require_folds(samples, options)
    samples = _parts_by_fold(samples)
    is_external = samples["source"].isin(sources)
    if not is_external.any() or is_external.all():
        raise DatasetError(f"Leaving out {title} needs that set and at least one other.")
    samples = samples[is_external | (samples["part"] != "test")].copy()
    is_external = samples["source"].isin(sources)
    samples.loc[is_external, "part"] = "test"
    twins = is_external & samples["group"].isin(samples.loc[~is_external, "group"])
    return _one_image_a_picture(samples[~twins])


def _require_folds(samples: pd.DataFrame, options: SplitOptions) -> None:
    if (samples["fold"] < 0).any():
        raise DatasetError(
            f"The {options.protocol} protocol needs a manifest.csv with folds; without one use --protocol folder."
        )


def _parts_by_fold(samples: pd.DataFrame) -> pd.DataFrame:
    return samples.assign(target=samples["true_label"], part=_part_of(samples["fold"]))


def _part_of(fold: pd.Series) -> pd.Series:
    return fold.map(_PART_OF_FOLD).fillna("train")


def _one_image_a_picture(samples: pd.DataFrame) -> pd.DataFrame:
    """Validation and test without the second and later copies of an image."""
    repeated = samples.duplicated("picture") & (samples["part"] != "train")
    return samples[~repeated].reset_index(drop=True)


def _patient_groups(samples: pd.DataFrame, patients: Path) -> pd.Series:
    """Groups that keep a patient together, and an image that two patients share."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    patient = patients_of(samples, patients)
    first, second = pd.factorize(patient)[0], pd.factorize(samples["picture"])[0]
    links = coo_array((np.ones(len(first)), (first, first.max() + 1 + second)))
    size = first.max() + second.max() + 2
    links.resize((size, size))
    return pd.Series(connected_components(links, directed=False)[1][first], index=samples.index)


def _random_folds(samples: pd.DataFrame, folds: int, seed: int, column: str = "label") -> np.ndarray:
    """(N,) int: class-balanced folds, drawn without regard to groups."""
    from sklearn.model_selection import StratifiedKFold

    labels = samples[column]
    fold = np.zeros(len(labels), dtype=int)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for number, (_, rows) in enumerate(splitter.split(labels, labels)):
        fold[rows] = number
    return fold


def _grouped_folds(samples: pd.DataFrame, folds: int, seed: int) -> np.ndarray:
    """(N,) int: class-balanced folds that never split a group."""
    from sklearn.model_selection import StratifiedGroupKFold

    labels, groups = samples["label"].to_numpy(), samples["group"].to_numpy()
    per_class = samples.groupby("label")["group"].nunique()
    if per_class.min() < folds or len(per_class) < 2:
        raise DatasetError(
            f"{folds} folds need at least {folds} patients (or different pictures) of each of two or more classes; "
            f"found {', '.join(f'{name} {count}' for name, count in per_class.items())}."
        )
    fold = np.zeros(len(samples), dtype=int)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, rows) in enumerate(splitter.split(labels, labels, groups)):
        fold[rows] = number
    return fold
