"""The error of a run over an archive that cannot begin or go on, and the reasons that concern more than one file."""

from __future__ import annotations

NO_ANSWER = (
    "The storage of the sources does not answer; check the network (for s3:// also AWS_ENDPOINT_URL), then run the "
    "same command again."
)
NO_CREDENTIALS = (
    "s3:// needs valid credentials; put them in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or in a "
    "profile (AWS_PROFILE), then run the same command again."
)
STOPPING = frozenset({NO_ANSWER, NO_CREDENTIALS})  # refusals that end the run


class ArchiveRunError(RuntimeError):
    """Its text is one sentence that says what to change."""
