"""When each task is due. Pure arithmetic: nothing here reads a clock or sleeps.

Arrivals are made in two steps. First they are placed on a time line where one task is due per unit:
evenly (0, 1, 2, …) or as a Poisson process of rate one. Then the rate profile bends that line: with
Λ(t) the number of tasks due up to t, a unit arrival at u is due at Λ⁻¹(u). For Poisson arrivals
this is the time-rescaling theorem, so ramps keep their exponential gaps (Lewis and Shedler, 1979,
in its inverse form).
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
import numpy as np

from bench.arrays import Floats, Integers

CHUNK = 8192
"""Number of arrivals made at a time. The sums of Poisson gaps depend on it in their last digits."""


class RateStage(msgspec.Struct, frozen=True):
    """A step or a ramp: the rate goes from one value to another in a straight line."""

    duration_s: float
    start_per_s: float
    end_per_s: float


class RateProfile:
    """The offered rate over time, as a sequence of stages. The last stage may be endless."""

    def __init__(self, stages: Sequence[RateStage]) -> None:
        self._starts_s = np.cumsum([0.0] + [stage.duration_s for stage in stages])
        self._rates = np.array([stage.start_per_s for stage in stages])
        self._slopes = np.array(
            [(stage.end_per_s - stage.start_per_s) / stage.duration_s for stage in stages]
        )
        tasks = [stage.duration_s * (stage.start_per_s + stage.end_per_s) / 2 for stage in stages]
        self._counts = np.cumsum([0.0, *tasks])

    @property
    def duration_s(self) -> float:
        """The total length of all stages; it may be infinite."""
        return float(self._starts_s[-1])

    @property
    def total(self) -> float:
        """The number of tasks due over the whole profile, Λ(duration); it may be infinite."""
        return float(self._counts[-1])

    def rate_at(self, time_s: float) -> float:
        """Returns the rate at one moment, per second; zero after the end."""
        stage = int(np.searchsorted(self._starts_s, time_s, side="right")) - 1
        if stage >= len(self._rates):
            return 0.0
        return float(self._rates[stage] + self._slopes[stage] * (time_s - self._starts_s[stage]))

    def count_at(self, time_s: float) -> float:
        """Returns the number of tasks that have become due by one moment, Λ(t)."""
        if time_s <= 0:
            return 0.0
        if time_s >= self.duration_s:
            return self.total
        stage = int(np.searchsorted(self._starts_s, time_s, side="right")) - 1
        into_s = time_s - self._starts_s[stage]
        within = self._rates[stage] * into_s + self._slopes[stage] * into_s**2 / 2
        return float(self._counts[stage] + within)

    def counts_at(self, times_s: Floats) -> Floats:
        """Returns the numbers of tasks (n,) that have become due by these moments (n,)."""
        within_s = np.clip(times_s, 0.0, self.duration_s)
        stage = np.searchsorted(self._starts_s, within_s, side="right") - 1
        stage = np.minimum(stage, len(self._rates) - 1)
        into_s = within_s - self._starts_s[stage]
        added = self._rates[stage] * into_s + self._slopes[stage] * into_s**2 / 2
        counts: Floats = self._counts[stage] + added
        return counts

    def time_of(self, counts: Floats) -> Floats:
        """Returns the seconds (n,) at which these numbers of tasks (n,) have become due: Λ⁻¹.

        Within a stage r·t + a·t²/2 = x is solved as 2x / (r + √(r² + 2ax)), which holds for
        ramps up, ramps down and steps alike.
        """
        stage = np.searchsorted(self._counts, counts, side="right") - 1
        stage = np.minimum(stage, len(self._rates) - 1)
        into = counts - self._counts[stage]
        rate, slope = self._rates[stage], self._slopes[stage]
        root = np.sqrt(np.maximum(rate**2 + 2 * slope * into, 0.0))
        divisor = rate + root
        within = np.divide(2 * into, divisor, out=np.zeros_like(into), where=divisor > 0)
        times: Floats = self._starts_s[stage] + within
        return times


def arrivals(
    profile: RateProfile,
    kind: Literal["constant", "poisson"],
    seed: int,
    limit: int | None = None,
    *,
    producer: int = 0,
    producers: int = 1,
) -> Iterator[tuple[Integers, Integers]]:
    """Yields (task numbers (n,), due times in µs from the start (n,)) of one producer, in order.

    Each of several producers sends every n-th task of the schedule. It ends with the profile, or
    before the task with the number ``limit``.
    """
    if kind == "constant":
        chunks = _even_units(producer, producers)
    else:
        chunks = _poisson_units(seed, producer, producers)
    # Rounding may make a sum of stages a little too large: that must not add a task.
    total = profile.total * (1 - 1e-12) - 1e-9
    for numbers, units in chunks:
        kept = int(np.searchsorted(units, total))
        if limit is not None:
            kept = min(kept, int(np.searchsorted(numbers, limit)))
        if kept:
            yield numbers[:kept], _whole_us(profile.time_of(units[:kept]))
        if kept < len(numbers):
            return


def _even_units(producer: int, producers: int) -> Iterator[tuple[Integers, Floats]]:
    """Yields (task numbers (n,), evenly placed units (n,)) of one producer, without an end.

    Only the producer's own are computed, so a task costs the same however many producers there are.
    """
    for first in itertools.count(producer, CHUNK * producers):
        numbers = np.arange(first, first + CHUNK * producers, producers)
        yield numbers, numbers.astype(np.float64)


def _poisson_units(seed: int, producer: int, producers: int) -> Iterator[tuple[Integers, Floats]]:
    """Yields (task numbers (n,), units of a Poisson process (n,)) of one producer, without an end.

    A unit is the sum of all gaps before it, so every producer draws those of all tasks.
    """
    generator = np.random.Generator(np.random.Philox(seed))
    reached = 0.0
    for first in itertools.count(0, CHUNK):
        units = reached + np.cumsum(generator.standard_exponential(CHUNK))
        reached = float(units[-1])
        own = (producer - first) % producers
        yield np.arange(first + own, first + CHUNK, producers), units[own::producers]


def _whole_us(times_s: Floats) -> Integers:
    """Converts seconds to whole µs, rounded down after a correction for floating point."""
    return np.floor(times_s * 1e6 + 1e-3).astype(np.int64)


def unscheduled(
    producer: int, producers: int, limit: int | None
) -> Iterator[tuple[Integers, Integers]]:
    """Yields (task numbers (n,), due times of zero (n,)) of one producer of a closed loop.

    Each of several producers sends every n-th task.
    """
    first = producer
    while limit is None or first < limit:
        stop = first + CHUNK * producers
        numbers = np.arange(first, stop if limit is None else min(stop, limit), producers)
        yield numbers, np.zeros(len(numbers), np.int64)
        first = stop
