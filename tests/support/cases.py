"""Cases of reviewed scans and a folder of original files, for tests of class folders and `model.py cases`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from utils.cases.reviews import Review
from utils.cases.store import Answer, Case

GLIOMA = (Answer("cnn", "a" * 64, "glioma", {}),)
TIME = "2026-01-02T03:04:05Z"


def case(data: bytes, name: str, verdict: str = "agree", right_class: str | None = None) -> Case:
    """A case of a file with these bytes; the networks predicted glioma."""
    review = Review(verdict, right_class, time=TIME)
    return Case(hashlib.sha256(data).hexdigest(), name, review, GLIOMA, TIME)


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    folder = tmp_path / "originals" / "below"
    folder.mkdir(parents=True)
    return folder.parent
