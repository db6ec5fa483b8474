"""Which Redis server takes which queue.

The keys of a queue stay on one server (in a cluster: in one slot), so its load cannot be spread
over several. A queue that exceeds one server is split into several queues of equal weight; then
every queue is assigned to one server. Loads are shares of the planned rate, between 0 and 1.
"""

import heapq
import itertools
import math
from collections.abc import Container, Iterator, Mapping, Sequence

import msgspec

from bench import units

MOST_SERVERS = 100
"""Beyond this number of servers no placement is computed."""
_TOLERANCE = 1e-9
"""Relative rounding error that does not count as exceeding a server."""


class PlacedQueue(msgspec.Struct, frozen=True, kw_only=True):
    """One queue, or one part of a split queue."""

    name: str
    share: float
    """Share of all tasks."""


class PlacedServer(msgspec.Struct, frozen=True, kw_only=True):
    """One Redis server and the queues on it, the busiest first."""

    queues: tuple[PlacedQueue, ...]
    share: float
    """Share of all tasks."""


class QueueSplit(msgspec.Struct, frozen=True, kw_only=True):
    """A queue whose load exceeds one server, and the queues of equal weight that replace it."""

    queue: str
    rate_per_s: float
    """The load of the queue before it is split."""
    parts: tuple[str, ...]


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Every queue, on one server each. No server exceeds ``limit_per_s``."""

    limit_per_s: float
    """Rate that one server sustains with the headroom."""
    least_servers: int
    """Number of servers if the load could be spread evenly."""
    servers: tuple[PlacedServer, ...]
    splits: tuple[QueueSplit, ...]

    @property
    def busiest(self) -> float:
        """The largest share of all tasks on one server."""
        return max(server.share for server in self.servers)


def servers_for(rate_per_s: float, limit_per_s: float) -> int:
    """Returns how many servers sustain a rate if it could be spread evenly; at least 1."""
    return max(math.ceil(rate_per_s / limit_per_s / (1 + _TOLERANCE)), 1)


def place_queues(
    weights: Mapping[str, float], rate_per_s: float, limit_per_s: float
) -> Placement | None:
    """Returns a placement of queues with these weights; None where the rate takes more than
    ``MOST_SERVERS`` servers even if it is spread evenly.

    Queues are split into as few parts as fit. The parts are then assigned to servers by the
    longest-processing-time rule, which balances well but is not optimal: a better placement may
    exist with one server fewer.
    """
    least = servers_for(rate_per_s, limit_per_s)
    if least > MOST_SERVERS:
        return None
    total = math.fsum(weights.values())
    shares = {name: weight / total for name, weight in weights.items()}
    splits = tuple(_splits(shares, rate_per_s, limit_per_s))
    queues = sorted(_parts(shares, splits), key=lambda queue: -queue.share)
    servers = _assign(queues, least, limit_per_s / rate_per_s)
    return Placement(
        limit_per_s=limit_per_s,
        least_servers=least,
        servers=tuple(PlacedServer(queues=tuple(on), share=_load(on)) for on in servers),
        splits=splits,
    )


def placement_notes(placement: Placement | None, shards: int | None, axis: str) -> Iterator[str]:
    """Yields what a reader must know about several servers; nothing for one server or none."""
    if shards is None or shards == 1:
        return
    if placement is None:
        yield (
            f"the rate takes more than {MOST_SERVERS} servers, so the queues are not placed; plan "
            "for a part of the rate"
        )
    elif placement.least_servers < shards:
        yield (
            f"{units.format_count(placement.least_servers)} servers sustain the load if it is "
            f"spread evenly; with each queue on one server it takes {shards}"
        )
    yield (
        "a worker that connects to one server serves only the queues there: divide the "
        f"{axis} among the servers by their shares"
    )


def _splits(
    shares: Mapping[str, float], rate_per_s: float, limit_per_s: float
) -> Iterator[QueueSplit]:
    for name, share in shares.items():
        count = servers_for(share * rate_per_s, limit_per_s)
        if count > 1:
            parts = tuple(_part_names(name, count, shares))
            yield QueueSplit(queue=name, rate_per_s=share * rate_per_s, parts=parts)


def _part_names(name: str, count: int, taken: Container[str]) -> Iterator[str]:
    numbered = (f"{name}_{number}" for number in itertools.count(1))
    return itertools.islice((each for each in numbered if each not in taken), count)


def _parts(shares: Mapping[str, float], splits: Sequence[QueueSplit]) -> Iterator[PlacedQueue]:
    parts = {split.queue: split.parts for split in splits}
    for name, share in shares.items():
        names = parts.get(name, (name,))
        yield from (PlacedQueue(name=each, share=share / len(names)) for each in names)


def _assign(queues: Sequence[PlacedQueue], least: int, limit: float) -> list[list[PlacedQueue]]:
    """Returns the queues by server, each server's load at most ``limit``.

    ``queues`` are sorted, the largest first, and each fits one server. First-fit decreasing gives a
    number of servers that is enough; from ``least`` up to it, the first balanced one that fits.
    """
    enough = _first_fit(queues, limit)
    for count in range(least, len(enough) + 1):
        balanced = _balanced(queues, count)
        if all(_fits(_load(server), limit) for server in balanced):
            return balanced
    return enough


def _first_fit(queues: Sequence[PlacedQueue], limit: float) -> list[list[PlacedQueue]]:
    servers: list[list[PlacedQueue]] = []
    for queue in queues:
        fitting = (each for each in servers if _fits(_load(each) + queue.share, limit))
        server = next(fitting, None)
        if server is None:
            servers.append([queue])
        else:
            server.append(queue)
    return servers


def _balanced(queues: Sequence[PlacedQueue], count: int) -> list[list[PlacedQueue]]:
    """Gives each queue, the largest first, to the server with the smallest load so far."""
    servers: list[list[PlacedQueue]] = [[] for _ in range(count)]
    loads = [(0.0, index) for index in range(count)]
    for queue in queues:
        load, index = heapq.heappop(loads)
        servers[index].append(queue)
        heapq.heappush(loads, (load + queue.share, index))
    return servers


def _load(queues: Sequence[PlacedQueue]) -> float:
    return math.fsum(queue.share for queue in queues)


def _fits(load: float, limit: float) -> bool:
    return load <= limit * (1 + _TOLERANCE)
