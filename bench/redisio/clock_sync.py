"""Mapping this host's monotonic clock to the server's ``TIME``."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis

from bench.clock import Offset, Sample, estimate_offset

SAMPLES = 64
_LATEST_S = 1 << 40
"""Unix time in seconds that no clock shows: stamps of it would not fit."""
_LONGEST_S = 1.0
"""Time after which no more samples are taken, on a slow network."""


def measure_offset(client: redis.Redis, samples: int = SAMPLES) -> Offset:
    """The server's time minus this host's monotonic time, from the quickest of several requests.

    Raises redis-py's errors.
    """

    def sample() -> Sample:
        before_us = time.monotonic_ns() // 1000
        seconds, microseconds = client.time()
        after_us = time.monotonic_ns() // 1000
        if not 0 <= int(seconds) < _LATEST_S:
            raise redis.exceptions.InvalidResponse(f"its TIME is not valid: {seconds}")
        return Sample(before_us, int(seconds) * 1_000_000 + int(microseconds), after_us)

    began_s = time.monotonic()
    taken = [sample()]
    while len(taken) < samples and time.monotonic() - began_s < _LONGEST_S:
        taken.append(sample())
    return estimate_offset(taken)


@dataclass(frozen=True)
class Agreement:
    """How far the stamps of two processes of a run can be apart, in µs."""

    error_us: float = 0.0
    """The bound; zero for a single host."""
    apart_us: float = 0.0
    """The part of it by which clocks that were taken for one certainly differ."""


def agreement(
    client: redis.Redis,
    own: Offset,
    errors_us: Sequence[float],
    taken_for_own: Sequence[Offset] = (),
) -> Agreement:
    """How well the clocks of all processes agree at the end of a run. Raises redis-py's errors.

    ``own`` is the run's offset as it was measured at the beginning, and ``errors_us`` are the
    bounds that processes on other hosts report for theirs. The bound is the worst of them, plus
    that of the run's own offset, plus the drift of the clocks since it was measured.
    ``taken_for_own`` are offsets of processes that use the run's clock, as one of their own host:
    where one is farther from the run's than both errors allow, the clock is another one.
    """
    worst_us = max(errors_us, default=0.0)
    if not worst_us and not taken_for_own:
        return Agreement()
    now = measure_offset(client)
    apart_us = max((_apart_us(own, now, each) for each in taken_for_own), default=0.0)
    worst_us = max(worst_us, apart_us)
    if not worst_us:
        return Agreement()
    drift_us = abs(now.offset_us - own.offset_us)
    return Agreement(worst_us + own.error_us + drift_us, apart_us)


def _apart_us(first: Offset, last: Offset, other: Offset) -> float:
    """How far an offset certainly is from all that lie between the first and the last one."""
    error_us = other.error_us + max(first.error_us, last.error_us)
    below_us = min(first.offset_us, last.offset_us) - other.offset_us
    above_us = other.offset_us - max(first.offset_us, last.offset_us)
    return max(below_us - error_us, above_us - error_us, 0.0)
