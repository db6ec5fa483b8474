"""The run's clock: one time line in microseconds for all processes of a run.

A run stamps its tasks in the time of the Redis server, which its ``TIME`` command returns: it is
the one clock that processes on different hosts can all read. No process reads it while it
measures. Each maps its own monotonic clock to it once, and adds that constant from then on.

On one host all processes share the monotonic clock *and* the constant, so that the difference of
two stamps is a monotonic duration without an error of the mapping. A process on another host uses
its own constant, whose error is at most half the round trip of its best sample.
"""

import contextlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """A source of the run's time."""

    def now_us(self) -> int:
        """Microseconds on the run's time line."""
        ...


@dataclass(frozen=True)
class RunClock:
    """This host's monotonic clock, shifted to the server's time by a constant."""

    offset_us: int = 0

    def now_us(self) -> int:
        """Microseconds on the run's time line. Never goes backwards."""
        return time.monotonic_ns() // 1000 + self.offset_us


@dataclass
class FakeClock:
    """A clock that tests move by hand."""

    time_us: int = 0

    def now_us(self) -> int:
        """Microseconds on the run's time line."""
        return self.time_us

    def advance(self, by_us: int) -> None:
        """Move the clock forward by ``by_us`` microseconds."""
        self.time_us += by_us


@dataclass(frozen=True)
class Sample:
    """A reading of the server's clock between two readings of this host's, in microseconds."""

    before_us: int
    server_us: int
    after_us: int


@dataclass(frozen=True)
class Offset:
    """Server time minus monotonic time, and the bound of its error, both in microseconds."""

    offset_us: int
    error_us: float


def estimate_offset(samples: Iterable[Sample]) -> Offset:
    """The offset from the sample with the shortest round trip.

    The server read its clock between the two readings of this host, so the midpoint is off by at
    most half the round trip (Cristian, "Probabilistic clock synchronization", 1989).
    """
    best = min(samples, key=lambda sample: sample.after_us - sample.before_us)
    midpoint_us = (best.before_us + best.after_us) // 2
    # Half a microsecond more, since the midpoint is rounded to a whole one.
    return Offset(best.server_us - midpoint_us, (best.after_us - best.before_us + 1) / 2)


def host_identity() -> str:
    """An identity of the host that is equal for two processes when they share a monotonic clock.

    It is the random id that Linux gives each boot, and the id of the process's time namespace, in
    which the monotonic clock may be shifted. Elsewhere it is empty, which means unknown and must
    not be compared.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    namespace = ""
    with contextlib.suppress(OSError):  # kernels before 5.6 have no time namespaces
        namespace = str(Path("/proc/self/ns/time").readlink())
    return f"{boot} {namespace}".strip()
