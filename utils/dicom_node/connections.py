"""Limits of connections. pynetdicom itself waits without end for the rest of a message, or until a peer reads on."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from typing import cast

from pynetdicom import evt
from pynetdicom.transport import AssociationSocket

from utils.scans.limits import MEGABYTE

LARGEST_MESSAGE = 8 * MEGABYTE  # bytes; the node asks for 16 KB, a request of an association may be larger
PART = 65_536  # bytes that are received at once


def limited_to(seconds: float) -> tuple[evt.EventType, Callable[..., None], list[float]]:
    """A handler of pynetdicom: a connection ends when its peer sends or takes part of a message, and then nothing."""
    AssociationSocket.recv = _receive  # type: ignore[method-assign]
    return evt.EVT_CONN_OPEN, _set_timeout, [seconds]


class LateHandshake:
    """TLS of a server whose handshake runs in the thread of its connection: a silent caller keeps nobody out."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, link: socket.socket, server_side: bool) -> ssl.SSLSocket:
        return self._context.wrap_socket(link, server_side=server_side, do_handshake_on_connect=False)


def _set_timeout(event: evt.Event, seconds: float) -> None:
    cast(AssociationSocket, event.assoc.dul.socket).socket.settimeout(seconds)  # type: ignore[union-attr]


def _receive(self: AssociationSocket, nr_bytes: int) -> bytearray:
    """`nr_bytes` bytes; fewer where the connection was closed. Raises OSError for a message that is too large or late.

    pynetdicom's own collects up to 4 GB.
    """
    link = cast(socket.socket, self.socket)
    if nr_bytes > LARGEST_MESSAGE:
        raise OSError("too large")
    end = time.monotonic() + (link.gettimeout() or float("inf"))
    received = bytearray()
    while len(received) < nr_bytes:
        if time.monotonic() > end:
            raise TimeoutError
        part = link.recv(min(PART, nr_bytes - len(received)))
        if not part:
            break
        received += part
    return received
