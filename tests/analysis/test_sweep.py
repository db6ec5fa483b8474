"""What the trials of a sweep say: their order, the time that they take, figures and curves."""

import collections

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis import sweep
from bench.measure.confidence import ConfidenceInterval
from bench.records.run_record import LatencySummary, Rates, Series
from bench.records.sweep_record import SweepFigure, SweepTrial
from tests.records.sweep_fixtures import (
    by_fields,
    by_prefetch,
    new_sweep,
    run_at,
    swept,
    with_limit,
)


@given(levels=st.integers(1, 30), repeat=st.integers(1, 8), seed=st.integers(0, 2**63))
def test_every_level_is_tried_once_before_any_is_repeated(
    levels: int, repeat: int, seed: int
) -> None:
    order = sweep.drawn_order(levels, repeat, seed)
    for start in range(0, levels * repeat, levels):
        assert sorted(order[start : start + levels]) == list(range(levels))
    assert order == sweep.drawn_order(levels, repeat, seed)


def test_the_order_is_another_one_for_each_repetition_and_by_the_seed() -> None:
    blocks = {tuple(sweep.drawn_order(8, 6, 7)[start : start + 8]) for start in range(0, 48, 8)}
    assert len(blocks) == 6
    assert sweep.drawn_order(8, 1, 1) != sweep.drawn_order(8, 1, 2)


def test_no_place_in_a_repetition_is_kept_for_a_level() -> None:
    """In many sweeps each level is first about equally often: a drift at the start hits all."""
    firsts = collections.Counter(sweep.drawn_order(5, 1, seed)[0] for seed in range(1000))
    assert len(firsts) == 5
    assert min(firsts.values()) > 140


def test_a_sweep_goes_on_with_the_first_trial_that_was_not_made() -> None:
    record = new_sweep()
    for made in range(len(record.order)):
        so_far = swept(record, made)
        level, repetition = sweep.next_trial(so_far) or (-1, -1)
        assert level == record.order[made]
        assert repetition == record.order[: made + 1].count(level)
    assert sweep.next_trial(swept(record)) is None


def test_the_time_left_is_that_of_trials_like_those_made() -> None:
    record = new_sweep()
    assert sweep.left_s(record) == pytest.approx(18 * 12.5)
    assert sweep.left_s(swept(record, 6)) == pytest.approx(12 * 12.4)
    unknown = msgspec.structs.replace(record, run_s=None)
    assert sweep.left_s(unknown) is None
    assert sweep.has_time(unknown, 0)
    short = msgspec.structs.replace(swept(record, 6), budget_s=80.0)
    assert not sweep.has_time(short, 0)
    assert sweep.has_time(msgspec.structs.replace(short, budget_s=87.0), 0)


def test_a_figure_of_several_trials_is_one_that_was_measured_and_its_range() -> None:
    """No mean of percentiles: of two middle ones, the one that promises less."""
    outcome = sweep.outcomes(swept(new_sweep(repeat=4)))[0]
    measured = sorted(each.latency_s["p99"].value or 0.0 for each in outcome.trials)
    figure = outcome.latency_s["p99"]
    assert (figure.low, figure.value, figure.high) == (measured[0], measured[2], measured[3])
    assert outcome.achieved_per_s.value == 2000.0


def test_a_figure_of_one_trial_has_the_interval_of_its_run_or_none() -> None:
    record = swept(new_sweep(repeat=1))
    assert sweep.outcomes(record)[0].latency_s["p99"].low is None
    known = SweepFigure(value=2.0, low=1.5, high=2.5)
    trials = [
        msgspec.structs.replace(each, latency_s={"p99": known}) if each.level == 0 else each
        for each in record.trials
    ]
    figure = sweep.outcomes(msgspec.structs.replace(record, trials=trials))[0].latency_s["p99"]
    assert (figure.value, figure.low, figure.high) == (2.0, 1.5, 2.5)


def test_a_trial_has_the_intervals_of_its_record_and_what_it_withholds() -> None:
    known = ConfidenceInterval(low=0.001, high=0.003)
    withheld = ConfidenceInterval(withheld="tail", needs_s=40.0)
    summary = LatencySummary(
        count=9,
        p99_s=0.002,
        p999_s=0.004,
        confidence={"p99_s": known, "p999_s": withheld},
    )
    rates = Rates(1000.0, 1000.0, 998.0, confidence={"completed_per_s": known})
    run = run_at(1000.0, latency={"e2e": {"all": summary}}, rates=rates)
    row = sweep.trial_row(new_sweep(), (0, 1), run, 1.0, "f.json")
    assert row.latency_s == {
        "p50": SweepFigure(),
        "p99": SweepFigure(value=0.002, low=0.001, high=0.003),
        "p99.9": SweepFigure(value=0.004, withheld="tail"),
    }
    assert row.achieved_per_s == SweepFigure(value=998.0, low=0.001, high=0.003)


