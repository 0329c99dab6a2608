"""Folders of the repository and the user, the commit, and the SHA-256 of a file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

REPOSITORY = Path(__file__).resolve().parents[1]
_USER_FOLDERS = {  # kind -> XDG variable, folder on Linux, folder on macOS
    "cache": ("XDG_CACHE_HOME", ".cache", "Caches"),
    "data": ("XDG_DATA_HOME", ".local/share", "Application Support"),
    "state": ("XDG_STATE_HOME", ".local/state", "Application Support"),
}


def models_folder() -> Path:
    """The folder of the shipped networks: $BRAIN_MRI_MODELS, else models/ of the repository."""
    return Path(os.environ.get("BRAIN_MRI_MODELS") or REPOSITORY / "models")


def user_folder(kind: Literal["cache", "data", "state"]) -> Path:
    """The folder `brain-mri-reader` among the user's files of a kind: files that can be made again, data, state.

    On Linux the rules of the XDG base directory specification hold.
    """
    variable, on_linux, on_macos = _USER_FOLDERS[kind]
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / on_macos
    else:
        folder = Path(os.environ.get(variable, ""))
        if not folder.is_absolute():  # the XDG specification: ignore relative paths
            folder = Path.home() / on_linux
    return folder / "brain-mri-reader"


def file_sha256(file: Path) -> str:
    """The SHA-256 of a file's bytes, hexadecimal. Raises OSError where it cannot be read."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def shown(file: Path) -> str:
    """A path as a person would type it in the repository."""
    return str(file.relative_to(REPOSITORY)) if file.is_relative_to(REPOSITORY) else str(file)


def current_commit() -> str:
    """The short hash of the repository's commit, with "+" where files differ from it; "" outside of git."""
    try:
        run = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty=+", "--exclude=*"]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
