"""Priority inversions: found where they are planted, and hardly ever where sub-queues are alike."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bench.arrays import Integers
from bench.measure.histogram import Histogram, decode
from bench.measure.priorities import Inversion, clauses, find_inversions
from bench.measure.recorder import Interval
from bench.records import run_record
from tests.conftest import TrialCount

EARLIER_RECORD = Path(__file__).parents[1] / "records/data/run-default.json"
Waits = npt.NDArray[np.float64]
Simulation = Callable[[np.random.Generator, int], Waits]
"""Makes the waits in µs of this many tasks, in the order of their arrival."""

_SERVICE_US = 1000


def _histogram(waits_us: Waits | Integers | Sequence[int]) -> Histogram:
    histogram = Histogram()
    if len(waits_us):
        histogram.record_many(np.asarray(waits_us).astype(np.int64))
    return histogram


def _table(
    waits: Sequence[Histogram], interval: Interval = Interval.QUEUE_WAIT
) -> dict[tuple[Interval, str], Histogram]:
    """Sub-queues ``0``, ``1`` and so on, highest priority first, with waits of one interval."""
    empty = Histogram()
    return {
        (each, str(number)): histogram if each is interval else empty
        for each in Interval
        for number, histogram in enumerate(waits)
    }


def _inverted(waits: Sequence[Histogram], *, is_drain: bool = False) -> list[tuple[str, str]]:
    """Pairs of the higher and the lower sub-queue."""
    names = [str(number) for number in range(len(waits))]
    found = find_inversions(_table(waits), names, is_drain=is_drain)
    return [(each.higher, each.lower) for each in found or []]


# Simulated runs.


def first_in_first_out(load: float, batch: int = 1) -> Simulation:
    """One server, exponential service; batches arrive as a Poisson process (Lindley's recursion).

    Each wait also has the time in which a worker wakes up.
    """

    def simulate(random: np.random.Generator, tasks: int) -> Waits:
        batches = tasks // batch
        gaps = random.exponential(batch * _SERVICE_US / load, batches)
        service = random.exponential(_SERVICE_US, (batches, batch))
        steps = np.concatenate([[0.0], np.cumsum(service.sum(1)[:-1] - gaps[1:])])
        begins = steps - np.minimum.accumulate(steps)
        within = np.cumsum(service, 1) - service
        wake_up = random.lognormal(5.0, 0.3, batches * batch)
        return (begins[:, None] + within).ravel() + wake_up

    return simulate


def drain(random: np.random.Generator, tasks: int) -> Waits:
    """Everything was enqueued before the first task was served."""
    return np.cumsum(random.exponential(_SERVICE_US, tasks))


def drawn_at_random(random: np.random.Generator, each: int, queues: int) -> list[Waits]:
    """A drain that takes every task from a sub-queue at random, among those that have any."""
    left = random.multinomial(each * queues, [1 / queues] * queues)
    turns = [np.cumsum(random.exponential(queues, count)) for count in left]
    served = np.sort(np.concatenate(turns))
    return [_SERVICE_US * np.searchsorted(served, own).astype(np.float64) for own in turns]


SIMULATIONS = {
    "load 0.5": first_in_first_out(0.5),
    "load 0.8": first_in_first_out(0.8),
    "load 0.95": first_in_first_out(0.95),
    "batches of 8": first_in_first_out(0.8, batch=8),
    "batches of 32": first_in_first_out(0.95, batch=32),
    "drain": drain,
}
_RUNS = 200


def _by_queue(simulate: Simulation, seed: int, each: int, queues: int) -> list[Waits]:
    """The waits of sub-queues that the same server serves alike; a task's is drawn at random."""
    random = np.random.default_rng([seed, each, queues])
    waits = simulate(random, each * queues)
    drawn = random.integers(queues, size=len(waits))
    return [waits[drawn == number] for number in range(queues)]


@pytest.mark.parametrize("offset", [1.0, 1.02])
def test_sub_queues_that_are_served_alike_have_no_inversion(
    trial_count: TrialCount, offset: float
) -> None:
    """At most in 1% of runs, even if the first sub-queue always waits 2% longer."""
    cases = [
        (name, each, queues) for name in SIMULATIONS for each in (2000, 20_000) for queues in (2, 4)
    ]
    runs = wrong = 0
    for name, each, queues in cases:
        for seed in range(trial_count(4, _RUNS)):
            first, *others = _by_queue(SIMULATIONS[name], seed, each, queues)
            waits = [_histogram(own) for own in (first * offset, *others)]
            wrong += bool(_inverted(waits, is_drain=name == "drain"))
            runs += 1
    assert wrong <= 0.01 * runs


@pytest.mark.parametrize(("each", "queues"), [(2000, 4), (10_000, 2)])
def test_a_drain_that_draws_at_random_has_no_inversion(
    trial_count: TrialCount, each: int, queues: int
) -> None:
    """By chance one sub-queue got more tasks, and so waits longer."""
    runs = trial_count(60, 1000)
    random = np.random.default_rng(each)
    wrong = sum(
        bool(
            _inverted(
                [_histogram(own) for own in drawn_at_random(random, each, queues)], is_drain=True
            )
        )
        for _ in range(runs)
    )
    assert wrong <= 0.01 * runs


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("load 0.5", 5000),
        ("load 0.8", 3000),
        ("load 0.95", 2000),
        ("batches of 8", 3000),
        ("batches of 32", 2000),
        ("drain", 3000),
    ],
)
def test_waits_that_are_longer_by_a_fifth_are_found(
    trial_count: TrialCount, name: str, each: int
) -> None:
    """In 95% of runs and more; with 5,000 tasks a sub-queue at every load."""
    for queues in (2, 4):
        runs = trial_count(20, _RUNS)
        hits = 0
        for seed in range(runs):
            first, *others = _by_queue(SIMULATIONS[name], seed, each, queues)
            waits = [_histogram(own) for own in (first * 1.2, *others)]
            hits += any(high == "0" for high, _ in _inverted(waits, is_drain=name == "drain"))
        assert hits >= 0.95 * runs


