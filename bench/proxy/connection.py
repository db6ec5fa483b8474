"""A connection through the proxy: one from a client, and one to the server for it alone."""

import contextlib
import socket
import struct
from typing import Protocol

from bench.proxy.direction import Direction, HeldBytes
from bench.proxy.poller import READ, WRITE, OnEvents, Poller
from bench.proxy.shaping import Shaper

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket that closes with a reset, and forgets what it has not sent."""


class Loop(Protocol):
    """What a connection needs of the loop that it is served by."""

    is_black_hole: bool
    """Whether nothing is read or written at the moment."""
    poller: Poller

    def schedule(self, connection: "ProxiedConnection", direction: Direction) -> None:
        """Let the direction release what it holds when it is time."""
        ...

    def closed(self, connection: "ProxiedConnection", reached: bool) -> None:
        """Forget a connection; ``reached`` says whether it had been connected to the server."""
        ...


class ProxiedConnection:
    """Both sockets of a connection, which live and die together."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        shapers: tuple[Shaper, Shaper],
        held: HeldBytes,
        loop: Loop,
    ) -> None:
        self.up = Direction(client, server, shapers[0], held)
        self.down = Direction(server, client, shapers[1], held)
        self.is_closed = False
        self._client, self._server = client, server
        self._loop = loop
        self._is_connecting = True
        self._watched = {client: 0, server: 0}
        self.watch()

    def watch(self) -> None:
        """Wait for that, and only that, which can be dealt with now."""
        client = server = 0
        if not self._loop.is_black_hole and not self.is_closed:
            if self._is_connecting:
                server = WRITE
            else:
                client = READ * self.up.has_room | WRITE * self.down.waits_to_send
                server = READ * self.down.has_room | WRITE * self.up.waits_to_send
        self._wait_for(self._client, client, self._on_client)
        self._wait_for(self._server, server, self._on_server)

    def _wait_for(self, which: socket.socket, events: int, callback: OnEvents) -> None:
        if events != self._watched[which]:
            self._watched[which] = events
            self._loop.poller.watch(which.fileno(), events, callback)

    def _on_client(self, events: int, now_s: float) -> None:
        if self.is_closed or self._loop.is_black_hole:
            return
        if events & READ:
            self._take(self.up, now_s)
        if events & WRITE:
            self.release(self.down, now_s)

    def _on_server(self, events: int, now_s: float) -> None:
        if self.is_closed or self._loop.is_black_hole:
            return
        if self._is_connecting:
            self._connected(now_s)
            return
        if events & READ:
            self._take(self.down, now_s)
        if events & WRITE:
            self.release(self.up, now_s)

    def _connected(self, now_s: float) -> None:
        if self._server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.reset()
            return
        self._is_connecting = False
        self.watch()

    def _take(self, direction: Direction, now_s: float) -> None:
        if self.is_closed or not direction.has_room:  # told with what was asked for
            return
        try:
            direction.take(now_s)
        except OSError:
            self.reset()
            return
        if direction.next_s is not None or direction.has_read_end:
            self._settle(direction)

    def release(self, direction: Direction, now_s: float) -> None:
        """Pass on what is due in a direction of this connection."""
        if self.is_closed:
            return
        try:
            direction.release(now_s)
        except OSError:
            self.reset()
            return
        self._settle(direction)

    def _settle(self, direction: Direction) -> None:
        """What follows from what a direction has taken or released."""
        if self.up.is_over and self.down.is_over:
            self._close()
            return
        if not direction.waits_to_send and direction.next_s is not None:
            self._loop.schedule(self, direction)
        self.watch()

    def reset(self) -> None:
        """Reset both sockets: what is in flight is lost."""
        if self.is_closed:
            return
        for each in (self._client, self._server):
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._close()

    def _close(self) -> None:
        self.is_closed = True
        self.watch()
        for direction in (self.up, self.down):
            direction.discard()
        self._client.close()
        self._server.close()
        self._loop.closed(self, not self._is_connecting)
