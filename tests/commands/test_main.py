"""The command line as a whole: help, errors, exit codes."""

from __future__ import annotations

import pytest

import model


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        model.main(["--help"])
    output = capsys.readouterr().out
    assert stopped.value.code == 0
    assert all(name in output for name in ("data", "train", "calibrate", "evaluate", "predict", "explain"))
