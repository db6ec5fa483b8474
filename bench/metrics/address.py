"""Where metrics are served: an address as users write it, and a socket that listens there."""

import re
import socket
from dataclasses import dataclass

from bench.errors import UsageError, quoted

LOOPBACK = "127.0.0.1"
_WRITTEN = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]*):)?(?P<port>[0-9]{1,5})")


@dataclass(frozen=True)
class ListenAddress:
    """A host, which is the loopback interface where none is named, and a port; 0 is a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def read_address(text: str) -> ListenAddress:
    """Reads ``:9464``, ``9464``, ``HOST:9464`` or ``[::1]:9464``. Raises UsageError."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or int(match["port"]) > 65_535:
        raise UsageError(
            f"{quoted(text)} is no address to listen at: write :9464, or 0.0.0.0:9464 for other "
            "hosts"
        )
    return ListenAddress((match["host"] or LOOPBACK).strip("[]"), int(match["port"]))


def listen(address: ListenAddress) -> socket.socket:
    """Returns a socket that listens there. Raises UsageError, in one line."""
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise UsageError(_cannot(address, error)) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(_cannot(address, error)) from None
    return listener


def address_of(listener: socket.socket) -> ListenAddress:
    """Returns where a socket listens, with the port that it was given."""
    host, port = listener.getsockname()[:2]
    return ListenAddress(str(host), int(port))


def _cannot(address: ListenAddress, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or error
    return f"cannot listen at {address}: {reason}: choose another port, or 0 for a free one"
