"""The table of patients for a user's own folder: which images show the same patient."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from utils.datasets.tables import DatasetError, read_csv

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
        [_lookup(known, file, path) for file, path in zip(samples["file"], samples["path"], strict=True)],
        index=samples.index,
        dtype=object,
    )
    if patient.isna().any():
        raise DatasetError(f"{patients} names no patient for {samples['file'][patient.isna()].iloc[0]}.")
    return patient


def _table(patients: Path) -> pd.DataFrame:
    """The rows as texts: file (with slashes, without "./") and patient; rows without a patient are left out."""
    separator = _separator(patients)
    table = read_csv(
        patients,
        dtype=str,
        sep=separator,
        skipinitialspace=True,
        keep_default_na=False,
        encoding="utf-8-sig",
    )
    table.columns = [str(name).strip().lower() for name in table.columns]
    if not set(COLUMNS) <= set(table.columns):
        raise DatasetError(f"{patients} needs {NEEDED}, separated by comma, semicolon or tab.")
    table = table[list(COLUMNS)].fillna("").apply(lambda column: column.str.strip())
    table["file"] = [_normal(file) for file in table["file"]]
    return table[(table["file"] != "") & (table["patient"] != "")].drop_duplicates()


def _separator(patients: Path) -> str:
    """The separator that the heading has most of."""
    try:
        with patients.open(encoding="utf-8-sig", errors="replace") as stream:
            heading = next((line for line in stream if line.strip()), "")
    except OSError as error:
        raise DatasetError(f"{patients} cannot be read as a CSV table ({error.strerror}).") from error
    return max(SEPARATORS, key=heading.count)


def _normal(file: str) -> str:
    """A path with slashes and without "./" and "..", as far as its text allows."""
    return str(PurePosixPath(file.replace("\\", "/"))) if file else ""


def _lookup(known: Mapping[str, str], file: str, path: str) -> str | None:
    """By absolute path, by path in the set, by that below a parent folder (the set's own name), or by name."""
    absolute = PurePosixPath(Path(path).as_posix())
    candidates = [str(absolute), file]
    candidates += [str(PurePosixPath(*absolute.parts[start:])) for start in range(1, len(absolute.parts) - 1)]
    return next((known[name] for name in (*candidates, absolute.name) if name in known), None)
