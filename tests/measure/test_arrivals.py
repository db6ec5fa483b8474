"""Right schedules pass, and wrong ones do not: arrivals are made here, and judged as sent."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrays import Integers
from bench.measure import send_times
from bench.measure.arrivals import Arrivals, Asked, Outcome, Sends, judge
from bench.measure.send_times import SendTimes, points_every
from bench.measure.summary import add_bins
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario
from bench.workload.tick import TICK_US, tick_us
from tests.seconds import in_seconds

PRODUCER_TICK_S = TICK_US / 1e6


def scenario(arrivals: str = "poisson", rate: float = 1000, **fields: object) -> Scenario:
    load = {} if "stages" in fields else {"rate": rate, "duration": 10}
    chosen = {"queues": {"a_b": 1}, "arrivals": arrivals, **load, **fields}
    return resolve(in_seconds(chosen))


def poisson_us(per_s: float, duration_s: float, seed: int) -> Integers:
    """Due times that no code of the program has made."""
    generator = np.random.default_rng(seed)
    times_s = np.cumsum(generator.exponential(1 / per_s, int(per_s * duration_s * 1.2)))
    return (times_s[times_s < duration_s] * 1e6).astype(np.int64)


def even_us(per_s: float, duration_s: float) -> Integers:
    return (np.arange(int(per_s * duration_s)) * 1e6 / per_s).astype(np.int64)


def in_ticks(due_us: Integers, tick_us: int = TICK_US) -> Integers:
    """When a producer sends that looks once a tick."""
    return -(-due_us // tick_us) * tick_us


def judged(asked: Scenario, due_us: Integers, sent_us: Integers) -> Arrivals:
    """What is found of these tasks, as several producers in turn send them."""
    resolution_us = tick_us(asked)
    samples, bins = [], []
    for producer in range(asked.producers):
        own = slice(producer, None, asked.producers)
        collector = SendTimes.of(asked, producer, resolution_us, 0)
        assert collector is not None
        sequence = np.arange(len(due_us[own]))
        for start in range(0, len(sequence), 1000):
            part = slice(start, start + 1000)
            collector.count(sequence[part], due_us[own][part], sent_us[own][part])
        samples.append(collector.sample())
        bins.append(collector.by_bin())
    end_s = asked.planned_duration_s or 0.0
    is_trace = asked.trace is not None
    return judge(
        Asked(
            asked.arrivals,
            None if is_trace else asked.profile,
            resolution_us,
            points_every(asked, resolution_us),
        ),
        Sends(
            send_times.merged(samples),
            add_bins(bins),
            0.0,
            end_s * 1e6,
        ),
    )


@pytest.mark.parametrize("rate", [100, 1000, 5000, 20_000])
@pytest.mark.parametrize("producers", [1, 3])
def test_a_poisson_process_sent_in_ticks_is_as_asked(rate: float, producers: int) -> None:
    due_us = poisson_us(rate, 10, seed=int(rate))
    found = judged(scenario(rate=rate, producers=producers), due_us, in_ticks(due_us))
    assert (found.outcome, found.reason) == (Outcome.AS_ASKED, "")


@pytest.mark.parametrize("rate", [100, 1000, 20_000])
def test_even_spacing_sent_in_ticks_is_as_asked(rate: float) -> None:
    due_us = even_us(rate, 10)
    found = judged(scenario("constant", rate), due_us, in_ticks(due_us))
    assert (found.outcome, found.reason) == (Outcome.AS_ASKED, "")
    assert (found.off_p99_s or 0) <= PRODUCER_TICK_S


def test_a_ramp_of_random_arrivals_is_as_asked() -> None:
    asked = scenario(stages=[{"from": "200/s", "to": "2000/s", "duration": "10s"}])
    units = np.cumsum(np.random.default_rng(5).exponential(1, 13_000))
    due_us = (asked.profile.time_of(units[units < asked.profile.total]) * 1e6).astype(np.int64)
    assert judged(asked, due_us, in_ticks(due_us)).outcome is Outcome.AS_ASKED


@pytest.mark.slow
def test_false_alarms_at_a_right_schedule_are_rarer_than_one_in_a_hundred() -> None:
    """A ten-thousandth of each check is allowed."""
    outcomes: Counter[Outcome] = Counter()
    for seed in range(300):
        due_us = poisson_us(300, 4, seed)
        outcomes[judged(scenario(rate=300, duration=4), due_us, in_ticks(due_us)).outcome] += 1
    assert outcomes[Outcome.AS_ASKED] >= 299, outcomes


WRONG: dict[str, Callable[[Integers], Integers]] = {
    "evenly spaced, not random": lambda due_us: even_us(1000, 10),
    "in pairs": lambda due_us: np.repeat(due_us[::2], 2),
    "gaps half as variable": lambda due_us: np.sort(
        (due_us + even_us(1000, 11)[: len(due_us)]) // 2
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_schedule_that_is_no_poisson_process_is_not_as_asked(wrong: str) -> None:
    due_us = WRONG[wrong](poisson_us(1000, 10, seed=8))
    found = judged(scenario(), due_us, in_ticks(due_us))
    assert found.outcome is Outcome.NOT_AS_ASKED
    assert "by schedule" in found.reason


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize("drift", [0.01, -0.01])
def test_a_rate_that_is_a_hundredth_off_is_not_as_asked(arrivals: str, drift: float) -> None:
    """Sends by a clock that is slow, or fast, against the schedule's."""
    due_us = even_us(1000, 10) if arrivals == "constant" else poisson_us(1000, 10, seed=9)
    sent_us = in_ticks((due_us * (1 + drift)).astype(np.int64))
    found = judged(scenario(arrivals), due_us, sent_us)
    assert found.outcome is Outcome.NOT_AS_ASKED
    assert f"the rate is 1.0% {'lower' if drift > 0 else 'higher'}" in found.reason


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_sends_in_clumps_of_twenty_milliseconds_are_not_as_asked(arrivals: str) -> None:
    due_us = even_us(300, 10) if arrivals == "constant" else poisson_us(300, 10, seed=9)
    found = judged(scenario(arrivals, 300), due_us, in_ticks(due_us, 20_000))
    assert found.outcome is Outcome.NOT_AS_ASKED
    assert "differ from the schedule's by more than 5.00 ms" in found.reason


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_sends_in_clumps_of_four_milliseconds_are_uneven(arrivals: str) -> None:
    due_us = even_us(1000, 10) if arrivals == "constant" else poisson_us(1000, 10, seed=9)
    found = judged(scenario(arrivals), due_us, in_ticks(due_us, 4000))
    assert found.outcome is Outcome.UNEVEN
    assert found.due is None or not found.due.misfits()


