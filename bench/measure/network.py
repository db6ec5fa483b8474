"""What the network of a run was, as asked and as measured."""

import math
import statistics
from collections.abc import Sequence

import msgspec

from bench.workload.faults import Network

_NOTCH = 1.57
"""Half the width of the notch of a box plot, in interquartile ranges over the root of the number
of values: two medians differ where their notches do not overlap (McGill, Tukey, Larsen 1978)."""


class RoundTrips(msgspec.Struct, frozen=True, kw_only=True):
    """How long round trips took that were made one after the other, in seconds."""

    count: int
    p50_s: float
    p99_s: float
    p50_error_s: float
    """How far off the median may be, either way."""

    @classmethod
    def of(cls, times_s: Sequence[float]) -> "RoundTrips":
        """Those of at least one round trip."""
        ordered = sorted(times_s)
        count = len(ordered)
        spread_s = 0.0
        if count > 1:
            lower, _, upper = statistics.quantiles(ordered, n=4, method="inclusive")
            spread_s = upper - lower
        return cls(
            count=count,
            p50_s=statistics.median(ordered),
            p99_s=ordered[math.ceil(0.99 * count) - 1],
            p50_error_s=_NOTCH * spread_s / math.sqrt(count),
        )


class NetworkUse(msgspec.Struct, frozen=True, kw_only=True):
    """The network between a run's tasks and its server, where a proxy stands for one."""

    asked: Network
    """For the whole run; faults may have changed it for a while."""
    direct: RoundTrips | None = None
    """Before the run, without the proxy; None where nothing could get through it."""
    through: RoundTrips | None = None
    """Before the run, in alternation with ``direct``, through the proxy with what was asked, but
    without its resets."""
    own_cost_s: float = 0.0
    """What the proxy adds to a round trip by itself, which is part of the time that was asked."""
    connections: int = 0
    """Connections that led through the proxy."""
    resets: int = 0
    """Connections that were reset on purpose, by the network and by faults."""

    @property
    def added_s(self) -> float | None:
        """What a round trip took longer than without the proxy, in the median; None where that was
        not measured."""
        if self.direct is None or self.through is None:
            return None
        return self.through.p50_s - self.direct.p50_s

    @property
    def added_error_s(self) -> float | None:
        """How far off ``added_s`` may be, either way; None where that was not measured."""
        if self.direct is None or self.through is None:
            return None
        return math.hypot(self.direct.p50_error_s, self.through.p50_error_s)
