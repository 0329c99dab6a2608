"""Reviews, answers and cases that the tests of the case store share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from utils.cases.reviews import Review
from utils.cases.store import Answer, CaseStoreError
from utils.classes import CLASSES

posix = pytest.mark.skipif(os.name != "posix", reason="file permissions and signals as on POSIX")
AGREE = Review("agree", time="2026-01-02T03:04:05Z")


def sha(number: int) -> str:
    return f"{number:064x}"


def answers_for(*labels: str) -> list[Answer]:
    return [
        Answer(network, version * 64, label, {name: float(name == label) for name in CLASSES})
        for network, version, label in zip(("cnn", "vgg16"), "ab", labels, strict=True)
    ]


SAME = answers_for("glioma", "glioma")


def refusal(act: Callable[[], object], path: Path) -> str:
    """The message of the CaseStoreError that a call raises; it names the file."""
    with pytest.raises(CaseStoreError) as error:
        act()
    sentence = str(error.value)
    assert str(path) in sentence and sentence.endswith(".") and "\n" not in sentence
    return sentence
