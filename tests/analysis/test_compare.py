"""Runs against runs, made from one record with known changes."""

import datetime
from collections.abc import Callable, Sequence

import msgspec
import pytest

from bench.analysis import compare, likeness, metrics
from bench.analysis.compare import Comparison
from bench.analysis.metrics import Metric
from bench.analysis.rule import Decision
from bench.errors import ExitCode, MeasurementError, UsageError
from bench.record import RunRecord
from tests.records import example_record

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
EXAMPLE = example_record()
WOBBLE = (0.0, 0.012, -0.008, 0.004, -0.011, 0.009, -0.003, 0.006)


def run(minute: int, factor: float = 1.0, lost: int = 0, **scenario: object) -> RunRecord:
    """The example, begun at a minute, with latencies times a factor."""
    example = EXAMPLE
    latency = {
        stage: {
            queue: msgspec.structs.replace(
                each,
                **{
                    name: None if getattr(each, name) is None else getattr(each, name) * factor
                    for name in ("p50_s", "p99_s")
                },
            )
            for queue, each in by_queue.items()
        }
        for stage, by_queue in example.latency.items()
    }
    return msgspec.structs.replace(
        example,
        started_at=(START + datetime.timedelta(minutes=minute)).isoformat(timespec="milliseconds"),
        latency=latency,
        counts=msgspec.structs.replace(example.counts, lost=lost),
        scenario=msgspec.structs.replace(example.scenario, **scenario),
    )


def pairs(worse: float, count: int = 8, lost: int = 0) -> tuple[list[RunRecord], list[RunRecord]]:
    """ABBA pairs of quiet runs, the candidate's latencies higher by a share."""
    base, candidate = [], []
    for pair in range(count):
        first, second = (0, 1) if pair % 2 == 0 else (1, 0)
        base.append(run(2 * pair + first, 1 + WOBBLE[pair % 8]))
        candidate.append(run(2 * pair + second, 1 + worse + WOBBLE[(pair + 3) % 8], lost))
    return base, candidate


def compared(worse: float, count: int = 8, lost: int = 0) -> Comparison:
    base, candidate = pairs(worse, count, lost)
    return compare.compare(base, candidate, metrics.gated_by_default(base[0].scenario))


@pytest.mark.parametrize(
    ("worse", "decision", "code"),
    [
        (0.20, Decision.REGRESSION, ExitCode.REGRESSION),
        (0.0, Decision.NO_WORSE, ExitCode.PASSED),
        (-0.20, Decision.IMPROVEMENT, ExitCode.PASSED),
        (0.05, Decision.INCONCLUSIVE, ExitCode.INCONCLUSIVE),
    ],
)
def test_what_pairs_of_runs_prove(worse: float, decision: Decision, code: ExitCode) -> None:
    comparison = compared(worse)
    assert [row.metric.name for row in comparison.rows] == ["e2e.p50", "e2e.p99"]
    assert (comparison.decision, comparison.exit_code) == (decision, code)
    assert all(row.change is not None for row in comparison.rows)
    assert comparison.rows[0].change is not None
    assert comparison.rows[0].change.estimate == pytest.approx(worse, abs=0.02)


def test_lost_tasks_come_before_any_speed() -> None:
    comparison = compared(-0.20, lost=3)
    assert comparison.exit_code is ExitCode.REGRESSION
    assert comparison.faults == ["the candidate lost 24 tasks, the base 0"]


def test_p_values_are_corrected_for_their_number() -> None:
    """Five pairs alike have p 1/32 each; two such metrics together prove nothing."""
    base, candidate = pairs(0.2, 5)
    alone = compare.compare(base, candidate, [Metric("e2e.p50")])
    both = compare.compare(base, candidate, [Metric("e2e.p50"), Metric("e2e.p99")])
    assert alone.decision is Decision.REGRESSION
    assert [row.p_worse for row in both.rows] == pytest.approx([1 / 16, 1 / 16])
    assert both.decision is Decision.INCONCLUSIVE
    assert both.rows[0].pairs_needed is not None


def test_a_wider_margin_forgives_what_noise_alone_does() -> None:
    base, candidate = pairs(0.08)
    gated = [Metric("e2e.p50")]
    assert compare.compare(base, candidate, gated).decision is Decision.REGRESSION
    wide = compare.compare(base, candidate, gated, margins={"e2e.p50": 0.15})
    assert wide.decision is Decision.NO_WORSE


def test_metrics_that_are_only_shown_decide_nothing() -> None:
    base, candidate = pairs(0.2)
    comparison = compare.compare(base, candidate, [Metric("enqueue.rate")], [Metric("e2e.p50")])
    shown = comparison.rows[1]
    assert (shown.is_gated, shown.decision) == (False, Decision.REGRESSION)
    assert comparison.decision is not Decision.REGRESSION


def test_a_figure_that_a_run_lacks_proves_nothing() -> None:
    base, candidate = pairs(0.2)
    comparison = compare.compare(base, candidate, [Metric("e2e{nonesuch}.p50")])
    assert comparison.rows[0].change is None
    assert comparison.decision is Decision.INCONCLUSIVE


def test_sides_of_different_sizes_make_no_pairs() -> None:
    base, candidate = pairs(0.0)
    with pytest.raises(MeasurementError, match="7 runs of the base and 8 of the candidate"):
        compare.compare(base[1:], candidate, [Metric("e2e.p50")])


@pytest.mark.parametrize(
    "name", ["e2e.p99", "e2e{inference_high}.p50", "enqueue.rate", "server_cpu_us_per_task"]
)
def test_metrics_by_name(name: str) -> None:
    value = metrics.parse(name).of(EXAMPLE)
    assert value is not None
    assert value > 0


@pytest.mark.parametrize("name", ["", "e2e", "e2e.p98", "nonesuch.p50", "rate"])
def test_a_metric_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no metric"):
        metrics.parse(name)


def blocks() -> tuple[list[RunRecord], list[RunRecord]]:
    return [run(minute) for minute in range(4)], [run(minute) for minute in range(10, 14)]


def other_rate() -> tuple[list[RunRecord], list[RunRecord]]:
    return [run(0), run(3)], [run(1, rate_per_s=77.0), run(2, rate_per_s=77.0)]


def mixed_base() -> tuple[list[RunRecord], list[RunRecord]]:
    return [run(0), run(3, seed=99)], [run(1), run(2)]


@pytest.mark.parametrize(
    ("sides", "fields"),
    [
        (lambda: pairs(0.2), []),
        (blocks, ["order"]),
        (other_rate, ["scenario.rate_per_s"]),
        (mixed_base, ["scenario.seed"]),
    ],
)
def test_what_differs_and_matters_is_named(
    sides: Callable[[], tuple[Sequence[RunRecord], Sequence[RunRecord]]], fields: list[str]
) -> None:
    base, candidate = sides()
    assert [each.field for each in likeness.differences(base, candidate)] == fields
    assert likeness.differences(base, candidate, fields) == []
    groups = [field.partition(".")[0] for field in fields]
    assert likeness.differences(base, candidate, groups) == []


def test_the_name_of_a_scenario_does_not_matter() -> None:
    base, candidate = [run(0), run(3)], [run(1, name="other"), run(2, name="other")]
    assert likeness.differences(base, candidate) == []
