"""Mapping this host's monotonic clock to the server's ``TIME``."""

import time

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
