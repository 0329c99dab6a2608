"""CSV tables from users and collections, and the error for data that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd


class DatasetError(ValueError):
    """A data folder that cannot be used as asked. Its text says what is wrong and what to do."""


def read_csv(file: Path, **options: Any) -> pd.DataFrame:
    try:
        return pd.read_csv(file, **options)
    except (OSError, ValueError) as error:  # pandas' parser errors and wrong encodings are ValueErrors
        raise DatasetError(f"{file} cannot be read as a CSV table ({str(error).strip()}).") from error
