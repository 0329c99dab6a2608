"""`model.py data`, and data folders that no command can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.steps import Run, one_sentence
from utils.classes import CLASSES


def test_data_prints_the_audit(run: Run, class_folders: Path) -> None:
    (class_folders / "Glioma" / "broken.png").write_bytes(b"no image")
    code, output, _ = run("data", "--data", class_folders)
    assert code == 0
    for needed in (*CLASSES, "total", "1-NN accuracy", "mirrored", "broken.png", "32"):
        assert needed in output


@pytest.mark.parametrize("command", ["data", "train", "evaluate"])
@pytest.mark.parametrize("name", ["nowhere", "file.txt", "empty", "other"])
def test_folder_without_a_data_set_is_an_error(run: Run, models_copy, tmp_path, command, name) -> None:
    (tmp_path / "file.txt").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other" / "knees").mkdir(parents=True)
    options: list = [] if command == "data" else ["--model", "cnn", "--protocol", "folder"]
    options += ["--weights", models_copy / "cnn.keras"] if command == "evaluate" else []
    assert name in one_sentence(*run(command, *options, "--data", tmp_path / name))


def test_data_needs_a_folder_or_a_download(run: Run) -> None:
    assert "--data DIR" in one_sentence(*run("data"))


def test_data_that_do_not_suit_the_protocol_are_an_error(run: Run, class_folders: Path) -> None:
    for protocol in ("patient-disjoint", "published"):
        code, _, errors = run(
            "train", "--model", "cnn", "--protocol", protocol, "--data", class_folders, "--sets", "own"
        )
        assert code == 2 and len(errors.strip().splitlines()) == 1
