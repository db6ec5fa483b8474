"""The server behind a proxy, and connections to it."""

import errno
import socket
from dataclasses import dataclass, field
from typing import Any

from bench.proxy.messages import StartProxy

_BEGUN = (0, errno.EINPROGRESS)


@dataclass
class Upstream:
    """Where the server is. Its name is looked up once, and again when it cannot be reached there,
    as after a failover that changes what the name stands for."""

    host: str
    port: int
    path: str
    _places: list[tuple[Any, ...]] = field(default_factory=list)
    """What ``getaddrinfo`` says of the name; the first one is used."""

    @classmethod
    def of(cls, message: StartProxy) -> "Upstream":
        """The server that a message names."""
        return cls(message.host, message.port, message.path)

    def connect(self) -> socket.socket:
        """A socket that begins to connect, and never blocks: it can be written to once it is
        connected, or has failed. Raises OSError."""
        if self.path:
            return _begun(socket.AF_UNIX, self.path)
        if not self._places:
            self._places = list(socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM))
        family, _, _, _, place = self._places[0]
        return _begun(family, place)

    def failed(self) -> None:
        """Note that it could not be reached: the next connection tries its next address."""
        del self._places[:1]


def _begun(family: int, place: object) -> socket.socket:
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        prepare(connecting)
        code = connecting.connect_ex(place)  # type: ignore[arg-type]
        if code not in _BEGUN:
            raise OSError(code, "the server cannot be reached")
    except BaseException:
        connecting.close()
        raise
    return connecting


def prepare(connection: socket.socket) -> None:
    """Make a socket one that never blocks, and that sends at once."""
    connection.setblocking(False)
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