def _weighted(seed: int, weights: Sequence[int], shares: Sequence[int], load: float) -> list[Waits]:
    """Waits of each sub-queue where one server draws them by weight; exponential service."""
    random = np.random.Generator(np.random.Philox(seed))
    tasks = 6000
    arrived_us = np.cumsum(random.exponential(_SERVICE_US / load, tasks))
    queue = random.choice(len(shares), tasks, p=np.array(shares) / sum(shares))
    service_us = random.exponential(_SERVICE_US, tasks)
    waiting: list[list[int]] = [[] for _ in shares]
    waits: list[list[float]] = [[] for _ in shares]
    now_us, coming = 0.0, 0
    while coming < tasks or any(waiting):
        if not any(waiting):
            now_us = max(now_us, arrived_us[coming])
        while coming < tasks and arrived_us[coming] <= now_us:
            waiting[queue[coming]].append(coming)
            coming += 1
        chances = np.array(
            [bool(own) * weight for own, weight in zip(waiting, weights, strict=True)], float
        )
        chosen = int(np.searchsorted(np.cumsum(chances), random.random() * chances.sum(), "right"))
        task = waiting[chosen].pop(0)
        waits[chosen].append(now_us - arrived_us[task])
        now_us += service_us[task]
    return [np.array(own) for own in waits]


@pytest.mark.slow
@pytest.mark.parametrize("load", [0.7, 0.95, 1.3])
@pytest.mark.parametrize(
    ("weights", "shares"), [((2, 1), (1, 1)), ((6, 3, 1), (1, 1, 1)), ((6, 3, 1), (1, 2, 7))]
)
def test_drawing_by_weight_is_no_inversion_where_the_weights_put_sub_queues_in_order(
    trial_count: TrialCount, weights: Sequence[int], shares: Sequence[int], load: float
) -> None:
    """In 99% of runs and more: even where the higher sub-queue has as large a share of the load."""
    runs = trial_count(8, 200)
    found = sum(
        bool(_inverted([_histogram(own) for own in _weighted(seed, weights, shares, load)]))
        for seed in range(runs)
    )
    assert found <= runs * 0.01


# Tables of cases.


def evenly(low_us: int, high_us: int, count: int = 4000) -> Histogram:
    """Waits at equal distances between two values."""
    return _histogram(np.linspace(low_us, high_us, count).astype(np.int64))


FAST, SLOW = evenly(1000, 2000), evenly(2000, 4000)
EMPTY = Histogram()


@pytest.mark.parametrize(
    ("waits", "inverted"),
    [
        ([SLOW, FAST], [("0", "1")] * 3),
        ([FAST, SLOW], []),
        ([FAST, FAST], []),
        ([EMPTY, FAST, SLOW], []),
        ([EMPTY, SLOW, FAST], [("1", "2")] * 3),
        ([SLOW, EMPTY, FAST], [("0", "2")] * 3),
        ([FAST, SLOW, FAST], [("1", "2")] * 3),
        ([evenly(1025, 2050), FAST], []),  # less than the margin
        ([evenly(2000, 4000, 999), FAST], [("0", "1")] * 2),  # p50 and p90: p99 needs 1,000
        ([evenly(2000, 4000, 99), FAST], [("0", "1")]),
        ([SLOW, evenly(1000, 2000, 20)], [("0", "1")]),
        ([_histogram([2] * 4000), _histogram([1] * 4000)], []),  # one µs: the clock's resolution
        ([_histogram([3] * 4000), _histogram([1] * 4000)], [("0", "1")] * 3),
        ([_histogram([20] * 4000), _histogram([-5] * 4000)], [("0", "1")] * 3),
    ],
)
def test_an_inversion_is_a_longer_wait_of_the_higher_priority(
    waits: list[Histogram], inverted: list[tuple[str, str]]
) -> None:
    assert _inverted(waits) == inverted


