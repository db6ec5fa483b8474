"""The proxy: accepts connections, and passes on what they say as the network allows."""

import contextlib
import errno
import socket
import time
from dataclasses import dataclass
from random import Random

from bench.proxy.connection import ProxiedConnection
from bench.proxy.direction import Direction, HeldBytes
from bench.proxy.poller import READ, OnEvents, Poller, Timers
from bench.proxy.shaping import Shaper
from bench.proxy.upstream import Upstream, prepare
from bench.workload.faults import Network

BACKLOG = 4096
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@dataclass(frozen=True)
class ProxyCounts:
    """What a proxy has done so far, in connections."""

    accepted: int
    resets: int
    """Those that it has reset on purpose."""


class Proxy:
    """Everything between a listening socket and a server. ``step`` does what can be done now."""

    def __init__(self, listener: socket.socket, upstream: Upstream, seed: int) -> None:
        self.poller = Poller()
        self.is_black_hole = False
        self._listener, self._upstream = listener, upstream
        self._network, self._own_cost_s = Network(), 0.0
        self._jitter = Random(f"{seed} jitter")  # noqa: S311 - no secret
        self._resets = Random(f"{seed} resets")  # noqa: S311
        self._timers = Timers()
        self._held = HeldBytes()
        self._connections: dict[ProxiedConnection, None] = {}
        """In the order in which they were accepted."""
        self._accepted = self._reset_count = 0
        self._is_listening = False
        self._network_number = 0
        listener.setblocking(False)
        self._listen()

    @property
    def counts(self) -> ProxyCounts:
        """What it has done so far."""
        return ProxyCounts(self._accepted, self._reset_count)

    def attend(self, descriptor: int, callback: OnEvents) -> None:
        """Call back when a descriptor that is none of the connections' can be read."""
        self.poller.watch(descriptor, READ, callback)

    def step(self) -> None:
        """Wait until something can be done, and do it."""
        next_s = None if self.is_black_hole else self._timers.next_s
        events = self.poller.wait(next_s)
        now_s = time.monotonic()
        for callback, mask in events:
            callback(mask, now_s)
        if not self.is_black_hole and self._timers.next_s is not None:
            now_s = time.monotonic()
            for call in self._timers.due(now_s):
                call(now_s)

    def set_network(self, network: Network, own_cost_s: float) -> None:
        """Be another network from now on. What is in flight still arrives when it would have."""
        self._network, self._own_cost_s = network, own_cost_s
        self.is_black_hole = network.is_black_hole
        self._network_number += 1
        for connection in list(self._connections):
            for direction in (connection.up, connection.down):
                direction.shaper.change(network, own_cost_s)
            connection.watch()
        self._listen()
        self._plan_reset(time.monotonic())

    def reset(self, share: float) -> int:
        """Reset a share of the open connections, drawn by the seed: at least one, if there is one.

        Returns their number.
        """
        there = list(self._connections)
        count = min(len(there), max(1, round(share * len(there)))) if share > 0 else 0
        for connection in self._resets.sample(there, count):
            connection.reset()
        self._reset_count += count
        return count

    def _plan_reset(self, now_s: float) -> None:
        """Plan the next reset of a Poisson process; one of an earlier network is none any more."""
        rate, number = self._network.resets_per_s, self._network_number
        if not rate:
            return
        due_s = now_s + self._resets.expovariate(rate)

        def reset_one(_: float) -> None:
            if number == self._network_number:
                self._reset_any()
                self._plan_reset(due_s)

        self._timers.add(due_s, reset_one)

    def _reset_any(self) -> None:
        if self._connections:
            self._resets.choice(list(self._connections)).reset()
            self._reset_count += 1

    def _listen(self) -> None:
        """Accept connections, or let them wait, as the network says."""
        wants = not self.is_black_hole
        if wants != self._is_listening:
            self._is_listening = wants
            self.poller.watch(self._listener.fileno(), READ * wants, self._on_listener)

    def _on_listener(self, _: int, now_s: float) -> None:
        while not self.is_black_hole:
            try:
                client, _address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _FULL:  # the others wait until a connection is closed
                    self.poller.watch(self._listener.fileno(), 0, self._on_listener)
                    self._is_listening = False
                return
            self._accept(client, now_s)

    def _accept(self, client: socket.socket, now_s: float) -> None:
        self._accepted += 1
        try:
            prepare(client)
            server = self._upstream.connect()
        except OSError:  # it does not answer: the client learns of it at once, as without a proxy
            self._upstream.failed()
            client.close()
            return
        shapers = (self._shaper(), self._shaper())
        shapers[0].open(now_s)
        self._connections[ProxiedConnection(client, server, shapers, self._held, self)] = None

    def _shaper(self) -> Shaper:
        return Shaper(self._network, self._own_cost_s, self._jitter)

    def schedule(self, connection: ProxiedConnection, direction: Direction) -> None:
        """Let a direction release what it holds when it is time."""
        due_s = direction.next_s
        if due_s is None or (direction.scheduled_s is not None and direction.scheduled_s <= due_s):
            return
        direction.scheduled_s = due_s

        def release(now_s: float) -> None:
            direction.scheduled_s = None
            connection.release(direction, now_s)

        self._timers.add(due_s, release)

    def closed(self, connection: ProxiedConnection, reached: bool) -> None:
        """Forget a connection, and accept those that had to wait for a descriptor."""
        if not reached:
            self._upstream.failed()
        self._connections.pop(connection, None)
        self._listen()

    def close(self) -> None:
        """Close all sockets."""
        for connection in list(self._connections):
            connection.reset()
        with contextlib.suppress(OSError):
            self._listener.close()
        self.poller.close()
