"""Paths, file:// and s3:// -> fsspec's file systems, what they hold, and their errors as sentences."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import fsspec
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from utils.archive.errors import NO_ANSWER, NO_CREDENTIALS, ArchiveRunError
from utils.scans.errors import UnreadableScan

S3 = "s3://"
URI = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
CREDENTIAL_CODES = {  # of S3; "AccessDenied" may concern a single object
    "AuthFailure", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed",
    "SignatureDoesNotMatch", "TokenRefreshRequired",
}  # fmt: skip
CREDENTIAL_ERRORS = re.compile("Credential|Token|Profile|SSO|Login")  # in the names of botocore's errors
NO_CREDENTIALS_HERE = (
    "Credentials do not belong in the name of a source; put them in the environment or a profile."
)


def resolved(sources: Sequence[str]) -> list[str]:
    """Absolute paths and URIs, less those that lie below another. Raises ArchiveRunError for one that is not there."""
    places = sorted({_absolute(source) for source in sources})
    folders = [place.rstrip("/") + "/" for place in places]
    return [place for place in places if not any(place.startswith(folder) for folder in folders)]


def filesystem_of(place: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a path or URI, and the path in it. Raises ArchiveRunError for one that cannot be used."""
    if not URI.match(place):
        return LocalFileSystem(), place
    protocol, path = place.split("://", 1)
    if protocol != "s3" or not path:
        raise ArchiveRunError(f"{protocol}:// is not supported; use a path, file:// or s3://BUCKET.")
    if "@" in path.split("/")[0]:
        raise ArchiveRunError(NO_CREDENTIALS_HERE)
    try:
        # Listings would stay in memory, and hide what has changed
        return fsspec.filesystem("s3", use_listings_cache=False), path
    except ImportError:
        raise ArchiveRunError(
            "s3:// needs s3fs; install it with pip install -r requirements-archive.txt."
        ) from None


def facts_of(place: str) -> dict[str, Any]:
    """What fsspec knows about a file or folder. Raises ArchiveRunError, one sentence, where that is nothing."""
    system, path = filesystem_of(place)
    try:
        return system.info(path)
    except FileNotFoundError:
        bucket = path.split("/")[0]
        if place.startswith(S3) and not system.exists(bucket):
            raise ArchiveRunError(f"There is no bucket {bucket}; check its name.") from None
        raise ArchiveRunError(f"{place} does not exist; name files, folders, ZIPs or URIs.") from None
    except Exception as error:  # each service has its own
        raise ArchiveRunError(
            lasting_failure(error)
            or f"{place} cannot be opened ({why(error)}); check its name and your rights."
        ) from None


def version_of(facts: dict[str, Any]) -> bytes:
    """8 bytes that are others when a file has changed: a hash of its size and of its ETag or modification time."""
    return sha256(f"{facts['size']} {facts.get('ETag') or facts.get('mtime')}".encode()).digest()[:8]


@contextmanager
def refusing() -> Iterator[None]:
    """Turns the errors of file systems and services into the refusal of one file.

    Where more than this file is concerned, the reason is one of `errors.STOPPING`.
    """
    try:
        yield
    except Exception as error:  # each service has its own
        lasting = lasting_failure(error)
        if isinstance(error, UnreadableScan) and not lasting:
            raise
        raise UnreadableScan(lasting or f"This file cannot be opened ({why(error)}).") from None


def lasting_failure(error: BaseException | None) -> str | None:
    """NO_ANSWER or NO_CREDENTIALS where an error, or what it came from, is no matter of a single file; else None."""
    while error is not None:
        kind = type(error)
        code, status = _s3_answer(error)
        if code in CREDENTIAL_CODES:
            return NO_CREDENTIALS
        if status >= 500:
            return NO_ANSWER
        if kind.__module__.startswith("botocore") and CREDENTIAL_ERRORS.search(kind.__name__):
            return NO_CREDENTIALS
        if isinstance(error, _network_errors()):
            return NO_ANSWER
        error = error.__cause__ or error.__context__
    return None


def why(error: BaseException) -> str:
    """An error of a file system in a few words."""
    if isinstance(error, FileNotFoundError):
        return "it is not there"
    if isinstance(error, PermissionError):
        return "no access"
    code = _s3_answer(error.__cause__)[0]  # the service's own words may quote credentials
    return f"S3 error {code}" if code else getattr(error, "strerror", None) or type(error).__name__


def _s3_answer(error: BaseException | None) -> tuple[str, int]:
    """The error code of S3 and the HTTP status; "" and 0 for other errors."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict) or "Error" not in response:
        return "", 0
    return response["Error"].get("Code", ""), response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _network_errors() -> tuple[type[BaseException], ...]:
    kinds: list[type[BaseException]] = [TimeoutError, ConnectionError]
    if "botocore" in sys.modules:
        import aiohttp
        from botocore import exceptions

        kinds += [exceptions.HTTPClientError, exceptions.ConnectionError, aiohttp.ClientError]
    return tuple(kinds)


def _absolute(source: str) -> str:
    place = source if URI.match(source) else os.path.abspath(source)
    if place.startswith("file://"):
        place = os.path.abspath(place.removeprefix("file://"))
    place = place if place.endswith("://") else place.rstrip("/") or "/"
    facts_of(place)
    return place
