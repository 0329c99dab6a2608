"""Folders that are meant as class folders and are not known: named, with the class that they resemble."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from utils.classes import CLASSES, class_of
from utils.scans.images import IMAGE_SUFFIXES

RESEMBLANCE = 0.75  # of difflib's ratio, from which on a class is suggested
NOT_CLASSES = ("mask", "label", ".")  # beginnings of folders that hold no scans
SPLITS = ("train", "test")


def suggested_class(folder: str) -> str | None:
    """The class that a name resembles ("menigioma", "Pituitary adenoma"), else None."""
    words = re.sub(r"[^a-z ]", "", re.sub(r"[_-]", " ", folder.lower())).split()
    whole = "".join(words)
    for name in CLASSES:
        if name.replace("_", "") in whole or any(name == word for word in words):
            return name
    spellings = {name.replace("_", ""): name for name in CLASSES} | {
        "healthy": "no_tumor",
        "normal": "no_tumor",
    }
    near = difflib.get_close_matches(whole, spellings, n=1, cutoff=RESEMBLANCE)
    near = near or [
        match
        for word in words
        for match in difflib.get_close_matches(word, spellings, n=1, cutoff=RESEMBLANCE)
    ]
    return spellings[near[0]] if near else None


def unknown_class_folders(folder: Path) -> list[str]:
    """A sentence for each folder with images beside the class folders of a set, or of its Training and Testing."""
    problems = []
    for parent in _parents(folder):
        for child in sorted(parent.iterdir()):
            is_split = child.name.lower().startswith(SPLITS) and parent == folder
            if not child.is_dir() or is_split or child.name.lower().startswith(NOT_CLASSES):
                continue
            if class_of(child.name) is None and _holds_images(child):
                problems.append(f"{child}: {_sentence(child.name)}")
    return problems


def class_folder_sentence(folder: Path) -> str:
    """Why a folder is no data set, from the names of the folders in it; "" where they give no reason."""
    children = [
        child.name for parent in _parents(folder) for child in sorted(parent.iterdir()) if child.is_dir()
    ]
    known = sorted({name for name in map(class_of, children) if name is not None})
    near = {name: suggested_class(name) for name in children if class_of(name) is None}
    near = {name: suggestion for name, suggestion in near.items() if suggestion}
    sentences = [
        f"{name} is not the name of a class; rename it to {suggestion}." for name, suggestion in near.items()
    ]
    if len(known) == 1:
        sentences.insert(0, f"{folder} has a single class ({known[0]}); at least two are needed.")
    return " ".join(sentences)


def _sentence(name: str) -> str:
    suggestion = suggested_class(name)
    if suggestion:
        return f"The name of this folder is not that of a class; rename it to {suggestion} if it is meant."
    return f"The name of this folder is not that of a class ({', '.join(CLASSES)}); it is left out."


def _parents(folder: Path) -> Sequence[Path]:
    splits = [
        child
        for child in sorted(folder.iterdir())
        if child.is_dir() and child.name.lower().startswith(SPLITS)
    ]
    return [folder, *splits]


def _holds_images(folder: Path) -> bool:
    names: Iterable[str] = (file.name.lower() for file in folder.rglob("*"))
    return any(name.endswith(IMAGE_SUFFIXES) for name in names)