def test_one_long_stall_makes_a_schedule_neither_uneven_nor_wrong() -> None:
    """Lateness has rules of its own in the verdict."""
    due_us = poisson_us(1000, 10, seed=3)
    sent_us = np.where((due_us > 4e6) & (due_us < 4.1e6), 4_100_000, in_ticks(due_us))
    assert judged(scenario(), due_us, sent_us).outcome is Outcome.AS_ASKED


def test_many_samples_of_a_deviation_without_meaning_are_as_asked() -> None:
    """A gap in fifty is doubled: of 60,000 gaps the p value is tiny, and the effect small."""
    gaps = np.random.default_rng(4).exponential(1, 60_000)
    gaps[::50] *= 2
    due_us = (np.cumsum(gaps / gaps.mean()) * 1000).astype(np.int64)
    found = judged(scenario(duration=60), due_us, in_ticks(due_us))
    assert found.outcome is Outcome.AS_ASKED


def test_a_few_gaps_are_not_judged() -> None:
    found = judged(scenario("constant", 4), even_us(4, 10), even_us(4, 10))
    assert (found.outcome, found.gaps) == (Outcome.NOT_JUDGED, 0)
    assert found.reason == "there are 39 gaps between tasks, too few to judge"


@given(producers=st.integers(1, 7), tasks=st.integers(60, 3000), seed=st.integers(0, 99))
def test_several_producers_are_judged_as_one_that_sends_the_same(
    producers: int, tasks: int, seed: int
) -> None:
    due_us = poisson_us(1000, 10, seed)[:tasks]
    one = judged(scenario(), due_us, in_ticks(due_us))
    several = judged(scenario(producers=producers), due_us, in_ticks(due_us))
    assert one == several


def test_a_sample_is_of_bounded_size_and_has_the_same_tasks_of_every_producer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(send_times, "MOST_POINTS", 4096)
    due_us = even_us(10_000, 10)
    asked = scenario("constant", 10_000, producers=3)
    samples = []
    for producer, share in enumerate((1.0, 0.2, 1.0)):  # the second one ends early
        own = due_us[producer :: asked.producers]
        own = own[: int(len(own) * share)]
        collector = SendTimes.of(asked, producer, 300, 0)
        assert collector is not None
        for start in range(0, len(own), 500):
            part = own[start : start + 500]
            collector.count(start + np.arange(len(part)), part, part + 7)
        samples.append(collector.sample())
        assert len(send_times.unpacked(samples[-1]).numbers) <= 4096 // 3
    assert len({each.level for each in samples}) == 2
    points = send_times.merged(samples)
    assert (points.sent_us - points.due_us == 7).all()
    assert (due_us[points.numbers] == points.due_us).all()
    until = points.numbers[points.numbers < 15_000]
    assert np.count_nonzero(np.diff(until) == 1) >= 0.9 * len(until)  # blocks are whole


def test_a_closed_loop_has_no_sample() -> None:
    closed = resolve({"queues": {"a_b": 1}, "rate": "max", "duration": "1s"})
    assert SendTimes.of(closed, 0, 300, 0) is None
