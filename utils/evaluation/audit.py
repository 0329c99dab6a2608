"""Audit of a data set: counts, unreadable files, and how much its split leaks (`model.py data`)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd

from utils.classes import CLASSES, OTHER_TUMOR
from utils.datasets.duplicates import near_pairs, picture_hash
from utils.datasets.protocols import split_samples
from utils.datasets.splits import TEST_FOLD, VALIDATION_FOLD
from utils.datasets.tables import DatasetError
from utils.metrics import classification
from utils.scans.errors import UnreadableScan
from utils.scans.upload import read_scan_file

IDENTICAL_SIDE = (
    64  # pixels: two files are the same picture, bit by bit, if their thumbnails of this side are
)
NEIGHBOUR_SIDE = 32  # pixels of the thumbnails that the nearest-neighbour baseline compares
SHOWN = 10  # rows of a long list that are printed


@dataclass(frozen=True)
class Audit:
    """The tables of one audit.

    `counts`: one row a source and part, images per class, different pictures. `leaks`: one row a source and
    split, how many of the test images training has seen. `conflicts`: files that show one image under
    several labels. `corrected`: files whose label the manifest corrects. `unreadable`: one sentence a file.
    """

    counts: pd.DataFrame
    leaks: pd.DataFrame
    conflicts: pd.DataFrame
    corrected: pd.DataFrame
    unreadable: tuple[str, ...]


def audit(samples: pd.DataFrame, seed: int = 0) -> Audit:
    """Read every file of the table (from `datasets.load_samples`) once, and report what invalidates a measurement.

    Every source is audited on its own: under its published split where it has one, under `patient-disjoint`
    where it has folds, else under `folder` (split with `seed`). Training is here all that is not test.
    Raises DatasetError where no file can be read.
    """
    fingerprints, problems = _fingerprints(samples["path"])
    unreadable = (*samples.attrs.get("unreadable", ()), *problems)
    if not fingerprints:
        raise DatasetError("None of the images can be read.")
    samples = samples[samples["path"].isin(fingerprints)].reset_index(drop=True)
    counts, leaks = [], []
    for source, rows in samples.groupby("source", sort=False):
        splits = _splits(rows, seed)
        counts += [_counts(str(source), name, part) for name, part in _parts(rows, splits)]
        leaks += [_leaks(str(source), name, split, fingerprints) for name, split in splits.items()]
    several = samples.groupby("picture")["label"].transform("nunique") > 1
    columns = ["picture", "source", "file", "label"]
    return Audit(
        counts=pd.DataFrame(counts),
        leaks=pd.DataFrame(leaks),
        conflicts=samples.loc[several, columns].sort_values("picture", kind="stable").reset_index(drop=True),
        corrected=samples.loc[
            samples["label"] != samples["true_label"], ["source", "file", "label", "true_label"]
        ].reset_index(drop=True),
        unreadable=unreadable,
    )


def nearest_neighbour(
    train_paths: Sequence[str], train_targets: Sequence[int] | np.ndarray, test_paths: Sequence[str]
) -> np.ndarray:
    """(N,) predicted class indices of the 1-nearest-neighbour baseline on thumbnails of 32 x 32 pixels.

    Any useful network beats it: it uses no feature of a tumour, only the most similar training image. Raises
    UnreadableScan.
    """
    train, test = (
        np.stack([_neighbour_thumbnail(read_scan_file(path).pixels) for path in paths])
        for paths in (train_paths, test_paths)
    )
    return _nearest(train, np.asarray(train_targets), test)


def format_audit(result: Audit) -> str:
    """The audit as plain text tables."""
    sections = [("Images per class", _table(result.counts))]
    if len(result.leaks):
        sections.append(
            (
                "Test images that training has seen, and the accuracy of a nearest-neighbour lookup",
                _leak_table(result),
            )
        )
    for title, table in (
        ("Images with several labels", result.conflicts),
        ("Labels that the manifest corrects", result.corrected),
    ):
        text = _table(table.head(SHOWN)) if len(table) else "none"
        sections.append((f"{title}: {_files(len(table))}", text + _more(len(table))))
    lines = "\n".join(result.unreadable[:SHOWN]) or "none"
    sections.append(
        (f"Left out, not readable: {_files(len(result.unreadable))}", lines + _more(len(result.unreadable)))
    )
    return "\n\n".join(f"{title}\n{'-' * len(title)}\n{text}" for title, text in sections)


@dataclass(frozen=True)
class _Fingerprint:
    identity: str  # hash of the thumbnail's pixels
    straight: np.ndarray  # (32,) uint8, see duplicates.picture_hash
    mirrored: np.ndarray
    thumbnail: np.ndarray  # (1024,) float32, unit length


def _fingerprints(paths: Sequence[str] | pd.Series) -> tuple[dict[str, _Fingerprint], list[str]]:
    fingerprints, problems = {}, []
    for path in paths:
        try:
            pixels = read_scan_file(path).pixels
        except UnreadableScan as error:
            problems.append(f"{path}: {error}")
            continue
        thumbnail = cv2.resize(pixels, (IDENTICAL_SIDE, IDENTICAL_SIDE), interpolation=cv2.INTER_AREA)
        identity = hashlib.sha256(np.rint(thumbnail * 255).astype(np.uint8).tobytes()).hexdigest()
        fingerprints[path] = _Fingerprint(identity, *picture_hash(pixels), _neighbour_thumbnail(pixels))
    return fingerprints, problems


def _neighbour_thumbnail(pixels: np.ndarray) -> np.ndarray:
    """(1024,) float32 of unit length, so that a brighter copy is still the nearest."""
    thumbnail = cv2.resize(pixels, (NEIGHBOUR_SIDE, NEIGHBOUR_SIDE), interpolation=cv2.INTER_AREA).ravel()
    return thumbnail / max(float(np.linalg.norm(thumbnail)), 1e-6)


def _nearest(train: np.ndarray, targets: np.ndarray, test: np.ndarray) -> np.ndarray:
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier(n_neighbors=1).fit(train, targets).predict(test)


def _splits(rows: pd.DataFrame, seed: int) -> dict[str, pd.DataFrame]:
    """Name -> rows of one source with `part` and `target`; empty where there are too few images to split."""
    splits = {}
    if {"Training", "Testing"} <= set(rows["published_split"]):
        part = rows["published_split"].map({"Training": "train", "Testing": "test"})
        published = rows.assign(part=part, target=rows["label"])
        splits["published"] = published[part.notna()]
    if (rows["fold"] >= 0).all():
        splits["patient-disjoint"] = split_samples(rows, "patient-disjoint")
    if not splits:
        try:
            splits["folder"] = split_samples(rows, "folder", seed=seed)
        except DatasetError:
            return {}
    return splits


def _parts(rows: pd.DataFrame, splits: dict[str, pd.DataFrame]) -> list[tuple[str, pd.DataFrame]]:
    """The named parts of one source whose images are counted."""
    parts = [(split, rows[rows["published_split"] == split]) for split in ("Training", "Testing")]
    for fold in sorted(set(rows["fold"]) - {-1}):
        use = {TEST_FOLD: "test", VALIDATION_FOLD: "validation"}.get(fold, "train")
        parts.append((f"fold {fold} ({use})", rows[rows["fold"] == fold]))
    if "folder" in splits:
        split = splits["folder"]
        parts += [
            (f"folder {part}", split[split["part"] == part]) for part in ("train", "validation", "test")
        ]
    return [*((name, part) for name, part in parts if len(part)), ("all", rows)]


def _counts(source: str, part: str, rows: pd.DataFrame) -> dict[str, object]:
    named = CLASSES if OTHER_TUMOR not in set(rows["label"]) else (*CLASSES, OTHER_TUMOR)
    classes = {name: int((rows["label"] == name).sum()) for name in named}
    return {
        "source": source,
        "part": part,
        **classes,
        "total": len(rows),
        "different pictures": rows["picture"].nunique(),
    }


def _leaks(
    source: str, name: str, split: pd.DataFrame, fingerprints: dict[str, _Fingerprint]
) -> dict[str, object]:
    """How many test images training has seen. `patient` and `group` are None without a manifest."""
    train, test = split[split["part"] != "test"], split[split["part"] == "test"]
    seen, tested = ([fingerprints[path] for path in part["path"]] for part in (train, test))
    known = {fingerprint.identity for fingerprint in seen}
    straight = np.stack([fingerprint.straight for fingerprint in seen])
    mirrored = np.stack([fingerprint.mirrored for fingerprint in seen])
    same, _ = near_pairs(
        np.stack([fingerprint.straight for fingerprint in tested]), np.concatenate([straight, mirrored])
    )
    patients = test["patient"][test["patient"] != ""]
    learned, measured = (part[part["target"] != OTHER_TUMOR] for part in (train, test))
    nearest = _nearest(
        np.stack([fingerprints[path].thumbnail for path in learned["path"]]),
        learned["target"].map(CLASSES.index).to_numpy(),
        np.stack([fingerprints[path].thumbnail for path in measured["path"]]),
    )
    figures = classification.figures(
        measured["target"].map(CLASSES.index).to_numpy(), nearest, measured["group"].to_numpy()
    )
    return {
        "source": source,
        "split": name,
        "train": len(train),
        "test": len(test),
        "identical": sum(fingerprint.identity in known for fingerprint in tested),
        "identical or mirrored": len(set(same)),
        "patient known": len(patients),
        "patient": int(patients.isin(train["patient"]).sum()) if len(patients) else None,
        "group": int(test["group"].isin(train["group"]).sum()) if (test["fold"] >= 0).all() else None,
        "accuracy": figures["accuracy"],
        "accuracy_interval": tuple(figures["accuracy_interval"]),
    }


def _leak_table(result: Audit) -> str:
    rows = []
    for row in result.leaks.to_dict("records"):
        patient, group = row["patient"], row["group"]
        low, high = row["accuracy_interval"]
        rows.append(
            {
                "source": row["source"],
                "split": row["split"],
                "train": row["train"],
                "test": row["test"],
                "identical": _share(row["identical"], row["test"]),
                "same, also mirrored": _share(row["identical or mirrored"], row["test"]),
                "patient in training": "unknown"
                if pd.isna(patient)
                else f"{patient:.0f} of {row['patient known']}",
                "group in training": "unknown" if pd.isna(group) else _share(int(group), row["test"]),
                "1-NN accuracy (95 % interval)": f"{100 * row['accuracy']:.1f} % ({100 * low:.1f} to {100 * high:.1f})",
            }
        )
    return _table(pd.DataFrame(rows))


def _table(table: pd.DataFrame) -> str:
    return table.to_string(index=False, max_colwidth=None)


def _share(count: int, whole: int) -> str:
    return f"{count} ({100 * count / whole:.0f} %)"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _more(count: int) -> str:
    return f"\nand {count - SHOWN} more" if count > SHOWN else ""
