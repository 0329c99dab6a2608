"""Folders and manifests -> a table of samples, one row an image, and the protocols that split it.

The table is a pandas DataFrame with the columns `path`, `file` (relative to its set), `label` (as published),
`finer_label` (the same in the authors' own words, Feltrin's 44 for instance), `true_label` (with the known mislabels
corrected; OTHER_TUMOR for types that the networks cannot name), `source`, `sequence` ("T1", "T1C+", "T2", "FLAIR", or
"" where not known), `published_split` ("Training", "Testing" or ""), `picture` (images that show the same picture, also
mirrored, share it), `group` (what must stay on one side of a split), `patient` ("" where not known), `mask` (path of
the tumour's outline, "" where there is none), `original_side` (pixels, of square files as published; 0 where not known)
and `fold` (0-4, or -1 where the source has none). Files that were left out stand in its `attrs["unreadable"]`, one
sentence each.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from utils.classes import CLASSES, class_of, sequence_of
from utils.duplicates import same_pictures
from utils.scans import PICTURE_SUFFIXES, UnreadableScan, read_scan_file

PROTOCOLS = (
    "patient-disjoint", "published", "leave-one-source-out", "folder",
    "sartaj", "published-random", "feltrin44", "feltrin44-random",
)  # fmt: skip
SOURCES = (
    "nickparvar",
    "feltrin44",
    "lgg",
)  # what the app's networks learn from; Sartaj shows the same pictures
LEAVE_OUT = "leave-one-source-out-"
TEST_FOLD, VALIDATION_FOLD = 0, 1


class DatasetError(ValueError):
    """A data folder that cannot be used as asked. Its text says what is wrong and what to do."""


def load_samples(root: Path | str, sets: tuple[str, ...] | None = None) -> pd.DataFrame:
    """The table of every image below `root`, which holds several sets or is one.

    `sets` keeps only the named sources. Files that a manifest names and that are not there, and files in class
    folders that cannot be read, are left out: `attrs["unreadable"]` of the table lists them.
    Raises DatasetError where nothing is found.
    """
    root = Path(root).expanduser().resolve()
    if not root.is_dir():
        raise DatasetError(f"{root} is not a folder; give the folder that holds the data sets, or one set.")
    folders = _set_folders(root)
    if sets:
        folders = {name: folder for name, folder in folders.items() if name in sets}
        if not folders:
            raise DatasetError(f"{root} does not hold {' or '.join(sets)}.")
    tables = [_load_set(folder, name) for name, folder in folders.items()]
    if not tables:
        raise DatasetError(
            f"No class folders (glioma, meningioma, notumor or no_tumor, pituitary) were found in {root}."
        )
    problems = [problem for table in tables for problem in table.attrs["unreadable"]]
    for table in tables:
        table.attrs = {}
    samples = pd.concat(tables, ignore_index=True)
    without_manifest = samples["picture"] < 0
    if without_manifest.any() and not without_manifest.all():  # the manifests' files are about to be compared
        samples, more = readable(samples)
        problems += more
    samples = _number_pictures(samples)
    samples.attrs["unreadable"] = problems
    return samples


def split_samples(
    samples: pd.DataFrame, protocol: str, seed: int = 0, patients: Path | str | None = None
) -> pd.DataFrame:
    """The rows that a protocol uses, with a column `part`: "train", "validation" or "test".

    `patient-disjoint`: folds 2-4, 1 and 0, corrected labels, one test image per picture.
    `leave-one-source-out-SOURCE`: folds 2-4 and 1 of all but SOURCE; the test is SOURCE, every fold, without what
    shares a group with them, one image per picture.
    `published`: Nickparvar's own Training and Testing, a twentieth of Training (by group) to validate, labels as
    published; `published-random`: the same with a fifth of Training, drawn by image as others do, to validate.
    `sartaj`: its own Training and Testing, a tenth of Training (by group) to validate.
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


