"""Mapping this host's monotonic clock to the server's ``TIME``."""

import time
from collections.abc import Sequence

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
            raise redis.exceptions.InvalidResponse(f"its TIME is none: {seconds}")
        return Sample(before_us, int(seconds) * 1_000_000 + int(microseconds), after_us)

    began_s = time.monotonic()
    taken = [sample()]
    while len(taken) < samples and time.monotonic() - began_s < _LONGEST_S:
        taken.append(sample())
    return estimate_offset(taken)


def error_us(client: redis.Redis, offset: Offset, errors_us: Sequence[float]) -> float:
    """The bound of the error between the stamps of two hosts, in µs. Zero for a single host.

    ``errors_us`` are the bounds that the other hosts report for their own offsets. The bound is
    the worst of them, plus that of the run's own ``offset``, plus the drift of the clocks since it
    was measured. Raises redis-py's errors.
    """
    worst_us = max(errors_us, default=0.0)
    if not worst_us:
        return 0.0
    drift_us = abs(measure_offset(client).offset_us - offset.offset_us)
    return worst_us + offset.error_us + drift_us
