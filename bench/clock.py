"""The run's clock: one time line in microseconds for every process of a run.

A run stamps its tasks in the time of the Redis server, as its ``TIME`` command gives it, because
that is the one clock that processes on different hosts can all read. No process reads it while it
measures: each maps its own monotonic clock to it once, and adds that constant from then on.

On one host all processes share the monotonic clock *and* the constant, so the difference of two
stamps is a plain monotonic duration, with no error from the mapping. A process on another host
uses a constant of its own; its error is at most half the round trip of its best sample.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the run's time."""

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
    """A clock that moves only when told, for tests of timing logic."""

    time_us: int = 0

    def now_us(self) -> int:
        """The time that was last set."""
        return self.time_us

    def advance(self, by_us: int) -> None:
        """Move forward by ``by_us``."""
        self.time_us += by_us


@dataclass(frozen=True)
class Sample:
    """One reading of the server's clock, between two readings of ours, all in microseconds."""

    before_us: int
    server_us: int
    after_us: int


@dataclass(frozen=True)
class Offset:
    """Server time minus monotonic time, and how far it can be off, both in microseconds."""

    offset_us: int
    error_us: float


def estimate_offset(samples: Iterable[Sample]) -> Offset:
    """The offset from the sample with the least round trip.

    The server read its clock somewhere between the two readings of ours, so the midpoint is off
    by at most half the round trip (Cristian, "Probabilistic clock synchronization", 1989).
    """
    best = min(samples, key=lambda sample: sample.after_us - sample.before_us)
    midpoint_us = (best.before_us + best.after_us) // 2
    # Half a microsecond more, as the midpoint is a whole one.
    return Offset(best.server_us - midpoint_us, (best.after_us - best.before_us + 1) / 2)


def host_identity() -> str:
    """A text that is equal for two processes exactly when they share a monotonic clock.

    Linux gives each boot a random id; elsewhere the empty text, which equals nothing.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
