"""Mapping this host's monotonic clock to the server's ``TIME``."""

import time

import redis

from bench.clock import Offset, Sample, estimate_offset

SAMPLES = 64


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

    return estimate_offset([sample() for _ in range(samples)])
