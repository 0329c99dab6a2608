"""The command line as cards and evaluation records store it: without the paths of this machine."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

FILE_OPTIONS = (
    "--base-weights",
    "--output",
    "--dicom-output",
    "--json",
    "--patients",
    "--weights",
    "--teacher",
)


def command_line(arguments: Sequence[str]) -> str:
    """The command that was typed, as a record shows it."""
    return "python model.py " + shlex.join(without_paths(arguments))


def without_paths(arguments: Sequence[str]) -> list[str]:
    """The arguments with the data folder replaced by DIR and other paths by their last part."""
    parts = [
        part
        for argument in arguments
        for part in (argument.split("=", 1) if argument.startswith("--") else [argument])
    ]
    shown = []
    option = ""
    for part in parts:
        if part.startswith("--"):
            option = part
            shown.append(part)
        elif option == "--data":
            shown.append("DIR")
        else:
            shown.append(Path(part).name if option in FILE_OPTIONS else part)
    return shown
