"""Known diagnoses of scans: from a CSV table, from class folders, or from stored reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pandas as pd

from utils.classes import CLASSES, OTHER_TUMOR, class_of_label
from utils.datasets.patients import by_path, file_table
from utils.datasets.tables import DatasetError

FILE, DIAGNOSIS, PATIENT = "file", "diagnosis", "patient"
OTHER_HEADINGS = ("label", "class")  # of the diagnosis; the first that is there counts
OF_REVIEWS = {name: name for name in CLASSES} | {"metastasis": OTHER_TUMOR, "other_tumor": OTHER_TUMOR}
HOW = (
    "Put scans in folders named glioma, meningioma, pituitary and no_tumor, or add a CSV table with the columns file "
    "and diagnosis and, where known, patient."
)


@dataclass(frozen=True)
class Diagnosis:
    """`target`: one of CLASSES, or OTHER_TUMOR; `patient`: "" where not known."""

    target: str
    patient: str = ""


@dataclass(frozen=True)
class Diagnoses:
    """Where diagnoses come from: `by_file` (a table; then no folder counts), else the folders that files are in, else
    `by_sha256`, the reviewed labels of files."""

    by_file: Mapping[str, Diagnosis] = field(default_factory=dict)
    by_sha256: Mapping[str, str] = field(default_factory=dict)

    def of(self, names: Sequence[str], sha256: str) -> Diagnosis | None:
        """The diagnosis of a scan from the paths of its files; None where none, or more than one, is known."""
        known = {self._of_file(name) for name in names} - {None}
        if len(known) == 1:
            return known.pop()
        target = OF_REVIEWS.get(self.by_sha256.get(sha256, ""))
        return Diagnosis(target) if target and not known else None

    def _of_file(self, name: str) -> Diagnosis | None:
        if self.by_file:
            return by_path(self.by_file, name, name)
        targets = [class_of_label(part) for part in PurePosixPath(Path(name).as_posix()).parts[:-1]]
        target = next((target for target in reversed(targets) if target), None)
        return Diagnosis(target) if target else None


def read_diagnoses(content: bytes, name: str) -> dict[str, Diagnosis]:
    """File -> diagnosis, from the content of a CSV table. Raises DatasetError, a sentence with `name`."""
    table = file_table(content, name)
    if DIAGNOSIS not in table and (other := next((old for old in OTHER_HEADINGS if old in table), "")):
        table = table.rename(columns={other: DIAGNOSIS})
    if not {FILE, DIAGNOSIS} <= set(table.columns):
        raise DatasetError(
            f"{name} needs the columns {FILE} and {DIAGNOSIS} and, where known, {PATIENT}, separated by comma, "
            "semicolon or tab."
        )
    table = table[table[FILE] != ""].drop_duplicates()
    table["target"] = [OF_REVIEWS.get(text) or class_of_label(text) for text in table[DIAGNOSIS]]
    unknown = table[DIAGNOSIS][table["target"].isna()]
    if len(unknown):
        raise DatasetError(
            f"{name} has a diagnosis that is not known: {unknown.iloc[0] or 'an empty field'}. Use "
            f"{', '.join(CLASSES)} or {OTHER_TUMOR}."
        )
    twice = table[FILE].duplicated()
    if twice.any():
        raise DatasetError(f"{name} has more than one row for {table[FILE][twice].iloc[0]}.")
    patients = table[PATIENT] if PATIENT in table else pd.Series("", table.index)
    return {
        file: Diagnosis(target, patient)
        for file, target, patient in zip(table[FILE], table["target"], patients, strict=True)
    }
