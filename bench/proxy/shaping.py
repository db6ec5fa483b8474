"""When bytes that enter a network leave it: delay, jitter and bandwidth. Pure."""

from collections.abc import Iterator
from random import Random

from bench.workload.faults import Network

_PIECE_S = 0.001
"""Bytes leave in pieces that take the bandwidth about so long."""
_LEAST_PIECE_BYTES = 1448
"""What fits into one packet of an Ethernet."""
_MOST_HELD_BYTES = 4 << 20
_LEAST_HELD_BYTES = 64 << 10
_QUEUE_S = 0.05
"""How much a network with a bandwidth holds, beside what is in flight: that of so many seconds."""
_HANDSHAKE_ROUND_TRIPS = 1.0


class Shaper:
    """What one direction of one connection goes through. Bytes never overtake each other.

    All times are in seconds on the same clock. ``own_cost_s`` is what a round trip takes longer
    anyway: each direction is delayed by half of it less, and never by less than nothing.
    """

    def __init__(self, network: Network, own_cost_s: float, draws: Random) -> None:
        self.change(network, own_cost_s)
        self._draws = draws
        self._free_s = 0.0
        """When the last byte has passed the bandwidth's narrowest place."""
        self._last_s = 0.0
        """When the last byte leaves."""

    def change(self, network: Network, own_cost_s: float) -> None:
        """Become another network for all that enters from now on."""
        self._delay_s = (network.round_trip_s - own_cost_s) / 2
        self._jitter_s = network.jitter_s / 2
        self._bytes_per_s = network.bytes_per_s
        self._handshake_s = _HANDSHAKE_ROUND_TRIPS * network.round_trip_s
        self.passes_at_once = not (
            network.round_trip_s or network.jitter_s or network.bytes_per_s is not None
        )
        """Whether nothing is held back."""
        self.most_held_bytes = _most_held(network)
        """How much it may hold before its source has to wait, as a TCP window says it."""

    def open(self, now_s: float) -> None:
        """Hold back the first bytes by the round trip that it takes to open a connection."""
        if self._handshake_s:
            self._last_s = now_s + self._handshake_s + max(self._delay_s, 0.0)

    def leaving(self, now_s: float, count: int) -> Iterator[tuple[float, int]]:
        """Yields when bytes leave that have entered now, in pieces: the time and their number.

        With a count of zero it is the end of the stream.
        """
        # What was held back before stays in front, also where the network has become quicker.
        delay_s = self._delay_s
        if self._jitter_s:
            delay_s += self._draws.uniform(-self._jitter_s, self._jitter_s)
        delay_s = max(delay_s, 0.0)
        rate = self._bytes_per_s
        if rate is None or not count:
            self._last_s = max(self._last_s, now_s + delay_s)
            yield self._last_s, count
            return
        piece = max(_LEAST_PIECE_BYTES, round(rate * _PIECE_S))
        self._free_s = max(self._free_s, now_s)
        for start in range(0, count, piece):
            size = min(piece, count - start)
            self._free_s += size / rate
            self._last_s = max(self._last_s, self._free_s + delay_s)
            yield self._last_s, size


def _most_held(network: Network) -> int:
    if network.bytes_per_s is None:
        return _MOST_HELD_BYTES
    longest_s = (network.round_trip_s + network.jitter_s) / 2 + _QUEUE_S
    wanted = round(network.bytes_per_s * longest_s)
    return min(max(wanted, _LEAST_HELD_BYTES), _MOST_HELD_BYTES)
