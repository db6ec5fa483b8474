"""Waiting times near the limit: Erlang C with the measured service times.

Formulas: Erlang C for the probability of waiting at all; Allen and Cunneen's correction for service
and arrival times that are not exponential, E[W] ≈ C/(cμ - λ) · (Ca² + Cs²)/2; an exponential tail
with that mean, P(W > t) ≈ C·exp(-t·C/E[W]), convolved with the measured service times; Cobham for
strict priorities without preemption, W_k = W0 / ((1 - σ_{k-1})(1 - σ_k)).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrays import Floats
from bench.measure.histogram import Histogram, highest_equivalent

_RESOLUTION_S = 1e-9
"""Largest error of a percentile, in seconds."""


@dataclass(frozen=True)
class ServiceTimes:
    """Service times in seconds (n,) and the share of tasks that take each."""

    times_s: Floats
    shares: Floats

    @property
    def mean_s(self) -> float:
        """Mean service time in seconds."""
        return float(self.times_s @ self.shares)

    @property
    def variation(self) -> float:
        """Squared coefficient of variation: 0 constant, 1 exponential."""
        return float(self.times_s**2 @ self.shares) / self.mean_s**2 - 1

    def scaled_to(self, mean_s: float) -> "ServiceTimes":
        """Returns a distribution of the same shape with another mean, in seconds."""
        return ServiceTimes(self.times_s * (mean_s / self.mean_s), self.shares)


def service_of(histogram: Histogram) -> ServiceTimes:
    """Returns the service times of a histogram in µs. Raises ValueError when it has no samples."""
    filled = np.flatnonzero(histogram.counts)
    if not len(filled):
        raise ValueError("no service times were measured")
    times_us = np.array([highest_equivalent(index) for index in filled.tolist()], np.float64)
    counts = histogram.counts[filled].astype(np.float64)
    return ServiceTimes(np.maximum(times_us, 1.0) / 1e6, counts / counts.sum())


def erlang_c(servers: int, offered: float) -> float:
    """Returns the probability that a task must wait (Erlang C).

    ``offered`` is the load λ/μ in servers; at or above ``servers`` the result is 1.
    """
    if offered >= servers:
        return 1.0
    # The recursion of Erlang B neither overflows nor loses digits.
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    utilisation = offered / servers
    return blocked / (1 - utilisation * (1 - blocked))


@dataclass(frozen=True)
class Queue:
    """A queue with c servers, tasks arriving at a rate, and their service times.

    ``rate_per_s`` is in tasks per second. ``arrivals_variation`` is the squared coefficient of
    variation of the time between arrivals: 1 for Poisson arrivals, 0 for evenly spaced ones.
    ``floor_s`` is the latency of a task that does not wait, beyond its service: the time to and
    from the Redis server.
    """

    servers: int
    rate_per_s: float
    service: ServiceTimes
    arrivals_variation: float = 1.0
    floor_s: float = 0.0

    @property
    def utilisation(self) -> float:
        """Share of the servers that is busy; at 1 or above the queue grows without bound."""
        return self.rate_per_s * self.service.mean_s / self.servers

    @property
    def wait_chance(self) -> float:
        """Probability that a task waits for a server."""
        return erlang_c(self.servers, self.rate_per_s * self.service.mean_s)

    @property
    def mean_wait_s(self) -> float:
        """Mean wait for a server in seconds; infinite where the queue grows without bound."""
        if self.utilisation >= 1:
            return math.inf
        spare = self.servers / self.service.mean_s - self.rate_per_s
        variation = (self.arrivals_variation + self.service.variation) / 2
        return self.wait_chance / spare * variation

    def exceeds(self, limit_s: float) -> float:
        """Returns the probability that a task takes longer than that, from due to finished."""
        if self.utilisation >= 1:
            return 1.0
        left_s = limit_s - self.floor_s - self.service.times_s
        tail = np.where(left_s < 0, 1.0, 0.0)
        mean_s = self.mean_wait_s
        if mean_s > 0:
            waits = self.wait_chance * np.exp(-np.maximum(left_s, 0) * self.wait_chance / mean_s)
            tail = np.where(left_s < 0, 1.0, waits)
        return float(tail @ self.service.shares)

    def percentile_s(self, percent: float) -> float:
        """Returns a percentile of the latency in seconds.

        It is infinite where the queue grows without bound.
        """
        if self.utilisation >= 1:
            return math.inf
        wanted = 1 - percent / 100
        high = self.floor_s + float(self.service.times_s[-1]) + self.mean_wait_s
        while self.exceeds(high) > wanted:
            high *= 2
        if self.exceeds(0.0) <= wanted:
            return 0.0
        low = 0.0
        while high - low > _RESOLUTION_S and low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if self.exceeds(middle) > wanted else (low, middle)
        return high


def priority_waits_s(queue: Queue, shares: Sequence[float]) -> list[float]:
    """Returns the mean wait of each priority class in seconds (Cobham), the highest class first.

    ``shares`` are the shares of the tasks in each class and add up to 1; all classes have the same
    service times. By Kleinrock's conservation law, the mean of the waits, weighted by the shares,
    is the wait without priorities.
    """
    residual_s, busy, waits = _residual_s(queue), 0.0, []
    for share in shares:
        before, busy = busy, busy + share * queue.utilisation
        waits.append(residual_s / ((1 - before) * (1 - busy)) if busy < 1 else math.inf)
    return waits


def _residual_s(queue: Queue) -> float:
    """Returns W0: the mean time until a server becomes free, ignoring other waiting tasks."""
    chance = erlang_c(queue.servers, min(queue.rate_per_s * queue.service.mean_s, queue.servers))
    variation = (queue.arrivals_variation + queue.service.variation) / 2
    return chance * queue.service.mean_s / queue.servers * variation
