"""Folders and manifests -> a table of samples, one row an image.

The table is a pandas DataFrame with the columns `path`, `file` (relative to its set), `label` (as published),
`subtype_label` (the same in the authors' own words, Feltrin's 44 for instance), `true_label` (with the known
mislabels corrected; OTHER_TUMOR for types that the networks cannot name), `source`, `sequence` ("T1", "T1C+", "T2",
"FLAIR", or "" where not known), `plane` ("axial", "coronal", "sagittal" or "" where not known), `is_skull_stripped`
(False where not known), `health` ("dementia" or ""), `published_split` ("Training", "Testing" or ""), `picture`
(a number for the image; copies, also mirrored ones, share it), `group` (what must stay on one side of a split),
`patient` ("" where not known), `mask` (path of the tumour's outline, "" where there is none), `box` (path of a mask
of the tumour's bounding box, "" where there is none; it is coarse and no outline), `original_side` (pixels, of square
files as published; 0 where not known) and `fold` (0-4, or -1 where the source has none). Files that were left out
stand in its `attrs["unreadable"]`, one sentence each.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from utils.classes import class_of, class_of_label, sequence_of
from utils.datasets.class_names import class_folder_sentence, unknown_class_folders
from utils.datasets.duplicates import same_pictures
from utils.datasets.sources import default_sources, source_sequence, source_with_class_folders
from utils.datasets.tables import DatasetError, read_csv
from utils.paths import REPOSITORY
from utils.scans.errors import UnreadableScan
from utils.scans.images import IMAGE_SUFFIXES
from utils.scans.upload import read_scan_file

FURTHER_SETS = "more"  # a folder of sets that are only loaded by their names


def data_folder() -> Path:
    """The default folder of the data sets: $BRAIN_MRI_DATA, else ../shared/data of the repository."""
    return Path(os.environ.get("BRAIN_MRI_DATA") or REPOSITORY.parent / "shared" / "data")


def outlined_samples(root: Path | str) -> pd.DataFrame:
    """The rows of `load_samples`, of the sets that this project trains on, with a reference segmentation.

    Empty where there is no such set.
    """
    try:
        samples = load_samples(root, default_sources())
    except DatasetError:
        return pd.DataFrame(columns=["path", "file", "source", "mask"])
    return samples[samples["mask"] != ""]


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
        folders |= _further_folders(root, sets)
        folders = {name: folder for name, folder in folders.items() if name in sets}
        if not folders:
            raise DatasetError(f"{root} does not hold {' or '.join(sets)}.")
    tables = [_load_set(folder, name) for name, folder in folders.items()]
    if not tables:
        reason = class_folder_sentence(root)
        raise DatasetError(
            f"No class folders (glioma, meningioma, notumor or no_tumor, pituitary) were found in {root}."
            + (f" {reason}" if reason else "")
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


def _further_folders(root: Path, sets: tuple[str, ...]) -> dict[str, Path]:
    """Source name -> folder, of those sets that lie in FURTHER_SETS below the root."""
    folders = {name: root / FURTHER_SETS / name for name in sets}
    return {name: folder for name, folder in folders.items() if folder.is_dir() and _is_set(folder)}


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
    return source_with_class_folders(names) or folder.name


def _load_set(folder: Path, source: str) -> pd.DataFrame:
    manifest = folder / "manifest.csv"
    if manifest.is_file():
        table = read_csv(manifest)
        needed = {"file", "label", "duplicate_group", "group", "fold"}
        if not needed <= set(table.columns):
            raise DatasetError(
                f"{manifest} lacks the columns {', '.join(sorted(needed - set(table.columns)))}."
            )
        label = table["label"].map(class_of_label)
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
                "subtype_label": table["label"],
                "true_label": corrected.fillna(label),
                "source": source,
                "sequence": _sequences(table, source),
                "plane": _texts(table, "plane"),
                "is_skull_stripped": _texts(table, "skull_stripped").isin(["1", "1.0"]),
                "health": _texts(table, "health"),
                "published_split": _texts(table, "published_split"),
                "picture": _numbers(table["duplicate_group"], manifest),
                "group": _numbers(table["group"], manifest),
                "patient": _texts(table, "patient"),
                "mask": _mask_paths(table, folder, label, is_box=False),
                "box": _mask_paths(table, folder, label, is_box=True),
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
    """The sequences as this project spells them: T1 with contrast is T1C+."""
    return _texts(table, "sequence", source_sequence(source)).replace("T1C", "T1C+")


def _mask_paths(table: pd.DataFrame, folder: Path, label: pd.Series, is_box: bool) -> list[str]:
    """The masks of tumours that are outlines, or those that are boxes; "" elsewhere."""
    kind = "box" if is_box else "outline"
    is_used = (_texts(table, "mask_is", "outline") == kind) & (label != "no_tumor")
    return [
        str(folder / file) if file and used else ""
        for file, used in zip(_texts(table, "mask"), is_used, strict=True)
    ]


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
            if file.lower().endswith(IMAGE_SUFFIXES) and not file.startswith("."):
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
                    f"{path}: This file does not have the name of a picture ({', '.join(IMAGE_SUFFIXES)})."
                )
    columns = [
        "path",
        "file",
        "label",
        "subtype_label",
        "true_label",
        "source",
        "sequence",
        "published_split",
    ]
    table, unreadable = readable(pd.DataFrame(rows, columns=columns))
    if table.empty:
        raise DatasetError(f"No readable picture was found in the class folders of {folder}.")
    table = table.assign(
        plane="", is_skull_stripped=False, health="", picture=-1, group=-1, patient="", mask="", box="",
        original_side=0, fold=-1,
    )  # fmt: skip
    table.attrs["unreadable"] = problems + unreadable + unknown_class_folders(folder)
    return table


def _number_pictures(samples: pd.DataFrame) -> pd.DataFrame:
    """`picture` and `group` for the rows that no manifest gave them, equal where pictures are the same.

    All sets are compared with each other, so that an image in two of them has one number. An image that a
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


def _texts(table: pd.DataFrame, column: str, otherwise: str = "") -> pd.Series:
    """A column as text, "" in empty fields; `otherwise` everywhere where there is no such column."""
    if column not in table:
        return pd.Series(otherwise, table.index)
    return table[column].astype(object).fillna("").astype(str)


def _numbers(column: pd.Series, file: Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any() or (numbers < 0).any() or (numbers % 1 != 0).any():
        raise DatasetError(f"{file} has a {column.name} that is no whole number, 0 or more.")
    return numbers.astype(int)
