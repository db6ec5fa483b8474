"""From sampled payload sizes to the distribution that a scenario draws them from."""

import math
from collections.abc import Sequence

from bench.units import format_bytes
from bench.workload.distribution import MOST_SIGMA
from bench.workload.payload import MAX_SIZE, MIN_SIZE

_EQUAL = 0.02
"""Share of the mean up to which sizes count as equal."""


def size_written(sizes: Sequence[int]) -> str:
    """Returns the field ``payload_size`` for sampled sizes (n,) in bytes, of which there is one.

    Equal sizes are a constant. Others are lognormal with the sample's mean and the standard
    deviation of its logarithms. A size that no payload may have is moved to the nearest that one
    may have.
    """
    mean = min(max(sum(sizes) / len(sizes), MIN_SIZE), MAX_SIZE)
    logs = [math.log(max(each, 1)) for each in sizes]
    centre = sum(logs) / len(logs)
    sigma = min(math.sqrt(sum((each - centre) ** 2 for each in logs) / len(logs)), MOST_SIGMA)
    text = f"{mean:.0f}B"
    return text if sigma <= _EQUAL or max(sizes) <= MIN_SIZE else f"lognormal:{text},{sigma:.2g}"


def size_origin(sizes: Sequence[int]) -> str:
    """Returns what was sampled: how many, and their percentiles."""
    ordered = sorted(sizes)
    p50, p99 = (ordered[math.ceil(q * len(ordered)) - 1] for q in (0.5, 0.99))
    count = f"{len(sizes):,} task{'s' if len(sizes) > 1 else ''}"
    text = (
        f"sampled: {count}, p50 {format_bytes(p50)}, p99 {format_bytes(p99)}, "
        f"largest {format_bytes(ordered[-1])}"
    )
    few = ordered[0] < MIN_SIZE
    return f"{text}; at least {MIN_SIZE} B, which the stamps of a run take" if few else text
