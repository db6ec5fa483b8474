"""When figures are back, on series with known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.fine_recorder import latency_bounds
from bench.measure.fine_rows import ROW_US
from bench.measure.gaps import Gap, longest_gap
from bench.measure.recovery import HOLD_US, Disturbance, FaultSpan, Recovery, recoveries
from bench.measure.recovery_figures import BacklogFigure, ObjectiveFigure, RateFigure

S = 1_000_000
LENGTH_S = 20
ROWS = LENGTH_S * S // ROW_US


def rate_figure(shares: list[tuple[float, float, float]], per_s: int, seed: int) -> RateFigure:
    """Poisson events of a rate, and of a share of it from one second to another."""
    expected = np.full(ROWS, per_s * ROW_US / S)
    for begin_s, end_s, share in shares:
        expected[round(begin_s * 100) : round(end_s * 100)] *= share
    rows = np.random.default_rng(seed).poisson(expected)
    return RateFigure(rows, np.ones(ROWS), LENGTH_S * S)


def after_s(
    figure: RateFigure | ObjectiveFigure | BacklogFigure, *faults: FaultSpan
) -> list[object]:
    """When the figure was back after each fault, in seconds; words where there is no such time."""
    found = recoveries(faults, figure, 0)  # type: ignore[misc] # any of the three
    return [_shown(each) for each in found]


def _shown(found: Recovery) -> object:
    if not found.has_level:
        return "no level"
    return "never" if found.after_us is None else found.after_us / S


@given(
    per_s=st.sampled_from([500, 1000, 5000, 20_000]),
    share=st.sampled_from([0.0, 0.1]),
    begin=st.integers(200, 900),
    length=st.integers(20, 600),
    seed=st.integers(0, 1 << 32),
)
def test_a_rate_is_back_within_a_tenth_of_a_second_of_the_truth(
    per_s: int, share: float, begin: int, length: int, seed: int
) -> None:
    began_s, back_s = begin / 100, (begin + length) / 100
    figure = rate_figure([(began_s, back_s, share)], per_s, seed)
    (found,) = after_s(figure, FaultSpan(begin * ROW_US, begin * ROW_US))
    assert found == pytest.approx(length / 100, abs=0.1)


@given(seed=st.integers(0, 1 << 32), per_s=st.sampled_from([200, 1000, 10_000]))
def test_a_rate_that_no_fault_disturbs_is_back_at_once(seed: int, per_s: int) -> None:
    (found,) = after_s(rate_figure([], per_s, seed), FaultSpan(8 * S, 9 * S))
    assert found == 0.0


def test_what_begins_late_but_within_the_time_to_hold_counts_and_what_is_later_does_not() -> None:
    fault = FaultSpan(5 * S, 6 * S)
    assert after_s(rate_figure([(7.5, 9, 0)], 2000, 1), fault) == [pytest.approx(4.0, abs=0.05)]
    assert after_s(rate_figure([(8.5, 9, 0)], 2000, 1), fault) == [0.0]
    in_a_row = rate_figure([(5, 6, 0), (7, 7.5, 0), (9, 10, 0)], 2000, 1)
    assert after_s(in_a_row, fault) == [pytest.approx(5.0, abs=0.05)]


def test_without_time_before_it_a_fault_has_no_level_and_without_time_after_it_no_recovery() -> (
    None
):
    figure = rate_figure([(19, 19.8, 0)], 2000, 1)
    assert after_s(figure, FaultSpan(S // 4, S // 4)) == ["no level"]
    assert after_s(figure, FaultSpan(19 * S, 19 * S)) == ["never"]
    assert after_s(rate_figure([(10, 20, 0.2)], 2000, 1), FaultSpan(10 * S, 12 * S)) == ["never"]
    assert after_s(rate_figure([(0, 10, 0)], 2000, 1), FaultSpan(10 * S, 12 * S)) == ["no level"]


def test_a_fault_during_another_one_has_the_level_from_before_both() -> None:
    figure = rate_figure([(6, 9, 0.1), (9, 12, 0.3)], 2000, 2)
    found = after_s(figure, FaultSpan(6 * S, 6 * S), FaultSpan(9 * S, 10 * S))
    assert found == [pytest.approx(6.0, abs=0.05), pytest.approx(3.0, abs=0.05)]
    lasting = after_s(figure, FaultSpan(6 * S, None))
    assert lasting == [pytest.approx(6.0, abs=0.05)]


def test_a_level_follows_a_schedule_that_changes() -> None:
    """Half the rate from 10 s on, as planned, is no disturbance."""
    expected = np.where(np.arange(ROWS) < 1000, 20.0, 10.0)
    rows = np.random.default_rng(3).poisson(np.where((np.arange(ROWS) // 100) == 8, 0, expected))
    figure = RateFigure(rows, expected, LENGTH_S * S)
    assert after_s(figure, FaultSpan(8 * S, 8 * S)) == [pytest.approx(1.0, abs=0.05)]


def objective_figure(
    slow: list[tuple[float, float, float]], silent: tuple[float, float], per_s: int, seed: int
) -> ObjectiveFigure:
    """0.3% of the tasks are above the limit, and a share of them from one second to another."""
    random = np.random.default_rng(seed)
    per_row, share = np.full(ROWS, per_s / 100), np.full(ROWS, 0.003)
    for begin_s, end_s, value in slow:
        share[round(begin_s * 100) : round(end_s * 100)] = value
    per_row[round(silent[0] * 100) : round(silent[1] * 100)] = 0
    tasks = random.poisson(per_row)
    (bound,) = latency_bounds(["e2e.p99 < 50ms"])
    return ObjectiveFigure(bound, tasks, random.binomial(tasks, share), LENGTH_S * S)


@given(
    per_s=st.sampled_from([500, 1000, 5000]),
    silent=st.integers(0, 300),
    slow=st.integers(20, 400),
    seed=st.integers(0, 1 << 32),
)
def test_an_objective_is_met_again_once_what_waited_has_ended(
    per_s: int, silent: int, slow: int, seed: int
) -> None:
    """Nothing ends for a while, then tasks that have waited end late."""
    over_s = 6 + silent / 100
    back_s = over_s + slow / 100
    figure = objective_figure([(over_s, back_s, 0.95)], (6, over_s), per_s, seed)
    (found,) = after_s(figure, FaultSpan(6 * S, round(over_s * S)))
    assert found == pytest.approx(back_s - 6, abs=0.1)


def test_an_objective_that_was_missed_before_has_no_level() -> None:
    figure = objective_figure([(0, 20, 0.05)], (0, 0), 1000, 4)
    assert after_s(figure, FaultSpan(6 * S, 7 * S)) == ["no level"]


@pytest.mark.parametrize(
    ("expression", "values_us", "most"),
    [
        ("e2e.p99 < 50ms", [49_999, 50_000, 50_001], [0, 1, 1]),
        ("e2e.p99 <= 50ms", [49_999, 50_000, 50_001], [0, 0, 1]),
        ("e2e.max < 50ms", [49_999, 50_000, 50_001], [0, 1, 1]),
        ("e2e.mean < 50ms", [10, 20, 30], [10, 20, 30]),
    ],
)
def test_what_a_latency_adds_to_the_total_that_decides(
    expression: str, values_us: list[int], most: list[int]
) -> None:
    (bound,) = latency_bounds([expression])
    assert bound.exceeded_by(np.array(values_us)).tolist() == most


def test_of_a_hundred_tasks_one_may_be_above_a_p99_and_of_99_none() -> None:
    (bound,) = latency_bounds(["e2e.p99 < 50ms"])
    assert bound.most(np.array([99.0, 100.0, 199.0, 200.0])).tolist() == [0, 1, 1, 2]
    (longest,) = latency_bounds(["e2e.max < 1s"])
    assert longest.most(np.array([1000.0])).tolist() == [0]


def test_only_upper_bounds_of_latencies_are_judged_over_time() -> None:
    assert (
        latency_bounds(["enqueue.rate > 9/s", "lost == 0", "e2e.min > 1us", "e2e.p50 > 1s"]) == []
    )


def backlog_figure(high: tuple[float, float], mean: float = 8.0, seed: int = 0) -> BacklogFigure:
    at_us = np.arange(0, LENGTH_S * S, 50_000)
    pending = np.random.default_rng(seed).poisson(mean, len(at_us))
    pending[(at_us >= high[0] * S) & (at_us < high[1] * S)] += 500
    return BacklogFigure(at_us, pending, 1000.0)


@given(seed=st.integers(0, 1 << 32), length=st.integers(3, 100))
def test_a_backlog_is_back_within_a_sample_of_the_truth(seed: int, length: int) -> None:
    figure = backlog_figure((6, 6 + length / 20), seed=seed)
    (found,) = after_s(figure, FaultSpan(6 * S, 6 * S))
    assert found == pytest.approx(length / 20, abs=0.1)


def test_a_batch_that_waits_for_a_moment_is_no_disturbance() -> None:
    assert after_s(backlog_figure((6, 6.1)), FaultSpan(6 * S, 6 * S)) == [0.0]
    assert after_s(backlog_figure((6, 6.2)), FaultSpan(6 * S, 6 * S)) == [0.2]


def test_a_backlog_that_was_growing_has_no_level() -> None:
    at_us = np.arange(0, LENGTH_S * S, 50_000)
    figure = BacklogFigure(at_us, at_us // 10_000, 1000.0)
    assert after_s(figure, FaultSpan(6 * S, 7 * S)) == ["no level"]
    empty = BacklogFigure(at_us[:0], at_us[:0], 1000.0)
    assert after_s(empty, FaultSpan(6 * S, 7 * S)) == ["no level"]


def test_a_disturbance_from_before_the_fault_is_not_its_own() -> None:
    assert Disturbance(1, 2).end_us == 2
    assert after_s(rate_figure([(3, 3.5, 0)], 2000, 5), FaultSpan(10 * S, 10 * S)) == [0.0]
    assert HOLD_US == 2 * S


def events(*moments_ms: int) -> np.ndarray:
    rows = np.zeros(1000, np.int64)
    np.add.at(rows, np.array(moments_ms, np.int64) // 10, 1)
    return rows


@pytest.mark.parametrize(
    ("moments_ms", "fault", "gap"),
    [
        ([0, 100, 600, 700], (200, 500), Gap(500_000, 500_000)),
        ([0, 100, 600, 700], (100, 100), Gap(500_000, 500_000)),
        ([0, 100, 600, 700, 800, 900], (650, 660), Gap(100_000, 100_000)),
        ([0, 100, 900, 910], (905, 906), Gap(800_000, 800_000)),
        ([0, 100], (200, 500), Gap(None, 900_000)),
        ([0, 100], (200, None), Gap(None, 900_000)),
        ([0, 100, 600, 700, 900], (200, None), Gap(500_000, 500_000)),
        ([0, 100, 300], (200, None), Gap(None, 700_000)),
        ([600, 700], (200, 500), Gap(None, 600_000)),
        ([], (200, 500), Gap(None, 1_000_000)),
    ],
)
def test_the_longest_gap_touches_the_fault(
    moments_ms: list[int], fault: tuple[int, int | None], gap: Gap
) -> None:
    began, ended = fault
    span = FaultSpan(began * 1000, None if ended is None else ended * 1000)
    assert longest_gap(events(*moments_ms), span, 1_000_000) == gap


@pytest.mark.parametrize(
    ("moments_ms", "gap"),
    [
        ([10, 20, 30, 40, 50, 60, 70, 80, 600, 610], Gap(520_000, 520_000)),
        ([10, 20, 30, 40, 50, 60, 70, 80], Gap(None, 920_000)),
        ([*range(0, 400, 10), 800], Gap(10_000, 10_000)),
    ],
    ids=["until-the-next-event", "until-the-end", "one-that-begins-later-is-not-of-it"],
)
def test_what_was_under_way_may_still_come_before_the_gap_of_a_fault_begins(
    moments_ms: list[int], gap: Gap
) -> None:
    """A worker was killed at 50 ms; an observer sees until 80 ms what it had ended."""
    span = FaultSpan(50_000, 50_200)
    assert longest_gap(events(*moments_ms), span, 1_000_000) == gap


def test_what_a_killed_worker_may_have_done_since_its_last_report_makes_a_gap_a_bound() -> None:
    rows, fault = events(0, 100, 1100), FaultSpan(300_000, 300_000)
    assert longest_gap(rows, fault, 2_000_000, [(80_000, 300_000)]) == Gap(1_000_000, 800_000)
    assert longest_gap(rows, fault, 2_000_000, [(5_000_000, 6_000_000)]).at_least_us == 1_000_000
