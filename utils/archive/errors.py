"""The error of a run over an archive that cannot begin or go on."""

from __future__ import annotations


class ArchiveRunError(RuntimeError):
    """Its text is one sentence that says what to change."""
