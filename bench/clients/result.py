"""The result line: the figures of a client, which its program prints as one line of JSON.

    {"client": "go-seed", "tasks": 5000, "elapsed_s": 0.61, "cpu_s": 0.32, "latency_us": [[113, 7]]}

``latency_us`` holds pairs of a value in µs and the number of tasks that took as long. A latency is
rounded up to a whole µs; below 2048 µs that is the value. A larger one keeps its eleven highest
bits, and the bits below are all set. That is the highest value that HdrHistogram, at three
significant digits, counts in the same bucket:

    shift = max(bit_length(v) - 11, 0)
    value = (((v >> shift) + 1) << shift) - 1

A value is therefore too large by less than 0.1%, and never too small.
"""

from typing import Annotated

import msgspec

from bench.measure.histogram import Histogram

_EXACT_BITS = 11

_Positive = Annotated[int, msgspec.Meta(ge=1)]
_Natural = Annotated[int, msgspec.Meta(ge=0)]


class ClientResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a client measured, over its loop alone."""

    client: str
    tasks: _Positive
    elapsed_s: Annotated[float, msgspec.Meta(gt=0)]
    cpu_s: Annotated[float, msgspec.Meta(ge=0)]
    """User and system time of the client's own process."""
    latency_us: list[tuple[_Natural, _Positive]]

    def histogram(self) -> Histogram:
        """The latencies as a histogram."""
        histogram = Histogram()
        for value_us, count in self.latency_us:
            histogram.record(value_us, count)
        return histogram


class LatencyBuckets:
    """Counts latencies in the buckets of the result line."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def record(self, nanoseconds: int, count: int = 1) -> None:
        """Count ``count`` tasks that took ``nanoseconds`` each."""
        value_us = highest_equivalent(-(-nanoseconds // 1000))
        self._counts[value_us] = self._counts.get(value_us, 0) + count

    def pairs(self) -> list[tuple[int, int]]:
        """(value in µs, count) for each bucket, in ascending order."""
        return sorted(self._counts.items())


def highest_equivalent(value_us: int) -> int:
    """The largest value in the bucket of ``value_us``, both in µs."""
    shift = max(value_us.bit_length() - _EXACT_BITS, 0)
    return (((value_us >> shift) + 1) << shift) - 1


def encode(line: ClientResult) -> bytes:
    """The line with its line end."""
    return msgspec.json.encode(line) + b"\n"


def decode(text: bytes, client: str, tasks: int) -> ClientResult:
    """Read the result line of a client that was to enqueue ``tasks`` tasks.

    What else it printed, or an interpreter with a sitecustomize of the user's, is passed over.
    Raises ValueError, with what is wrong, when there is not exactly one such line, when it is not
    in the format, or when client, number of tasks or number of latencies are not the expected ones.
    """
    lines = [line for line in text.splitlines() if line.lstrip().startswith(b"{")]
    if len(lines) != 1:
        raise ValueError(f"it printed {len(lines)} result lines instead of one")
    try:
        line = msgspec.json.decode(lines[0], type=ClientResult)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"its result line cannot be read: {error}") from None
    if (line.client, line.tasks) != (client, tasks):
        raise ValueError(f"its result line is for {line.tasks} tasks of {line.client}")
    counted = sum(count for _, count in line.latency_us)
    if counted != tasks:
        raise ValueError(f"its result line has {counted} latencies for {tasks} tasks")
    for value_us, _ in line.latency_us:
        if value_us != highest_equivalent(value_us):
            raise ValueError(
                f"its result line has a latency of {value_us} µs, which ends no bucket"
            )
    return line
