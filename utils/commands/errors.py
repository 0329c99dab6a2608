"""The error of a command that was called with options that do not fit together."""


class CommandError(ValueError):
    """Options that do not fit together. Its text is one sentence that says what to change."""