# protocol -> source, share of Training that is held out (one of so many folds), by group or by image
_PUBLISHED = {
    "published": ("nickparvar", 20, True),
    "published-random": ("nickparvar", 5, False),
    "sartaj": ("sartaj", 10, True),
}


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


def classes_of(protocol: str, samples: pd.DataFrame) -> tuple[str, ...]:
    """The classes that a network of this protocol answers with, in its order."""
    return tuple(sorted(samples["target"].unique())) if protocol.startswith("feltrin44") else CLASSES


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


def readable(samples: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows whose file can be read, and one sentence for each that cannot."""
    problems, keep = [], []
    for path in samples["path"]:
        try:
            read_scan_file(path)
            keep.append(True)
        except UnreadableScan as error:
            problems.append(f"{path}: {error}")
            keep.append(False)
    return samples[np.asarray(keep, dtype=bool)].reset_index(drop=True), problems


def _set_folders(root: Path) -> dict[str, Path]:
    """Source name -> folder. A set has class folders, or Training/Testing folders that have them."""
    if _is_set(root):
        return {_source_name(root): root}
    folders: dict[str, Path] = {}
    for child in sorted(root.iterdir()):
        if child.is_dir() and _is_set(child):
            name = _source_name(child)
            folders[child.name if name in folders else name] = child
    return folders


def _is_set(folder: Path) -> bool:
    if (folder / "manifest.csv").is_file():
        return True
    below = [child for child in folder.iterdir() if child.is_dir()]
    if len({class_of(child.name) for child in below} - {None}) >= 2:
        return True
    return any(
        _split_name(child.name) and any(class_of(grandchild.name) for grandchild in child.iterdir())
        for child in below
    )


def _split_name(folder: str) -> str:
    name = folder.lower()
    return "Training" if name.startswith("train") else "Testing" if name.startswith("test") else ""


def _source_name(folder: Path) -> str:
    """The published sets are known by how they spell their class folders."""
    names = {child.name for child in folder.glob("*/*") if child.is_dir()}
    if {"glioma", "notumor"} <= names:
        return "nickparvar"
    if {"glioma_tumor", "no_tumor"} <= names:
        return "sartaj"
    return folder.name


def _load_set(folder: Path, source: str) -> pd.DataFrame:
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        table = _read_csv(manifest)
        needed = {"file", "label", "duplicate_group", "group", "fold"}
        if not needed <= set(table.columns):
            raise DatasetError(
                f"{manifest} lacks the columns {', '.join(sorted(needed - set(table.columns)))}."
            )
        label = table["label"].map(class_of)
        if label.isna().any():
            raise DatasetError(
                f"{manifest} names a class that is not known: {table['label'][label.isna()].iloc[0]}."
            )
        corrected = (
            table["figshare_label"].map(class_of, na_action="ignore") if "figshare_label" in table else label
        )
        samples = pd.DataFrame(
            {
                "path": [str(folder / file) for file in table["file"]],
                "file": table["file"],
                "label": label,
                "finer_label": table["label"],
                "true_label": corrected.fillna(label),
                "source": source,
                "sequence": _sequences(table, source),
                "published_split": table.get("published_split", pd.Series("", table.index)).fillna(""),
                "picture": _numbers(table["duplicate_group"], manifest),
                "group": _numbers(table["group"], manifest),
                "patient": table.get("patient", pd.Series("", table.index)).fillna("").astype(str),
                "mask": [
                    str(folder / file) if file else ""
                    for file in table.get("mask", pd.Series("", table.index)).fillna("")
                ],
                "original_side": _original_sides(table),
                "fold": _numbers(table["fold"], manifest),
            }
        )
        there = samples["path"].map(os.path.isfile)
        if not there.any():
            raise DatasetError(
                f"None of the files that {manifest} names is there; is the set unpacked beside it?"
            )
        missing = [
            f"{path}: {manifest.name} names this file, but it is not there."
            for path in samples["path"][~there]
        ]
        samples = samples[there].reset_index(drop=True)
        samples.attrs["unreadable"] = missing
        return samples
    return _load_class_folders(folder, source)


def _sequences(table: pd.DataFrame, source: str) -> pd.Series:
    """Feltrin's manifest names them; what the set `lgg` holds of TCGA's lower-grade gliomas is the FLAIR channel."""
    return table.get("sequence", pd.Series("FLAIR" if source == "lgg" else "", table.index)).fillna("")


def _original_sides(table: pd.DataFrame) -> pd.Series:
    if not {"original_height", "original_width"} <= set(table.columns):
        return pd.Series(0, table.index)
    square = table["original_height"] == table["original_width"]
    return table["original_height"].where(square, 0).fillna(0).astype(int)


def _load_class_folders(folder: Path, source: str) -> pd.DataFrame:
    """A set without a manifest; `picture` and `group` are -1 until the pictures are compared."""
    rows, problems = [], []
    for directory, below, files in os.walk(folder):
        below[:] = sorted(name for name in below if not name.lower().startswith(("mask", ".")))
        parts = Path(directory).relative_to(folder).parts
        spelt = next((name for name in reversed(parts) if class_of(name)), "")
        label = class_of(spelt)
        if label is None:
            continue
        for file in sorted(files):
            path = Path(directory) / file
            if file.lower().endswith(PICTURE_SUFFIXES) and not file.startswith("."):
                rows.append(
                    (
                        str(path),
                        path.relative_to(folder).as_posix(),
                        label,
                        spelt,
                        label,
                        source,
                        sequence_of(spelt),
                        _split_name(parts[0]),
                    )
                )
            elif not file.startswith("."):
                problems.append(
                    f"{path}: This file does not have the name of a picture ({', '.join(PICTURE_SUFFIXES)})."
                )
    columns = ["path", "file", "label", "finer_label", "true_label", "source", "sequence", "published_split"]
    table, unreadable = readable(pd.DataFrame(rows, columns=columns))
    if table.empty:
        raise DatasetError(f"No readable picture was found in the class folders of {folder}.")
    table = table.assign(picture=-1, group=-1, patient="", mask="", original_side=0, fold=-1)
    table.attrs["unreadable"] = problems + unreadable
    return table


def _number_pictures(samples: pd.DataFrame) -> pd.DataFrame:
    """`picture` and `group` for the rows that no manifest gave them, equal where pictures are the same.

    All sets are compared together, so that a picture that stands in two of them is known as one. A picture that a
    manifest knows takes the manifest's numbers.
    """
    new = samples["picture"] < 0
    if not new.any():
        return samples
    samples = samples.assign(alike=same_pictures(list(samples["path"])))
    known = samples[~new].drop_duplicates("alike").set_index("alike")
    first_free = int(samples[["picture", "group"]].to_numpy().max()) + 1
    for column in ("picture", "group"):
        numbers = samples["alike"].map(known[column]).fillna(samples["alike"] + first_free).astype(int)
        samples[column] = samples[column].where(~new, numbers)
    return samples.drop(columns="alike")


def _read_csv(file: Path, **options: Any) -> pd.DataFrame:
    try:
        return pd.read_csv(file, **options)
    except (OSError, ValueError) as error:  # pandas' parser errors and wrong encodings are ValueErrors
        raise DatasetError(f"{file} cannot be read as a CSV table ({str(error).strip()}).") from error


def _numbers(column: pd.Series, file: Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any() or (numbers < 0).any() or (numbers % 1 != 0).any():
        raise DatasetError(f"{file} has a {column.name} that is no whole number, 0 or more.")
    return numbers.astype(int)


def _patient_groups(samples: pd.DataFrame, patients: Path) -> pd.Series:
    """Groups that keep a patient together, and a picture that two patients share."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not patients.is_file():
        raise DatasetError(
            f"{patients} is not a file; --patients takes a CSV with the columns file and patient."
        )
    table = _read_csv(patients, dtype=str)
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
