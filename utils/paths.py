"""Folders of the repository, its commit, and the SHA-256 of a file."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]


def models_folder() -> Path:
    """The folder of the shipped networks: $BRAIN_MRI_MODELS, else models/ of the repository."""
    return Path(os.environ.get("BRAIN_MRI_MODELS") or REPOSITORY / "models")


def cache_folder() -> Path:
    """The folder for files that can be made again: `brain-mri-reader` in the user's cache folder (Linux: XDG)."""
    if sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        folder = Path.home() / "Library" / "Caches"
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME", ""))
        if not folder.is_absolute():  # the XDG specification: ignore relative paths
            folder = Path.home() / ".cache"
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
