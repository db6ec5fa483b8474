"""Series of latencies whose true percentiles are known: independent, dependent, bursty, shifting.

Each process makes latencies (trials, tasks) in seconds of tasks that are due at equal distances.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, signal, stats

from bench.arrays import Floats

Generator = np.random.Generator
Distribution = Callable[[float], float]
"""The share of latencies, in the long run, that do not exceed a value."""


@dataclass(frozen=True)
class Process:
    """A kind of series, and the distribution from which the true percentiles follow."""

    name: str
    make: Callable[[Generator, int, int], Floats]
    share_below: Callable[[int], Distribution] | None
    """For a number of tasks, the distribution; None where only a long series tells it."""


def true_percentile(process: Process, tasks: int, percent: float) -> float:
    """The percentile of the process's distribution."""
    if process.share_below is None:
        return float(np.percentile(_long_series(process), percent))
    share_below = process.share_below(tasks)
    return float(optimize.brentq(lambda value: share_below(value) - percent / 100, 0, 1e5))


_LONG: dict[str, Floats] = {}


def _long_series(process: Process) -> Floats:
    if process.name not in _LONG:
        _LONG[process.name] = process.make(np.random.default_rng(99), 20, 400_000).ravel()
    return _LONG[process.name]


def _lognormal(value: float) -> float:
    return float(stats.norm.cdf(np.log(max(value, 1e-12))))


def exponential() -> Process:
    """Independent, exponential with mean one."""
    return Process(
        "independent, exponential",
        lambda generator, trials, tasks: generator.exponential(size=(trials, tasks)),
        lambda _: lambda value: 1 - float(np.exp(-value)),
    )


def lognormal() -> Process:
    """Independent, log-normal."""
    return Process(
        "independent, log-normal",
        lambda generator, trials, tasks: np.exp(generator.standard_normal((trials, tasks))),
        lambda _: _lognormal,
    )


def autoregressive(memory: float) -> Process:
    """Log-normal, whose logarithm is a first-order autoregression with this coefficient."""

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        noise = generator.standard_normal((trials, tasks)) * np.sqrt(1 - memory**2)
        noise[:, 0] = generator.standard_normal(trials)
        made: Floats = np.exp(signal.lfilter([1], [1, -memory], noise, axis=1))
        return made

    return Process(f"autoregressive, {memory:g}", make, lambda _: _lognormal)


def _sojourns(gaps: Floats, services: Floats) -> Floats:
    """Times in a queue with one server, by Lindley's recursion."""
    steps = np.cumsum(services[:, :-1] - gaps[:, 1:], axis=1)
    walk = np.concatenate([np.zeros((len(gaps), 1)), steps], axis=1)
    waits: Floats = walk - np.minimum.accumulate(walk, axis=1)
    return waits + services


def markov_queue(busy: float) -> Process:
    """The queue M/M/1 with this share of busy time, from its steady state on."""
    warm = int(min(20_000, 20 / (1 - busy) ** 2))

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        gaps = generator.exponential(size=(trials, tasks + warm))
        services = generator.exponential(busy, (trials, tasks + warm))
        return _sojourns(gaps, services)[:, warm:]

    mean = busy / (1 - busy)
    return Process(
        f"queue M/M/1, {busy:.0%} busy",
        make,
        lambda _: lambda value: 1 - float(np.exp(-value / mean)),
    )


def general_queue(busy: float) -> Process:
    """The queue M/G/1 with log-normal service."""
    warm = 10_000

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        gaps = generator.exponential(size=(trials, tasks + warm))
        normal = generator.standard_normal((trials, tasks + warm))
        return _sojourns(gaps, busy * np.exp(normal - 0.5))[:, warm:]

    return Process(f"queue M/G/1, {busy:.0%} busy", make, None)


def bursts(expected: int, slower: float = 10.0) -> Process:
    """Exponential, ten times slower in bursts that begin at random: ``expected`` of them."""

    def length(tasks: int) -> int:
        return max(int((0.004 if expected < 100 else 0.1 / expected) * tasks), 1)

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        made = generator.exponential(size=(trials, tasks))
        begun = np.cumsum(generator.random((trials, tasks + length(tasks))) < expected / tasks, 1)
        made[begun[:, length(tasks) :] > begun[:, : -length(tasks)]] *= slower
        return made

    def share_below(tasks: int) -> Distribution:
        slow = 1 - (1 - expected / tasks) ** length(tasks)
        return lambda value: float(
            (1 - slow) * (1 - np.exp(-value)) + slow * (1 - np.exp(-value / slower))
        )

    return Process(f"bursts, {expected} in a run", make, share_below)


