"""Other DICOM programs: where results go, and TLS for both directions."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

AE_TITLE = re.compile(r"[!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?")  # printable ASCII without backslash


class PeerError(ValueError):
    """An address or certificate that cannot be used. Its text is one sentence."""


@dataclass(frozen=True)
class Peer:
    """A Storage SCP."""

    aet: str
    host: str
    port: int

    @classmethod
    def parsed(cls, text: str) -> Peer:
        """From AET@HOST:PORT. Raises PeerError."""
        match = re.fullmatch(r"(?P<aet>[^@]+)@(?P<host>[^@]+):(?P<port>\d{1,5})", text)
        if not match or not 0 < int(match["port"]) < 65536:
            raise PeerError(
                f"{text} is no destination; write AET@HOST:PORT, for example ORTHANC@127.0.0.1:4242."
            )
        return cls(checked_aet(match["aet"]), match["host"].strip("[]"), int(match["port"]))

    def __str__(self) -> str:
        return f"{self.aet}@{self.host}:{self.port}"


def checked_aet(text: str) -> str:
    """An application entity title. Raises PeerError."""
    if not AE_TITLE.fullmatch(text):
        raise PeerError(f"{text} is no AE title; use 1 to 16 printable ASCII characters without backslash.")
    return text


@dataclass(frozen=True)
class Tls:
    """The node's certificate and key, and the CA of its peers. Each direction is encrypted.

    Without `authority` any peer may connect, and the certificate of the destination must be known to this machine.
    """

    certificate: Path
    key: Path
    authority: Path | None = None

    def server(self) -> ssl.SSLContext:
        """For the node's own port. Raises PeerError."""
        return self._context(ssl.Purpose.CLIENT_AUTH)

    def client(self) -> ssl.SSLContext:
        """For the connection to the destination. Raises PeerError."""
        return self._context(ssl.Purpose.SERVER_AUTH)

    def _context(self, purpose: ssl.Purpose) -> ssl.SSLContext:
        authority = str(self.authority) if self.authority else None
        try:
            context = ssl.create_default_context(purpose, cafile=authority)
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError):
            raise PeerError(
                "The files of --tls cannot be used; give a certificate, its key without a password and, if the peers "
                "have certificates, their CA, all in PEM format."
            ) from None
        if authority and purpose is ssl.Purpose.CLIENT_AUTH:
            context.verify_mode = ssl.CERT_REQUIRED
        return context
