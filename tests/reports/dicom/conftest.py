"""Fixtures: drawn series that were read, and a check with Debian's dciodvfy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import pytest
from pydicom.dataset import Dataset

from tests.support.dciodvfy import errors_in
from tests.support.mr_series import BrightSpots
from utils.reports.dicom.results import file_of
from utils.reports.dicom.series import ReadSeries, read_series


@pytest.fixture(scope="session")
def read(tiny_readers) -> Callable[[Sequence[tuple[str, bytes]]], ReadSeries]:
    """A function that reads files (name, bytes) of one stack with small networks and outlines bright spots.

    The same files are read once for all tests; do not change the headers of the result.
    """

    @cache
    def read_files(files: tuple[tuple[str, bytes], ...]) -> ReadSeries:
        (result,) = read_series(files, tiny_readers, BrightSpots())  # type: ignore[arg-type]
        assert isinstance(result, ReadSeries)
        return result

    return lambda files: read_files(tuple(files))


@pytest.fixture
def errors_of() -> Callable[[Dataset], list[str]]:
    """A function that returns the errors that dciodvfy finds in an object."""

    return lambda made: errors_in(file_of(made))
