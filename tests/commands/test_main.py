"""The command line as a whole: help, errors, exit codes."""

from __future__ import annotations

import subprocess
import sys

import pytest

import model
from utils.paths import REPOSITORY


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        model.main(["--help"])
    output = capsys.readouterr().out
    assert stopped.value.code == 0
    assert all(name in output for name in ("data", "train", "calibrate", "evaluate", "predict", "explain"))


def test_help_starts_without_keras() -> None:
    code = (
        "import sys, utils.commands.main as main; main.build_parser().format_help(); "
        "assert not {'keras', 'tensorflow', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


def test_ctrl_c_ends_a_command_without_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("utils.commands.data.run", interrupted)
    assert model.main(["data"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"
