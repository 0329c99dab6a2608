"""Result files: tried before the work begins, and written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from utils.commands.errors import CommandError


def check_output_folder(folder: Path) -> None:
    """Try whether files can be written to a folder, which may not exist yet. Leaves nothing there.

    Raises CommandError where they cannot.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise CommandError(
            f"{folder} cannot be written ({error.strerror or error}); choose another output."
        ) from None
    finally:
        for each in missing:
            with contextlib.suppress(OSError):  # another program has put something there
                each.rmdir()


def check_output_file(file: Path) -> None:
    """Try whether a file can be written, without changing it.

    Raises CommandError where it cannot, and IsADirectoryError for a folder.
    """
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if not _is_device(file):
        check_output_folder(file.parent)
    if file.exists() and not os.access(file, os.W_OK):
        raise CommandError(f"{file} cannot be written (it is write-protected); choose another output.")


@contextmanager
def whole_text_file(file: Path) -> Iterator[TextIO]:
    """Write a text file (UTF-8) that appears under its name when it is complete, and not at all after an error."""
    if _is_device(file):
        with file.open("w", encoding="utf-8") as stream:
            yield stream
        return
    file = file.resolve()  # a link stays one
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8") as stream:
            yield stream
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def write_whole(file: Path, data: bytes) -> None:
    """Write a file that appears under its name when it is complete, and not at all after an error."""
    if _is_device(file):
        file.write_bytes(data)
        return
    file = file.resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def _is_device(file: Path) -> bool:
    """Whether a path is a terminal, pipe or the like, which must not be replaced by a file."""
    return file.exists() and not file.is_file()
