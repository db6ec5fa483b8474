"""Comparisons of runs, made from one record with known changes."""

import datetime
from collections.abc import Callable, Sequence

import msgspec
import pytest

from bench.analysis import comparability, compare, metric_values
from bench.analysis.compare import Comparison, Criteria
from bench.analysis.rule import Decision
from bench.errors import ExitCode, UsageError
from bench.records.run_record import RunRecord
from bench.workload.metrics import parse_metric
from tests.records.fixtures import example_record

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
EXAMPLE = example_record()
WOBBLE = (0.0, 0.012, -0.008, 0.004, -0.011, 0.009, -0.003, 0.006)


def run(minute: int, factor: float = 1.0, lost: int = 0, **scenario: object) -> RunRecord:
    """The example, started at a minute, with latencies times a factor."""
    example = EXAMPLE
    latency = {
        interval: {
            queue: msgspec.structs.replace(
                each,
                **{
                    name: None if getattr(each, name) is None else getattr(each, name) * factor
                    for name in ("p50_s", "p99_s")
                },
                confidence={},  # it was that of the example's own figures
            )
            for queue, each in by_queue.items()
        }
        for interval, by_queue in example.latency.items()
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
    criteria = Criteria(metric_values.gated_by_default(base[0].scenario))
    return compare.compare(compare.in_pairs(base, candidate), criteria)


def decided(
    worse: float, criteria: Criteria, spoilt: dict[int, str] | None = None, count: int = 8
) -> Comparison:
    """``spoilt`` are verdicts of the candidate, by pair."""
    base, candidate = pairs(worse, count)
    for pair, verdict in (spoilt or {}).items():
        candidate[pair] = msgspec.structs.replace(candidate[pair], verdict=verdict)
    return compare.compare(compare.in_pairs(base, candidate), criteria)


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
    assert [row.metric for row in comparison.rows] == ["e2e.p50", "e2e.p99"]
    assert (comparison.decision, comparison.exit_code) == (decision, code)
    assert comparison.rows[0].paired_change == pytest.approx(worse, abs=0.02)


def test_lost_tasks_come_before_any_speed() -> None:
    comparison = compared(-0.20, lost=3)
    assert comparison.exit_code is ExitCode.REGRESSION
    assert comparison.faults == ["the candidate lost 24 tasks, the base 0"]


def test_a_wider_margin_forgives_what_noise_alone_does() -> None:
    gated = [parse_metric("e2e.p50")]
    assert decided(0.08, Criteria(gated)).decision is Decision.REGRESSION
    wide = decided(0.08, Criteria(gated, floors={"e2e.p50": 0.15}))
    assert wide.decision is Decision.NO_WORSE
    assert (wide.rows[0].margin, wide.rows[0].floor) == (0.15, 0.15)
    quiet = decided(0.08, Criteria(gated, floors={"e2e.p50": 0.01}))
    assert quiet.rows[0].margin == 0.05


def test_metrics_that_are_only_shown_decide_nothing() -> None:
    comparison = decided(0.2, Criteria([parse_metric("enqueue.rate")], [parse_metric("e2e.p50")]))
    shown = comparison.rows[1]
    assert (shown.is_gated, shown.p, shown.decision) == (False, None, Decision.REGRESSION)
    assert comparison.decision is not Decision.REGRESSION


def test_a_figure_that_a_run_lacks_proves_nothing() -> None:
    comparison = decided(0.2, Criteria([parse_metric("e2e{nonesuch}.p50")]))
    assert comparison.rows[0].paired_change is None
    assert comparison.decision is Decision.INCONCLUSIVE


def test_a_pair_with_an_invalid_run_is_left_out_of_the_speed() -> None:
    criteria = Criteria([parse_metric("e2e.p50")])
    comparison = decided(0.2, criteria, {2: "generator_limited"})
    assert (comparison.pairs, comparison.left_out, comparison.faults) == (7, 1, [])
    base, candidate = pairs(0.2)
    candidate[2] = msgspec.structs.replace(candidate[2], verdict="unstable")
    whole = compare.compare(compare.in_pairs(base, candidate), criteria, only_valid=False)
    assert (whole.pairs, whole.left_out) == (8, 0)


@pytest.mark.parametrize(("spoilt", "is_fault"), [(4, False), (5, True), (8, True)])
def test_a_load_that_only_the_base_sustains_is_a_fault(spoilt: int, is_fault: bool) -> None:
    """Four of four could be chance (1/16); five of five are not (1/32)."""
    verdicts = dict.fromkeys(range(spoilt), "unstable")
    comparison = decided(0.0, Criteria([parse_metric("e2e.p50")]), verdicts)
    assert bool(comparison.faults) is is_fault
    if is_fault:
        assert comparison.exit_code is ExitCode.REGRESSION
        assert f"in {spoilt} of 8 pairs whose base did (unstable ×{spoilt})" in comparison.faults[0]


def test_runs_that_are_invalid_on_both_sides_are_no_fault() -> None:
    base, candidate = (
        [msgspec.structs.replace(each, verdict="unstable") for each in side] for side in pairs(0.0)
    )
    criteria = Criteria([parse_metric("e2e.p50")])
    comparison = compare.compare(compare.in_pairs(base, candidate), criteria)
    assert (comparison.faults, comparison.pairs) == ([], 0)
    assert comparison.decision is Decision.INCONCLUSIVE


def test_sides_of_different_sizes_make_no_pairs() -> None:
    base, candidate = pairs(0.0)
    with pytest.raises(UsageError, match="7 runs of the base and 8 of the candidate"):
        compare.in_pairs(base[1:], candidate)


def test_the_drift_is_how_far_the_base_lies_apart() -> None:
    comparison = compared(0.0)
    assert comparison.drift == pytest.approx((1 + max(WOBBLE)) / (1 + min(WOBBLE)) - 1)


def test_noise_floors_come_from_valid_pairs_of_the_base_with_itself() -> None:
    base, again = pairs(0.0, 4)
    gated = [parse_metric("e2e.p50"), parse_metric("e2e{nonesuch}.p50")]
    floors = compare.noise_floors(compare.in_pairs(base, again), gated, 10)
    assert list(floors) == ["e2e.p50"]
    assert 0 < floors["e2e.p50"] < 0.02
    wild = msgspec.structs.replace(run(0, 50.0), verdict="unstable")
    with_wild = [*compare.in_pairs(base, again), (wild, base[0])]
    assert compare.noise_floors(with_wild, gated, 10) == floors
    assert compare.noise_floors([], gated, 10) == {}


@pytest.mark.parametrize(
    "name", ["e2e.p99", "e2e{inference_high}.p50", "enqueue.rate", "server_cpu_us_per_task"]
)
def test_metrics_by_name(name: str) -> None:
    value = metric_values.value_of(metric_values.parse_comparable(name), EXAMPLE)
    assert value is not None
    assert value > 0


@pytest.mark.parametrize("name", ["", "e2e", "e2e.p98", "nonesuch.p50", "rate"])
def test_a_metric_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"metric|measured|statistic|records hold"):
        metric_values.parse_comparable(name)


