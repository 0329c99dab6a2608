"""The protocols: which rows of a sample table a network learns from, is chosen on and is measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from utils.classes import CLASSES
from utils.datasets.samples import DatasetError, read_csv

PROTOCOLS = (
    "patient-disjoint", "published", "leave-one-source-out", "folder",
    "sartaj", "sartaj-random", "published-random", "feltrin44", "feltrin44-random",
)  # fmt: skip
LEAVE_OUT = "leave-one-source-out-"
TEST_FOLD, VALIDATION_FOLD = 0, 1
# protocol -> source, share of Training that is held out (one of so many folds), by group or by image
_PUBLISHED = {
    "published": ("nickparvar", 20, True),
    "published-random": ("nickparvar", 5, False),
    "sartaj": ("sartaj", 10, True),
    "sartaj-random": ("sartaj", 10, False),
}


def split_samples(
    samples: pd.DataFrame, protocol: str, seed: int = 0, patients: Path | str | None = None
) -> pd.DataFrame:
    """The rows that a protocol uses, with a column `part`: "train", "validation" or "test".

    `patient-disjoint`: folds 2-4, 1 and 0, corrected labels, one test image per picture.
    `leave-one-source-out-SOURCE`: folds 2-4 and 1 of all but SOURCE; the test is SOURCE, every fold, without what
    shares a group with them, one image per picture.
    `published`: Nickparvar's own Training and Testing, a twentieth of Training (by group) to validate, labels as
    published; `published-random`: the same with a fifth of Training, drawn by image as others do, to validate.
    `sartaj`: its own Training and Testing, a tenth of Training (by group) to validate; `sartaj-random`: drawn by image.
    `feltrin44`: its 44 classes, folds 2-4, 1 and 0; `feltrin44-random`: a fifth each to validate and to test, drawn by
    image as others do: pictures of one patient stand on all sides.
    `folder`: five folds by patient (a CSV with `file` and `patient`), else by picture similarity.
    Raises DatasetError where the samples lack what the protocol needs.
    """
    samples = samples.copy()
    if protocol in _PUBLISHED:
        return _published(samples, protocol, seed)
    if protocol.startswith("feltrin44"):
        return _finer(samples, protocol, seed)
    if protocol == "patient-disjoint" or protocol.startswith(LEAVE_OUT):
        if (samples["fold"] < 0).any():
            raise DatasetError(
                f"The {protocol} protocol needs a manifest.csv with folds; without one use --protocol folder."
            )
    elif protocol == "folder":
        if patients is not None:
            samples["group"] = _patient_groups(samples, Path(patients))
        samples["fold"] = _grouped_folds(samples, 5, seed)
    else:
        raise DatasetError(f"There is no protocol {protocol}; choose one of {', '.join(PROTOCOLS)}.")
    samples["target"] = samples["true_label"]
    samples["part"] = samples["fold"].map({TEST_FOLD: "test", VALIDATION_FOLD: "validation"}).fillna("train")
    if protocol.startswith(LEAVE_OUT):
        samples = _leave_out(samples, protocol.removeprefix(LEAVE_OUT))
    repeated = samples.duplicated("picture") & (samples["part"] != "train")
    return samples[~repeated].reset_index(drop=True)


def classes_of(protocol: str, samples: pd.DataFrame) -> tuple[str, ...]:
    """The classes that a network of this protocol answers with, in its order."""
    return tuple(sorted(samples["target"].unique())) if protocol.startswith("feltrin44") else CLASSES


def _published(samples: pd.DataFrame, protocol: str, seed: int) -> pd.DataFrame:
    source, folds, by_group = _PUBLISHED[protocol]
    samples = samples[(samples["source"] == source) & (samples["published_split"] != "")].copy()
    if not {"Training", "Testing"} <= set(samples["published_split"]):
        raise DatasetError(
            f"The {protocol} protocol needs {source.capitalize()}'s Training and Testing folders."
        )
    samples["target"] = samples["label"]
    samples["part"] = np.where(samples["published_split"] == "Testing", "test", "train")
    train = samples["part"] == "train"
    rows = samples[train]
    held_out = _grouped_folds(rows, folds, seed) if by_group else _random_folds(rows["label"], folds, seed)
    samples.loc[samples.index[train][held_out == 0], "part"] = "validation"
    return samples.reset_index(drop=True)


def _finer(samples: pd.DataFrame, protocol: str, seed: int) -> pd.DataFrame:
    samples = samples[samples["source"] == "feltrin44"].copy()
    if samples.empty:
        raise DatasetError(f"The {protocol} protocol needs the set feltrin44.")
    samples["target"] = samples["finer_label"]
    fold = _random_folds(samples["target"], 5, seed) if protocol.endswith("random") else samples["fold"]
    samples["part"] = (
        pd.Series(fold, samples.index).map({TEST_FOLD: "test", VALIDATION_FOLD: "validation"}).fillna("train")
    )
    if protocol == "feltrin44":
        samples = samples[~(samples.duplicated("picture") & (samples["part"] != "train"))]
    return samples.reset_index(drop=True)


def _leave_out(samples: pd.DataFrame, source: str) -> pd.DataFrame:
    """The rows of `source` become the test part; the other sources lose theirs."""
    left_out = samples["source"] == source
    if not left_out.any() or left_out.all():
        raise DatasetError(f"Leaving out {source} needs that set and at least one other.")
    samples = samples[left_out | (samples["part"] != "test")].copy()
    left_out = samples["source"] == source
    samples.loc[left_out, "part"] = "test"
    twins = left_out & samples["group"].isin(samples.loc[~left_out, "group"])
    return samples[~twins]


def _patient_groups(samples: pd.DataFrame, patients: Path) -> pd.Series:
    """Groups that keep a patient together, and a picture that two patients share."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not patients.is_file():
        raise DatasetError(
            f"{patients} is not a file; --patients takes a CSV with the columns file and patient."
        )
    table = read_csv(patients, dtype=str)
    if not {"file", "patient"} <= set(table.columns):
        raise DatasetError(f"{patients} needs the columns file and patient.")
    table = table[["file", "patient"]].drop_duplicates()
    twice = table["file"].duplicated()
    if twice.any():
        raise DatasetError(f"{patients} names more than one patient for {table['file'][twice].iloc[0]}.")
    known = dict(zip(table["file"].str.replace("\\", "/"), table["patient"], strict=True))
    patient = samples["file"].map(known).fillna(samples["file"].map(lambda file: known.get(Path(file).name)))
    if patient.isna().any():
        raise DatasetError(f"{patients} names no patient for {samples['file'][patient.isna()].iloc[0]}.")
    first, second = pd.factorize(patient)[0], pd.factorize(samples["picture"])[0]
    links = coo_array((np.ones(len(first)), (first, first.max() + 1 + second)))
    size = first.max() + second.max() + 2
    links.resize((size, size))
    return pd.Series(connected_components(links, directed=False)[1][first], index=samples.index)


def _random_folds(labels: pd.Series, folds: int, seed: int) -> np.ndarray:
    """(N,) int: class-balanced folds that know nothing of groups."""
    from sklearn.model_selection import StratifiedKFold

    fold = np.zeros(len(labels), dtype=int)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for number, (_, chosen) in enumerate(splitter.split(labels, labels)):
        fold[chosen] = number
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
    for number, (_, chosen) in enumerate(splitter.split(labels, labels, groups)):
        fold[chosen] = number
    return fold
