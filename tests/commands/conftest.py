"""Fixtures of the tests of the commands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from utils.training import recipes
from utils.training.recipes import Phase, Recipe


@pytest.fixture
def scans(tmp_path: Path, png_bytes: Callable[[int], bytes]) -> Path:
    """A folder with two scans, a broken file between them, a hidden file, and a third scan in a folder below."""
    folder = tmp_path / "scans"
    (folder / "more").mkdir(parents=True)
    for name, seed in (("a.png", 1), ("c.png", 2), ("more/d.png", 3), (".hidden.png", 4)):
        (folder / name).write_bytes(png_bytes(seed))
    (folder / "b.png").write_bytes(b"This is no image")
    return folder


@pytest.fixture
def small_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe("cnn", phases=(Phase("only", 32, 2, 1e-3),), batch_size=8)
    monkeypatch.setitem(recipes.RECIPES, "cnn", recipe)