def blocks() -> tuple[list[RunRecord], list[RunRecord]]:
    return [run(minute) for minute in range(4)], [run(minute) for minute in range(10, 14)]


def other_rate() -> tuple[list[RunRecord], list[RunRecord]]:
    return [run(0), run(3)], [run(1, rate_per_s=77.0), run(2, rate_per_s=77.0)]


def mixed_base() -> tuple[list[RunRecord], list[RunRecord]]:
    return [run(0), run(3, seed=99)], [run(1), run(2)]


def on(**environment: object) -> RunRecord:
    """A run on a machine of two cores."""
    cores = {"cores": 2, **environment}
    return msgspec.structs.replace(run(0), environment={**EXAMPLE.environment, **cores})


@pytest.mark.parametrize(
    ("base", "candidate", "fields"),
    [
        (on(usable_cores=2), on(usable_cores=1), ["environment.usable_cores"]),  # taskset -c 0
        (on(cpu_quota_cores=None), on(cpu_quota_cores=0.5), ["environment.cpu_quota_cores"]),
        (on(cpu_quota_cores=1.5), on(cpu_quota_cores=1.0), ["environment.cpu_quota_cores"]),
        (on(), on(usable_cores=2, cpu_quota_cores=None), []),  # the first is an older record
        (on(), on(usable_cores=1), ["environment.usable_cores"]),
    ],
)
def test_cores_that_a_run_may_not_use_make_it_another_machine(
    base: RunRecord, candidate: RunRecord, fields: list[str]
) -> None:
    found = comparability.differences([base], [candidate], [comparability.ORDER])
    assert [each.field for each in found] == fields


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
    assert [each.field for each in comparability.differences(base, candidate)] == fields
    assert comparability.differences(base, candidate, fields) == []
    groups = [field.partition(".")[0] for field in fields]
    assert comparability.differences(base, candidate, groups) == []


def test_the_name_of_a_scenario_does_not_matter() -> None:
    base, candidate = [run(0), run(3)], [run(1, name="other"), run(2, name="other")]
    assert comparability.differences(base, candidate) == []
