"""Round trips to the server, with and without a proxy, measured in alternation."""

import contextlib
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.errors import MeasurementError
from bench.measure.network import RoundTrips
from bench.redisio.connection import ConnectionLost, RawConnection

_PING, _PONG = b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"
_LEAST, _MOST = 3, 1000
_PAUSE_S = 0.0002
"""Between two round trips: what is measured is one that finds everything at rest."""


@dataclass(frozen=True)
class Ends:
    """Two connections to the same server."""

    direct: RawConnection
    through: RawConnection

    def measure(self, seconds: float, timeout_s: float) -> tuple[RoundTrips, RoundTrips]:
        """Make round trips by turns for so long: directly, and through the proxy.

        Raises MeasurementError where one takes longer than ``timeout_s``, or is not answered.
        """
        direct_s: list[float] = []
        through_s: list[float] = []
        began_s = time.monotonic()
        while len(direct_s) < _LEAST or (
            len(direct_s) < _MOST and time.monotonic() - began_s < seconds
        ):
            direct_s.append(_round_trip_s(self.direct, timeout_s))
            through_s.append(_round_trip_s(self.through, timeout_s))
        return RoundTrips.of(direct_s), RoundTrips.of(through_s)


@contextlib.contextmanager
def ends(url: str, through_url: str) -> Iterator[Ends]:
    """Connections by both URLs. Raises ServerUnreachable and UsageError."""
    with (
        contextlib.closing(RawConnection(url)) as direct,
        contextlib.closing(RawConnection(through_url)) as through,
    ):
        yield Ends(direct, through)


def _round_trip_s(connection: RawConnection, timeout_s: float) -> float:
    time.sleep(_PAUSE_S)
    began_s = time.monotonic()
    answer = b""
    try:
        connection.send(_PING)
        while len(answer) < len(_PONG):
            left_s = began_s + timeout_s - time.monotonic()
            if left_s <= 0 or not select.select([connection], [], [], left_s)[0]:
                raise MeasurementError(
                    f"a PING through the run's network was not answered within {timeout_s:g} s"
                )
            answer += connection.receive()
    except ConnectionLost as error:
        raise MeasurementError(f"the run's network could not be measured: {error}") from None
    taken_s = time.monotonic() - began_s
    if answer != _PONG:
        raise MeasurementError("the server answers a PING with something else: check the URL")
    return taken_s
