"""Mapping this host's monotonic clock to the server's ``TIME``."""

import time
from collections.abc import Sequence

import redis

from bench.clock import Offset, Sample, estimate_offset

SAMPLES = 64
_LONGEST_S = 1.0
"""On a slow network fewer samples must do."""


def measure_offset(client: redis.Redis, samples: int = SAMPLES) -> Offset:
    """Ask the server for its time many times over; the quickest answer wins.

    Raises redis-py's errors.
    """

    def sample() -> Sample:
        before_us = time.monotonic_ns() // 1000
        seconds, microseconds = client.time()
        return Sample(
            before_us, int(seconds) * 1_000_000 + int(microseconds), time.monotonic_ns() // 1000
        )

    began_s = time.monotonic()
    taken = [sample()]
    while len(taken) < samples and time.monotonic() - began_s < _LONGEST_S:
        taken.append(sample())
    return estimate_offset(taken)


def error_us(client: redis.Redis, offset: Offset, errors_us: Sequence[float]) -> float:
    """How far stamps of two hosts can be apart, in µs, from what each says of its own mapping:
    the worst of them, the run's own, and how far clocks have drifted since. Zero for one host.

    Raises redis-py's errors.
    """
    worst_us = max(errors_us, default=0.0)
    if not worst_us:
        return 0.0
    drift_us = abs(measure_offset(client).offset_us - offset.offset_us)
    return worst_us + offset.error_us + drift_us
