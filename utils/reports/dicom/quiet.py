"""pydicom and highdicom quote what they read in warnings and in the log: a patient's name must get into neither."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pydicom.config  # sets the level of its logger when it is imported

for library in (pydicom.config.logger.name, "highdicom"):
    logging.getLogger(library).setLevel(logging.CRITICAL)


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
