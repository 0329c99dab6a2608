"""What the tests of several commands do: folders, runs and error messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

Run = Callable[..., tuple[int, str, str]]
FOLDER = ("--model", "cnn", "--protocol", "folder", "--data")


def one_sentence(code: int, output: str, errors: str) -> str:
    """What a refused command says."""
    assert code == 2 and output == ""
    lines = errors.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


def written(output: Path) -> list[str]:
    """The evidence maps below a folder, as STEM."""
    files = (file.relative_to(output).as_posix() for file in output.rglob("*.cam.npy"))
    return sorted(file.removesuffix(".cam.npy") for file in files)


def explain(run: Run, output: Path, *paths: Path) -> list[str]:
    assert run("explain", *paths, "--model", "cnn", "--output", output)[0] == 0
    return written(output)


def published_set(root: Path, draw_brain) -> Path:
    """A set like Nickparvar's as it is published: no manifest, Training and Testing."""
    for part, count in (("Training", 21), ("Testing", 2)):
        for number, name in enumerate(("glioma", "meningioma", "notumor", "pituitary")):
            folder = root / "kaggle" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = draw_brain(64, 60, seed=1000 * number + 100 * len(part) + index)
                Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(folder / f"{index}.jpg")
    return root