@pytest.mark.parametrize(("trials", "confidence"), [(1, 0.0), (2, 0.5), (3, 0.75), (6, 0.96875)])
def test_a_range_encloses_the_median_with_the_confidence_of_the_sign_test(
    trials: int, confidence: float
) -> None:
    assert sweep.range_confidence(trials) == confidence


def test_a_curve_ends_where_a_level_is_not_valid_in_all_trials() -> None:
    record = with_limit()
    (curve,) = sweep.curves(record)
    assert curve.last_kept is not None
    assert curve.first_failed is not None
    assert curve.last_kept.level.offered_per_s == 8000.0
    assert curve.first_failed.level.offered_per_s == 10_000.0
    assert curve.contradicting == []
    one_bad = [
        msgspec.structs.replace(each, verdict="lossy") if n == 4 else each
        for n, each in enumerate(record.trials)
    ]
    (worse,) = sweep.curves(msgspec.structs.replace(record, trials=one_bad))
    assert worse.first_failed is not None
    assert worse.first_failed.index == record.trials[4].level
    kept = worse.contradicting
    assert [each.level.offered_per_s for each in kept] == [
        rate
        for rate in (2000.0, 4000.0, 6000.0, 8000.0)
        if rate > (worse.first_failed.level.offered_per_s or 0.0)
    ]


def test_each_combination_of_the_other_fields_has_a_curve_if_the_rate_varies() -> None:
    found = sweep.curves(by_prefetch())
    assert [each.settings for each in found] == [{"prefetch": n} for n in ("1", "8", "64")]
    kept = [each.last_kept and each.last_kept.level.offered_per_s for each in found]
    assert kept == [5000.0, 8000.0, 14_000.0]
    assert found[2].first_failed is None
    assert sweep.curves(by_fields()) == []


@pytest.mark.parametrize(
    ("completed", "window_s", "behind"),
    [
        (1000.0, 10.0, False),
        (960.0, 10.0, False),
        (900.0, 10.0, True),
        (900.0, 0.5, False),  # 50 of 500 tasks may be missing by chance
        (150.0, 0.5, True),
    ],
)
def test_a_valid_run_that_completes_less_than_was_offered_falls_behind(
    completed: float, window_s: float, behind: bool
) -> None:
    rates = Rates(asked_per_s=1000.0, enqueued_per_s=1000.0, completed_per_s=completed)
    run = run_at(1000.0, rates=rates, window_s=window_s)
    assert sweep.falls_behind(run) is behind
    row = sweep.trial_row(new_sweep(), (0, 1), run, 12.0, "f.json")
    assert sweep.verdict_of(row) == ("falls behind" if behind else "valid")
    closed = msgspec.structs.replace(run, rates=Rates(None, 1000.0, completed))
    assert not sweep.falls_behind(closed)


def test_a_trial_that_is_not_valid_keeps_its_figures_beside_its_verdict() -> None:
    row = sweep.trial_row(new_sweep(), (5, 2), run_at(12_000.0), 14.0, "f.json")
    assert (row.verdict, row.problem_code) == ("unstable", "backlog_grows")
    assert row.latency_s["p99"].value == pytest.approx(6.0 * 1.08, rel=0.2)
    assert row.problem.startswith("the backlog grew by 1,900/s")


def test_the_backlog_is_the_most_that_waited_in_all_queues_together() -> None:
    columns = ["second", "backlog:a", "backlog:b"]
    series = Series(1.0, columns, [[0, 3, 4], [1, None, None], [2, 9, None], [3, 5, 1]])
    row = sweep.trial_row(new_sweep(), (0, 1), run_at(1000.0, series=series), 1.0, "f.json")
    assert row.most_backlog == 9
    unseen = run_at(1000.0, series=Series(1.0, ["second"], [[0]]))
    assert sweep.trial_row(new_sweep(), (0, 1), unseen, 1.0, "f.json").most_backlog is None


def test_the_exit_code_is_that_of_a_measurement_and_a_limit_is_no_failure() -> None:
    record = with_limit()
    assert sweep.exit_code(record) == 0
    assert sweep.exit_code(swept(new_sweep(), 3)) == 130
    out_of_time = msgspec.structs.replace(swept(new_sweep(), 3), ended="budget")
    assert sweep.exit_code(out_of_time) == 3
    none_valid = [msgspec.structs.replace(each, verdict="lossy") for each in record.trials]
    assert sweep.exit_code(msgspec.structs.replace(record, trials=none_valid)) == 4


def test_problems_of_one_sort_are_told_once() -> None:
    record = with_limit()
    failed = SweepTrial(level=0, repetition=1, seed=7, took_s=1.0, problem="no port is free")
    no_port, grows = sweep.problems(
        msgspec.structs.replace(record, trials=[*record.trials, failed])
    )
    assert (no_port.message, [each.index for each in no_port.levels]) == ("no port is free", [0])
    assert [each.level.offered_per_s for each in grows.levels] == [10_000.0, 12_000.0]
