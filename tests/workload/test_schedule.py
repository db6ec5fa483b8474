"""When tasks are due: arithmetic, so tables and integrals."""

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrays import Floats, Integers
from bench.workload.schedule import CHUNK, RateProfile, RateStage, arrivals, unscheduled

RATES = st.one_of(st.just(0.0), st.floats(1, 1000))
STAGES = st.lists(
    st.builds(RateStage, duration_s=st.floats(0.1, 20), start_per_s=RATES, end_per_s=RATES),
    min_size=1,
    max_size=4,
).filter(lambda stages: any(stage.start_per_s or stage.end_per_s for stage in stages))
KINDS: list[Literal["constant", "poisson"]] = ["constant", "poisson"]


def steady(rate_per_s: float, duration_s: float = math.inf) -> RateProfile:
    return RateProfile([RateStage(duration_s, rate_per_s, rate_per_s)])


def due_times(chunks: Iterable[tuple[Integers, Integers]]) -> list[int]:
    return [due for _, chunk in chunks for due in chunk.tolist()]


def integral(profile: RateProfile, stages: Sequence[RateStage], until_s: float) -> float:
    """Tasks due up to ``until_s``, from the rate alone: by midpoints, stage by stage."""
    area, begin = 0.0, 0.0
    for stage in stages:
        end = min(begin + stage.duration_s, until_s)
        if end > begin:
            step = (end - begin) / 16
            area += step * sum(profile.rate_at(begin + (n + 0.5) * step) for n in range(16))
        begin += stage.duration_s
    return area


@pytest.mark.parametrize(
    ("stages", "due_us"),
    [
        ([RateStage(1, 4, 4)], [0, 250_000, 500_000, 750_000]),
        ([RateStage(0.5, 10, 10)], [0, 100_000, 200_000, 300_000, 400_000]),
        ([RateStage(2, 1, 1)], [0, 1_000_000]),
        ([RateStage(2.5, 1, 1)], [0, 1_000_000, 2_000_000]),
        (
            [RateStage(1, 2, 2), RateStage(1, 4, 4)],
            [0, 500_000, 1_000_000, 1_250_000, 1_500_000, 1_750_000],
        ),
        (
            [RateStage(1, 2, 2), RateStage(3, 0, 0), RateStage(1, 2, 2)],
            [0, 500_000, 4_000_000, 4_500_000],
        ),
        ([RateStage(2, 0, 4)], [0, 1_000_000, 1_414_213, 1_732_050]),
        ([RateStage(2, 4, 0)], [0, 267_949, 585_786, 1_000_000]),
        ([RateStage(1, 0, 0)], []),
        ([RateStage(1, 0.5, 0.5)], [0]),
    ],
)
def test_evenly_spaced_tasks_are_due_at_these_times(
    stages: list[RateStage], due_us: list[int]
) -> None:
    assert due_times(arrivals(RateProfile(stages), "constant", seed=1)) == due_us


@pytest.mark.parametrize("rate_per_s", [1, 3, 850, 1000, 2000, 12345.6, 1e6])
def test_the_nth_task_of_a_steady_rate_is_due_after_n_gaps(rate_per_s: float) -> None:
    """To the microsecond, and without drift over three chunks."""
    due_us = due_times(arrivals(steady(rate_per_s), "constant", 1, limit=3 * CHUNK))
    exact_us = [n / rate_per_s * 1e6 for n in range(3 * CHUNK)]
    assert max(abs(due - exact) for due, exact in zip(due_us, exact_us, strict=True)) <= 1


