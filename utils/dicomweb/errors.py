"""The error of an archive."""


class ArchiveError(RuntimeError):
    """An archive that cannot be used, or a request that it refuses. Its text is one sentence without identifiers."""
