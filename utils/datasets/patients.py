"""The table of patients for a user's own folder: which images show the same patient."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TypeVar

import pandas as pd

from utils.datasets.tables import DatasetError

Value = TypeVar("Value")

SEPARATORS = (",", ";", "\t")
COLUMNS = ("file", "patient")
NEEDED = "the columns file and patient"


def patients_of(samples: pd.DataFrame, patients: Path) -> pd.Series:
    """The patient of each sample, from a CSV table with the columns file and patient.

    Columns may be separated by comma, semicolon or tab, with spaces around; their names may have capitals. Files are
    absolute paths, paths within the data set or names alone. A patient may be called NA. Raises DatasetError.
    """
    if not patients.is_file():
        raise DatasetError(f"{patients} is not a file; --patients takes a CSV with {NEEDED}.")
    table = _table(patients)
    twice = table["file"].duplicated()
    if twice.any():
        raise DatasetError(f"{patients} names more than one patient for {table['file'][twice].iloc[0]}.")
    known = dict(zip(table["file"], table["patient"], strict=True))
    patient = pd.Series(
        [by_path(known, file, path) for file, path in zip(samples["file"], samples["path"], strict=True)],
        index=samples.index,
        dtype=object,
    )
    if patient.isna().any():
        raise DatasetError(f"{patients} names no patient for {samples['file'][patient.isna()].iloc[0]}.")
    return patient


def file_table(content: bytes, name: object) -> pd.DataFrame:
    """The content of a CSV table as texts, with headings in lower case and a column file with slashes and without "./".

    name: of the table, in errors. Raises DatasetError.
    """
    heading = next((line for line in content.decode("utf-8-sig", "replace").splitlines() if line.strip()), "")
    try:
        table = pd.read_csv(
            io.BytesIO(content),
            dtype=str,
            sep=max(SEPARATORS, key=heading.count),
            skipinitialspace=True,
            keep_default_na=False,
            encoding="utf-8-sig",
        )
    except ValueError as error:  # pandas' parser errors and wrong encodings are ValueErrors
        raise DatasetError(f"{name} cannot be read as a CSV table ({str(error).strip()}).") from error
    table.columns = [str(column).strip().lower() for column in table.columns]
    if table.columns.has_duplicates:
        raise DatasetError(f"{name} has two columns with the same heading; keep one of them.")
    table = table.fillna("").apply(lambda column: column.str.strip())
    return table.assign(file=[_normal(file) for file in table["file"]]) if "file" in table else table


def by_path(known: Mapping[str, Value], file: str, path: str) -> Value | None:
    """By absolute path, by path in the set, by that below a parent folder (the set's own name), or by name."""
    absolute = PurePosixPath(Path(path).as_posix())
    candidates = [str(absolute), file]
    candidates += [str(PurePosixPath(*absolute.parts[start:])) for start in range(1, len(absolute.parts) - 1)]
    return next((known[name] for name in (*candidates, absolute.name) if name in known), None)


def _table(patients: Path) -> pd.DataFrame:
    """The rows with a file and a patient."""
    try:
        table = file_table(patients.read_bytes(), patients)
    except OSError as error:
        raise DatasetError(f"{patients} cannot be read as a CSV table ({error.strerror}).") from error
    if not set(COLUMNS) <= set(table.columns):
        raise DatasetError(f"{patients} needs {NEEDED}, separated by comma, semicolon or tab.")
    table = table[list(COLUMNS)]
    return table[(table["file"] != "") & (table["patient"] != "")].drop_duplicates()


def _normal(file: str) -> str:
    """A path with slashes and without "./" and "..", as far as its text allows."""
    return str(PurePosixPath(file.replace("\\", "/"))) if file else ""