@pytest.mark.parametrize("rate_per_s", [1, 3, 7, 49, 64, 850, 1000, 2000, 15_625, 10**6])
def test_a_due_time_is_the_exact_one_rounded_down(rate_per_s: int) -> None:
    """Floating point does not make a task due a microsecond before its time."""
    due_us = due_times(arrivals(steady(rate_per_s), "constant", 1, limit=3 * CHUNK))
    assert due_us == [n * 10**6 // rate_per_s for n in range(3 * CHUNK)]


@pytest.mark.parametrize(
    ("rate_per_s", "duration_s", "count"),
    [(1000, 5, 5000), (2000, 18, 36_000), (10, 0.1, 1), (10, 0.3, 3), (3, 0.1, 1), (7, 1.1, 8)],
)
def test_a_steady_rate_has_as_many_tasks_as_begin_before_its_end(
    rate_per_s: float, duration_s: float, count: int
) -> None:
    assert len(due_times(arrivals(steady(rate_per_s, duration_s), "constant", 1))) == count


@pytest.mark.parametrize(
    ("time_s", "rate_per_s"),
    [(0, 10.0), (1.999, 10.0), (2, 0.0), (4, 20.0), (6, 40.0), (7, 20.0), (8, 0.0), (100, 0.0)],
)
def test_the_rate_follows_its_stages(time_s: float, rate_per_s: float) -> None:
    profile = RateProfile([RateStage(2, 10, 10), RateStage(4, 0, 40), RateStage(2, 40, 0)])
    assert profile.rate_at(time_s) == pytest.approx(rate_per_s)
    assert profile.duration_s == 8
    assert profile.total == pytest.approx(20 + 80 + 40)


@given(stages=STAGES, shares=st.lists(st.floats(0, 0.999), min_size=1, max_size=8))
def test_a_task_is_due_when_the_rate_has_added_up_to_its_number(
    stages: list[RateStage], shares: list[float]
) -> None:
    """Steps, ramps up, ramps down and silence, against numeric integration of the rate."""
    profile = RateProfile(stages)
    counts = np.array(shares) * profile.total
    times_s = profile.time_of(counts)
    added_up = [integral(profile, stages, time_s) for time_s in times_s.tolist()]
    assert added_up == pytest.approx(counts.tolist(), rel=1e-6, abs=1e-6)


@given(stages=STAGES)
def test_the_total_is_the_integral_of_the_rate(stages: list[RateStage]) -> None:
    profile = RateProfile(stages)
    assert profile.duration_s == pytest.approx(math.fsum(stage.duration_s for stage in stages))
    assert profile.total == pytest.approx(integral(profile, stages, math.inf))


def test_an_endless_profile_has_no_end_and_no_total() -> None:
    assert (steady(10).duration_s, steady(10).total) == (math.inf, math.inf)
    assert steady(10).rate_at(1e9) == 10


@pytest.mark.parametrize("kind", KINDS)
@given(stages=STAGES, seed=st.integers(0, 2**64))
def test_due_times_ascend_and_stay_within_the_profile(
    kind: Literal["constant", "poisson"], stages: list[RateStage], seed: int
) -> None:
    profile = RateProfile(stages)
    due_us = due_times(arrivals(profile, kind, seed))
    assert due_us == sorted(due_us)
    assert all(0 <= due <= profile.duration_s * 1e6 for due in due_us)


@given(stages=STAGES)
def test_evenly_spaced_tasks_are_as_many_as_the_rate_adds_up_to(stages: list[RateStage]) -> None:
    profile = RateProfile(stages)
    count = len(due_times(arrivals(profile, "constant", 1)))
    assert count == pytest.approx(profile.total, abs=1.001)
    assert count >= math.floor(profile.total)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("limit", [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7])
def test_a_limit_ends_the_schedule_after_that_many_tasks(
    kind: Literal["constant", "poisson"], limit: int
) -> None:
    chunks = list(arrivals(steady(1000), kind, 1, limit))
    sizes = [len(due_us) for _, due_us in chunks]
    assert sum(sizes) == limit
    assert [number for numbers, _ in chunks for number in numbers.tolist()] == list(range(limit))
    longer = due_times(arrivals(steady(1000), kind, 1, limit + 10))
    assert due_times(chunks) == longer[:limit]


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_beyond_the_end_changes_nothing(kind: Literal["constant", "poisson"]) -> None:
    whole = due_times(arrivals(steady(1000, 10), kind, 1))
    assert due_times(arrivals(steady(1000, 10), kind, 1, limit=10**9)) == whole
    assert len(whole) > CHUNK


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_schedule(kind: Literal["constant", "poisson"]) -> None:
    first, second = (due_times(arrivals(steady(1000, 20), kind, seed=5)) for _ in range(2))
    assert first == second


def test_another_seed_gives_another_poisson_schedule() -> None:
    first, second = (due_times(arrivals(steady(1000, 1), "poisson", seed)) for seed in (5, 6))
    assert first != second


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_poisson_gaps_are_exponential(seed: int) -> None:
    due_us = np.array(due_times(arrivals(steady(1000), "poisson", seed, limit=50_000)))
    gaps_us = np.diff(due_us, prepend=0)
    assert gaps_us.mean() == pytest.approx(1000, rel=0.03)
    assert gaps_us.std() == pytest.approx(1000, rel=0.03)
    assert (gaps_us > 1000).mean() == pytest.approx(math.exp(-1), abs=0.01)
    assert (gaps_us > 3000).mean() == pytest.approx(math.exp(-3), abs=0.005)
    assert abs(np.corrcoef(gaps_us[:-1], gaps_us[1:])[0, 1]) < 0.02


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_poisson_counts_vary_as_much_as_their_mean(seed: int) -> None:
    due_us = due_times(arrivals(steady(1000, 200), "poisson", seed))
    counts = np.bincount(np.array(due_us) // 100_000, minlength=2000)
    assert counts.mean() == pytest.approx(100, rel=0.02)
    assert counts.var() == pytest.approx(100, rel=0.15)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_poisson_gaps_on_a_ramp_are_exponential_once_the_ramp_is_undone(seed: int) -> None:
    """Λ of the due times is a Poisson process of rate one; here Λ(t) = 100 t + 245 t²."""
    due_s = (
        np.array(due_times(arrivals(RateProfile([RateStage(20, 100, 9900)]), "poisson", seed)))
        / 1e6
    )
    gaps = np.diff(100 * due_s + 245 * due_s**2)
    assert len(gaps) == pytest.approx(100_000, rel=0.02)
    assert gaps.mean() == pytest.approx(1, rel=0.02)
    assert gaps.std() == pytest.approx(1, rel=0.03)
    for half in (gaps[: len(gaps) // 2], gaps[len(gaps) // 2 :]):
        assert half.mean() == pytest.approx(1, rel=0.02)


Part = list[tuple[int, int]]


def tasks_in(parts: Iterable[tuple[Integers, Integers]]) -> Part:
    """(number, due time) of each task, in order."""
    return [
        task
        for numbers, due_us in parts
        for task in zip(numbers.tolist(), due_us.tolist(), strict=True)
    ]


def plain_schedule(
    profile: RateProfile, kind: Literal["constant", "poisson"], seed: int, count: int
) -> Part:
    """The first tasks of a schedule from its definition, all of them computed, for nobody alone."""
    generator = np.random.Generator(np.random.Philox(seed))
    reached, chunks = 0.0, list[Floats]()
    for _ in range(-(-count // CHUNK)):
        if kind == "poisson":
            chunks.append(reached + np.cumsum(generator.standard_exponential(CHUNK)))
        else:
            chunks.append(np.arange(reached, reached + CHUNK))
        reached = chunks[-1][-1] if kind == "poisson" else reached + CHUNK
    units = np.concatenate([*chunks, np.empty(0)])[:count]
    units = units[: np.searchsorted(units, profile.total * (1 - 1e-12) - 1e-9)]
    due_us = np.floor(profile.time_of(units) * 1e6 + 1e-3).astype(np.int64)
    return list(enumerate(due_us.tolist()))


@given(
    stages=STAGES,
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 2**64),
    limit=st.integers(0, 2 * CHUNK + 5),
    producers=st.one_of(st.integers(1, 33), st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1])),
)
def test_the_producers_shares_are_every_nth_task_of_the_schedule(
    stages: list[RateStage],
    kind: Literal["constant", "poisson"],
    seed: int,
    limit: int,
    producers: int,
) -> None:
    """To the last bit of each due time: together, they are the schedule without overlap or gap."""
    profile = RateProfile(stages)
    whole = plain_schedule(profile, kind, seed, limit)
    for producer in {*range(min(producers, 33)), producers - 1}:
        part = arrivals(profile, kind, seed, limit, producer=producer, producers=producers)
        assert tasks_in(part) == whole[producer::producers]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("producers", [1, 5, 32])
def test_a_share_holds_no_empty_pieces(
    producers: int, kind: Literal["constant", "poisson"]
) -> None:
    """So that the first task of a piece always exists."""
    profile = steady(1000, duration_s=0.003)
    for producer in range(producers):
        part = list(arrivals(profile, kind, 1, producer=producer, producers=producers))
        assert all(len(numbers) for numbers, _ in part)


@given(producers=st.integers(1, 7), limit=st.integers(0, 3 * CHUNK))
def test_a_closed_loop_is_shared_out_without_overlap_or_gap(producers: int, limit: int) -> None:
    """Every task of it is due at once."""
    parts = [tasks_in(unscheduled(each, producers, limit)) for each in range(producers)]
    for producer, part in enumerate(parts):
        assert [number for number, _ in part] == list(range(producer, limit, producers))
    assert {due_us for part in parts for _, due_us in part} <= {0}


@pytest.mark.parametrize("producer", [0, 1, 2])
def test_a_closed_loop_without_a_limit_goes_on(producer: int) -> None:
    parts = islice(unscheduled(producer, 3, None), 4)
    numbers = [number for number, _ in tasks_in(parts)]
    assert numbers == list(range(producer, 3 * len(numbers), 3))
    assert len(numbers) == 4 * CHUNK


@given(stages=STAGES, share=st.floats(-0.1, 1.1))
def test_the_number_of_tasks_due_by_a_moment_is_the_area_under_the_rate(
    stages: list[RateStage], share: float
) -> None:
    profile = RateProfile(stages)
    moment_s = share * profile.duration_s
    expected = integral(profile, stages, max(moment_s, 0.0))
    assert profile.count_at(moment_s) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_an_endless_rate_has_more_tasks_due_the_later_it_is() -> None:
    assert [steady(100).count_at(moment_s) for moment_s in (-1.0, 0.0, 2.5)] == [0, 0, 250]