@pytest.mark.parametrize(
    "waits", [[], [SLOW], [EMPTY, EMPTY], [SLOW, EMPTY], [SLOW, evenly(1000, 2000, 19)]]
)
def test_too_few_samples_are_not_judged(waits: list[Histogram]) -> None:
    names = [str(number) for number in range(len(waits))]
    assert find_inversions(_table(waits), names) is None


def test_alike_is_a_finding_and_differs_from_not_judged() -> None:
    assert find_inversions(_table([FAST, FAST]), ["0", "1"]) == []


def test_both_waits_and_the_least_difference_are_given() -> None:
    median, *_ = find_inversions(_table([SLOW, FAST]), ["0", "1"]) or []
    assert (median.statistic, median.interval) == ("p50", "queue_wait")
    assert (median.higher, median.lower) == ("0", "1")
    assert median.higher_s == pytest.approx(0.003, rel=1e-3)
    assert median.lower_s == pytest.approx(0.0015, rel=1e-3)
    assert 0.0014 < median.least_difference_s < 0.0015


@pytest.mark.parametrize(("error_us", "is_found"), [(0, True), (300, True), (1000, False)])
def test_clocks_that_may_disagree_by_the_difference_explain_it(
    error_us: float, is_found: bool
) -> None:
    """Of 1.5 ms at p50 and 2 ms at p99."""
    found = find_inversions(_table([SLOW, FAST]), ["0", "1"], clock_error_us=error_us)
    assert bool(found) == is_found


@pytest.mark.parametrize(("width_us", "is_found"), [(0, True), (500, True), (2500, False)])
def test_an_end_that_is_seen_late_explains_a_difference(width_us: int, is_found: bool) -> None:
    """What tasks waited for certain is the shortest e2e that the observation allows."""
    found = find_inversions(
        {
            **_table([SLOW, FAST], Interval.E2E),
            (Interval.E2E_EARLIEST, "0"): evenly(2000 - width_us, 4000 - width_us),
            (Interval.E2E_EARLIEST, "1"): evenly(500, 1000),
        },
        ["0", "1"],
    )
    assert found is not None
    assert bool(found) == is_found
    assert {(each.interval, each.statistic) for each in found[:1]} <= {("e2e", "p50")}


def test_the_end_to_end_latency_is_not_looked_at_where_the_wait_was_measured() -> None:
    slower_service = _table([SLOW, FAST], Interval.E2E)
    waits = {key: each for key, each in _table([FAST, FAST]).items() if each.count}
    assert find_inversions({**slower_service, **waits}, ["0", "1"]) == []


def test_a_difference_of_three_microseconds_is_no_inversion() -> None:
    """Of this record the first sub-queue waited 176 µs at the median, its last one 173 µs."""
    record = run_record.load(EARLIER_RECORD)
    waits = [decode(record.latency["queue_wait"][queue].hdr) for queue in record.queues]
    assert record.inversions is None
    assert _inverted(waits) == []


def _inversion(statistic: str, interval: str = "queue_wait", low: str = "low") -> Inversion:
    return Inversion(
        statistic=statistic,
        interval=interval,
        higher="high",
        higher_s=0.534,
        lower=low,
        lower_s=0.211,
        least_difference_s=0.3,
    )


@pytest.mark.parametrize(
    ("found", "is_drain", "expected"),
    [
        ([], True, []),
        (
            [_inversion("p50"), _inversion("p50", low="lowest"), _inversion("p99")],
            False,
            [
                "high waited longer than low (queue_wait p50 534 ms against 211 ms, p99 534 ms "
                "against 211 ms)",
                "high waited longer than lowest (queue_wait p50 534 ms against 211 ms)",
            ],
        ),
        (
            [_inversion("p90", "e2e")],
            False,
            ["high took longer than low (e2e p90 534 ms against 211 ms)"],
        ),
        (
            [_inversion("p50", "e2e")],
            True,
            ["low was served before high (e2e p50 211 ms against 534 ms)"],
        ),
        (
            [_inversion("p99")],
            True,
            ["high waited longer than low (queue_wait p99 534 ms against 211 ms)"],
        ),
    ],
)
def test_a_pair_is_named_once_with_all_statistics(
    found: list[Inversion], is_drain: bool, expected: list[str]
) -> None:
    assert clauses(found, is_drain=is_drain) == expected
