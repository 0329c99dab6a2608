"""Data sets from the internet, where there is any."""

from __future__ import annotations

import importlib
import urllib.error
import urllib.request
from pathlib import Path

from utils.datasets.tables import DatasetError

NICKPARVAR = "masoudnickparvar/brain-tumor-mri-dataset"
_PAGE = f"https://www.kaggle.com/datasets/{NICKPARVAR}"
_BY_HAND = f"download it by hand from {_PAGE}, unzip it, and pass its folder as --data"


def download_nickparvar() -> Path:
    """The folder with Nickparvar's Training and Testing, in kagglehub's own cache.

    Raises DatasetError, one sentence on what to do instead, where kagglehub or the internet is missing.
    """
    try:
        kagglehub = importlib.import_module("kagglehub")
    except ImportError:
        raise DatasetError(
            f"The package kagglehub is not installed: run `pip install kagglehub`, or {_BY_HAND}."
        ) from None
    if not _reachable("https://www.kaggle.com"):  # kagglehub itself would try again for minutes
        raise DatasetError(f"Kaggle cannot be reached from this machine: {_BY_HAND}.")
    try:
        return Path(kagglehub.dataset_download(NICKPARVAR))
    except Exception as error:  # kagglehub raises its own, requests' and the file system's errors
        raise DatasetError(
            f"Kaggle did not hand out the data set ({_first_line(error)}): {_BY_HAND}."
        ) from error


def _reachable(address: str, seconds: float = 5) -> bool:
    """Whether a server answers at all; proxies named in the environment are used, as kagglehub does."""
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=seconds).close()
    except urllib.error.HTTPError:
        return True  # it answered
    except OSError:
        return False
    return True


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")
