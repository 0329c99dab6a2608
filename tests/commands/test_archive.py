"""`model.py archive` without its optional dependencies, stopped, and with other settings than before."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.commands.steps import Run, one_sentence
from tests.support.archives import replace_ray


@pytest.mark.parametrize("package", ["ray", "fsspec"])
def test_without_a_package_it_says_how_to_install_it(
    run: Run, tiny_app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    for name in [name for name in sys.modules if name.startswith(("utils.archive", f"{package}."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    sentence = one_sentence(*run("archive", tmp_path, "--output", tmp_path / "out"))
    assert "pip install -r requirements-archive.txt" in sentence


@pytest.fixture
def interrupted(
    run: Run, tiny_app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    """A run that is stopped by Ctrl-C when its manifest has been written; without Ray."""

    def read(*_):
        raise KeyboardInterrupt

    replace_ray(monkeypatch, read)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no scan")
    return run("archive", tmp_path / "in", "--output", tmp_path / "out")


def test_ctrl_c_is_one_sentence(interrupted: tuple[int, str, str]) -> None:
    code, output, errors = interrupted
    assert code == 130 and output == ""
    assert "Traceback" not in errors and errors.endswith("Stopped; the same command goes on.\n")


@pytest.mark.parametrize(("option", "word"), [("--shard-size", "shard size"), ("--runtime", "runtime")])
def test_another_run_in_the_same_folder_is_refused(
    interrupted: tuple[int, str, str], run: Run, tmp_path: Path, option: str, word: str
) -> None:
    value = {"--shard-size": 7, "--runtime": "keras"}[option]
    sentence = one_sentence(*run("archive", tmp_path / "in", "--output", tmp_path / "out", option, value))
    assert f"other {word}" in sentence


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--output", "s3://bucket/rows", "must be a folder of this machine"),
        ("--ray", "ray://10.0.0.1:10001", "must be HOST:PORT"),
    ],
)
def test_an_option_that_cannot_work_is_refused(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str, sentence: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        run("archive", tmp_path, "--output", tmp_path / "out", option, value)
    assert stopped.value.code == 2 and sentence in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_one_sentence(run: Run, tiny_app: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray.data", reason="Ray is not installed (requirements-archive.txt)")
    sentence = one_sentence(*run("archive", tmp_path, "--output", tmp_path / "out", "--ray", "127.0.0.1:1"))
    assert "127.0.0.1:1 cannot be used" in sentence
