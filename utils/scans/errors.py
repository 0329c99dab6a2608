"""Exceptions of the scan reader, and a log entry for unexpected ones that holds nothing from the user's file."""

from __future__ import annotations

import logging
import traceback


class UnreadableScan(ValueError):
    """A file that cannot be read as a scan. Its text is one sentence for the user: what is wrong and what to do.

    The text never contains values from the file, which may be a patient's name. `seconds` is the processor time that
    the decoder process spent before it refused the file.
    """

    seconds: float = 0.0


class DecoderFailed(UnreadableScan):
    """A file on which the decoder process crashed, ran too long or ran out of memory."""


def damaged(what: str) -> UnreadableScan:
    """The refusal of a damaged file of some kind, e.g. "DICOM file"."""
    return UnreadableScan(f"This {what} is damaged or cut short and cannot be decoded; export it again.")


def log_unexpected(logger: logging.Logger, activity: str, error: BaseException) -> None:
    """Log an exception that should not occur: its types and stack frames, without its message.

    `activity` says what failed, in words of the source code alone. Python's own traceback (`logger.exception`) would
    also print the messages of the exception and of its causes. Decoders quote the file there: a patient's name, an
    identifier, or the name of the file. Types, source files and line numbers cannot contain any of these.
    """
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None and len(lines) < 200:
        kind = type(current)
        lines.append(f"{kind.__module__}.{kind.__qualname__}")
        frames = traceback.extract_tb(current.__traceback__)
        lines += [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
        current = current.__cause__ or current.__context__
    logger.error("Unexpected exception while %s:\n%s", activity, "\n".join(lines))
