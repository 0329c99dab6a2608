"""Folders that are nearly class folders are named, with a suggestion."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from utils.classes import class_of
from utils.datasets.class_names import suggested_class
from utils.datasets.samples import load_samples
from utils.datasets.tables import DatasetError


@pytest.mark.parametrize(
    "name,expected",
    [("Gliomas", "glioma"), ("meningiomas", "meningioma"), ("Pituitary Tumours", "pituitary"), ("nos", None)],
)
def test_plurals_are_classes(name, expected) -> None:
    assert class_of(name) == expected


@pytest.mark.parametrize(
    "name,expected",
    [
        ("menigioma", "meningioma"),
        ("Pituitary adenoma", "pituitary"),
        ("gliom", "glioma"),
        ("no-tumr", "no_tumor"),
        ("healty", "no_tumor"),
        ("ventricles", None),
        ("metastasis", None),
    ],
)
def test_near_misses_have_a_suggestion(name, expected) -> None:
    assert suggested_class(name) == expected


def test_every_folder_that_is_left_out_is_named(class_folders: Path) -> None:
    first = next(folder for folder in sorted(class_folders.iterdir()) if class_of(folder.name) == "glioma")
    for name in ("menigioma", "metastasis", "masks"):
        shutil.copytree(first, class_folders / name)
    problems = load_samples(class_folders).attrs["unreadable"]
    assert len(problems) == 2
    assert "menigioma" in problems[0] and "rename it to meningioma" in problems[0]
    assert "metastasis" in problems[1] and "left out" in problems[1]


def test_a_single_class_is_called_that(class_folders: Path) -> None:
    for folder in sorted(class_folders.iterdir()):
        if class_of(folder.name) == "meningioma":
            folder.rename(folder.with_name("menigioma"))
        elif class_of(folder.name) != "glioma":
            shutil.rmtree(folder)
    with pytest.raises(DatasetError) as caught:
        load_samples(class_folders)
    assert "single class (glioma)" in str(caught.value)
    assert "menigioma is not the name of a class; rename it to meningioma" in str(caught.value)