def level_shift() -> Process:
    """Exponential, half as much slower again in the second half."""

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        made = generator.exponential(size=(trials, tasks))
        made[:, tasks // 2 :] *= 1.5
        return made

    return Process(
        "level shift of 50%",
        make,
        lambda _: lambda value: float(1 - (np.exp(-value) + np.exp(-value / 1.5)) / 2),
    )


def one_stall() -> Process:
    """Exponential, with one stall of 2% of the run from which all tasks in it wait for its end."""

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        made = generator.exponential(size=(trials, tasks))
        length = tasks // 50
        for row, begin in zip(made, generator.integers(0, tasks - length, trials), strict=True):
            row[begin : begin + length] += np.linspace(40, 0, length)
        return made

    waits = np.linspace(40, 0, 200)

    def below(value: float) -> float:
        within = 1 - np.exp(-np.maximum(value - waits, 0))
        return float(0.98 * (1 - np.exp(-value)) + 0.02 * within.mean())

    return Process("one stall", make, lambda _: below)


def modulated(stay: float) -> Process:
    """Exponential, three times slower in one of two states that change at random."""

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        changes = generator.random((trials, tasks)) > stay
        first = generator.integers(0, 2, (trials, 1))
        is_slow = (np.cumsum(changes, axis=1) + first) % 2 == 1
        return generator.exponential(size=(trials, tasks)) * np.where(is_slow, 3.0, 1.0)

    return Process(
        f"two states, {1 / (1 - stay):,.0f} tasks each",
        make,
        lambda _: lambda value: float(1 - (np.exp(-value) + np.exp(-value / 3)) / 2),
    )


def moving_maximum(width: int) -> Process:
    """The largest of so many neighbouring exponential values: clusters of extremes."""

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        made = generator.exponential(size=(trials, tasks + width - 1))
        windows = np.lib.stride_tricks.sliding_window_view(made, width, axis=1)
        largest: Floats = windows.max(axis=2)
        return largest

    return Process(
        f"maximum of {width} neighbours",
        make,
        lambda _: lambda value: float((1 - np.exp(-value)) ** width),
    )


def batch_queue(busy: float, mean_size: int) -> Process:
    """A queue with one server, to which tasks come in batches of a geometric size."""
    warm = 20_000

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        is_next_batch = generator.random((trials, tasks + warm)) < 1 / mean_size
        gaps = np.where(is_next_batch, generator.exponential(mean_size, is_next_batch.shape), 0.0)
        services = generator.exponential(busy, (trials, tasks + warm))
        return _sojourns(gaps, services)[:, warm:]

    return Process(f"queue, batches of {mean_size}, {busy:.0%} busy", make, None)


def pauses(per_run: int) -> Process:
    """Exponential; at random moments, everybody waits for a pause of an exponential length to
    end."""

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        made = generator.exponential(size=(trials, tasks))
        begins = generator.random((trials, tasks)) < per_run / tasks
        lengths = np.where(begins, generator.exponential(tasks / per_run / 20, begins.shape), 0.0)
        ends = np.maximum.accumulate(np.arange(tasks) + lengths, axis=1)
        left: Floats = ends - np.arange(tasks)
        return made + 20 * per_run / tasks * left

    return Process(f"pauses, {per_run} in a run", make, None)


def noisy_wander(memory: float) -> Process:
    """Log-normal, whose logarithm is the sum of a first-order autoregression and noise."""

    def make(generator: Generator, trials: int, tasks: int) -> Floats:
        wander = np.log(autoregressive(memory).make(generator, trials, tasks))
        made: Floats = np.exp((wander + generator.standard_normal(wander.shape)) / np.sqrt(2))
        return made

    return Process(f"autoregressive, {memory:g}, with noise", make, lambda _: _lognormal)


TUNED = (
    exponential(),
    lognormal(),
    *(autoregressive(memory) for memory in (0.5, 0.9, 0.99)),
    *(markov_queue(busy) for busy in (0.5, 0.8, 0.9)),
    general_queue(0.7),
    *(bursts(number) for number in (5, 20, 200)),
    bursts(40, 4.0),
    *(modulated(stay) for stay in (0.995, 0.999)),
    moving_maximum(30),
    level_shift(),
    one_stall(),
)
"""Processes whose kinds the limits were chosen with, from other seeds."""
FRESH = (batch_queue(0.6, 10), pauses(30), noisy_wander(0.97), bursts(60, 3.0))
"""Processes that had no part in that."""
