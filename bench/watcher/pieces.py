"""The canary's pieces of work, and how they are timed."""

import contextlib
import socket
import statistics
import time
from collections.abc import Callable, Iterator

from bench.measure.canary import Canary, Timing

_SPINS = 2_000
_COPIED = bytes(4_000_000)
_ROUND_TRIPS = 20
_MESSAGE = bytes(64)
_LEAST_ROUNDS = 3


def timed(seconds: float) -> Canary:
    """Do the pieces of work in turns for about so long, and at least three times each.

    In turns, so that whatever disturbs the machine for a moment meets all of them.
    """
    began_s = time.perf_counter()
    target = bytearray(len(_COPIED))
    spin: list[float] = []
    memory: list[float] = []
    loopback: list[float] = []
    with _connection() as (one, other):
        while len(spin) < _LEAST_ROUNDS or time.perf_counter() - began_s < seconds:
            spin.append(_time_of(_spin))
            memory.append(_time_of(lambda: _copy(target)))
            loopback.append(_time_of(lambda: _go_round(one, other)) / _ROUND_TRIPS)
    return Canary(
        spin=_timing(spin),
        memory=_timing(memory),
        loopback=_timing(loopback),
        rounds=len(spin),
        took_s=time.perf_counter() - began_s,
    )


def _timing(times_s: list[float]) -> Timing:
    return Timing(min(times_s), statistics.median(times_s))


def _time_of(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def _spin() -> int:
    """A loop of the interpreter with integers that stay small."""
    value = 1
    for number in range(_SPINS):
        value = (value * 31 + number) & 0xFFFF
    return value


def _copy(target: bytearray) -> None:
    target[:] = _COPIED


def _go_round(one: socket.socket, other: socket.socket) -> None:
    """Round trips that wait for no other process: both ends of the connection are here."""
    for _ in range(_ROUND_TRIPS):
        one.sendall(_MESSAGE)
        other.recv(len(_MESSAGE))
        other.sendall(_MESSAGE)
        one.recv(len(_MESSAGE))


@contextlib.contextmanager
def _connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection of the loopback interface. Raises OSError."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        one = stack.enter_context(socket.create_connection(listener.getsockname()))
        other = stack.enter_context(listener.accept()[0])
        for end in (one, other):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield one, other
