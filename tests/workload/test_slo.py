"""Objectives as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.measure.ledger import Counts
from bench.measure.recorder import Interval
from bench.workload import slo
from bench.workload.slo import Objective, parse


@pytest.mark.parametrize(
    ("expression", "name", "queue", "statistic", "operator", "limit"),
    [
        ("e2e.p99 < 50ms", "e2e", "all", "p99", "<", 0.05),
        ("e2e{inference_high}.p99.9 < 20ms", "e2e", "inference_high", "p99.9", "<", 0.02),
        ("enqueue.rate >= 40000/s", "enqueue", "all", "rate", ">=", 40_000),
        ("enqueue.rate >= 40k", "enqueue", "all", "rate", ">=", 40_000),
        ("completed.rate > 300/min", "completed", "all", "rate", ">", 5),
        ("lost == 0", "lost", "all", "count", "==", 0),
        ("lost{inference_low} <= 3", "lost", "inference_low", "count", "<=", 3),
        ("not_sent==0", "not_sent", "all", "count", "==", 0),
        ("e2e.p99<50ms", "e2e", "all", "p99", "<", 0.05),
        ("  e2e.p99  <=  1m30s  ", "e2e", "all", "p99", "<=", 90),
        ("e2e.p50 < 0.5", "e2e", "all", "p50", "<", 0.5),
        ("e2e.p100 < 1s", "e2e", "all", "p100", "<", 1),
        ("e2e.p0.1 > 1us", "e2e", "all", "p0.1", ">", 1e-6),
        ("enqueue.p99 < 5ms", "enqueue", "all", "p99", "<", 0.005),
        ("schedule_lag.max < 10ms", "schedule_lag", "all", "max", "<", 0.01),
        ("queue_wait{a_b}.mean < 10ms", "queue_wait", "a_b", "mean", "<", 0.01),
        ("service.min >= 0", "service", "all", "min", ">=", 0),
        ("e2e_from_send.p99 < 1s", "e2e_from_send", "all", "p99", "<", 1),
    ],
)
def test_an_objective_is_taken_apart(
    expression: str, name: str, queue: str, statistic: str, operator: str, limit: float
) -> None:
    found = parse(expression)
    assert found.limit == pytest.approx(limit, rel=1e-12)
    expected = Objective(expression.strip(), name, queue, statistic, operator, found.limit)
    assert found == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "'' is not an objective: write for example e2e.p99 < 50ms"),
        ("fast", "'fast' is not an objective"),
        ("e2e.p99 50ms", "'e2e.p99 50ms' is not an objective"),
        ("e2e.p99 <", "'e2e.p99 <' is not an objective"),
        ("< 50ms", "'< 50ms' is not an objective"),
        ("e2e.p99 << 50ms", "'< 50ms' is not a duration"),
        ("e2e.p99 != 50ms", "'e2e.p99 != 50ms' is not an objective"),
        ("e2e.p99 = 50ms", "'e2e.p99 = 50ms' is not an objective"),
        ("e2e{a.p99 < 50ms", "'e2e{a.p99' is not a metric"),
        ("e2e{}.p99 < 50ms", "'e2e{}.p99' is not a metric"),
        ("e2e.p99{a_b} < 50ms", "'e2e.p99{a_b}' is not a metric"),
        ("e2e p99 < 50ms", "'e2e p99' is not a metric"),
        ("e2e < 50ms", "e2e needs a statistic: min, mean, max, or a percentile as p99"),
        ("e2e.p < 50ms", "e2e needs a statistic"),
        ("e2e.p0 < 50ms", "e2e needs a statistic"),
        ("e2e.p101 < 50ms", "e2e needs a statistic"),
        ("e2e.p-1 < 50ms", "'e2e.p-1' is not a metric"),
        ("e2e.p99. < 50ms", "e2e needs a statistic"),
        ("e2e.P99 < 50ms", "e2e needs a statistic"),
        ("e2e.rate > 5/s", "e2e needs a statistic"),
        ("e2e.median < 50ms", "e2e needs a statistic"),
        ("enqueue{a_b}.rate > 5/s", "enqueue needs a statistic"),
        ("completed{a_b}.rate > 5/s", "'completed{a_b}.rate' is not measured"),
        ("lost.p99 == 0", "'lost.p99' is not measured; there are schedule_lag, enqueue"),
        ("latency.p99 < 5ms", "'latency.p99' is not measured"),
        ("rate > 5/s", "'rate' is not measured"),
        ("e2e.p99 < soon", "'soon' is not a duration"),
        ("e2e.p99 < -5ms", "'-5ms' is not a duration"),
        ("e2e.p99 < 50ms 20ms x", "'50ms 20ms x' is not a duration"),
        ("enqueue.rate > 50ms", "'50ms' is not a rate"),
        ("lost == none", "'lost == none': 'none' is not a whole number"),
        ("lost == 0.5", "'lost == 0.5': '0.5' is not a whole number"),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_part_is_named(
    expression: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(expression)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("operator", "below", "equal", "above"),
    [
        ("<", True, False, False),
        ("<=", True, True, False),
        (">", False, False, True),
        (">=", False, True, True),
        ("==", False, True, False),
    ],
)
def test_an_objective_holds_as_its_operator_says_and_never_without_data(
    operator: str, below: bool, equal: bool, above: bool
) -> None:
    objective = parse(f"lost {operator} 5")
    assert [objective.holds(value) for value in (4.0, 5.0, 6.0)] == [below, equal, above]
    assert not objective.holds(None)


@given(
    operator=st.sampled_from(["<", "<=", ">", ">=", "=="]),
    metric=st.sampled_from(["e2e.p99", "enqueue.rate", "lost"]),
    limit=st.integers(0, 10**6),
)
def test_no_objective_holds_without_data(operator: str, metric: str, limit: int) -> None:
    assert not parse(f"{metric} {operator} {limit}").holds(None)


@pytest.mark.parametrize(
    ("metric", "percent"),
    [
        ("e2e.p50", 50.0),
        ("e2e.p99.9", 99.9),
        ("e2e.p99.99", 99.99),
        ("e2e.p100", 100.0),
        ("e2e.p0.5", 0.5),
        ("e2e.min", None),
        ("e2e.mean", None),
        ("enqueue.rate", None),
        ("lost", None),
    ],
)
def test_only_a_percentile_has_a_percentage(metric: str, percent: float | None) -> None:
    assert parse(f"{metric} < 1").percent == percent


@given(
    stage=st.sampled_from(slo.STAGES),
    queue=st.sampled_from(["", "{inference_high}", "{my_app_low}"]),
    statistic=st.sampled_from(["p50", "p99.9", "min", "mean", "max"]),
    operator=st.sampled_from(["<", "<=", ">", ">=", "=="]),
    limit=st.sampled_from(["50ms", "1m30s", "0.25", "10us"]),
    blank=st.sampled_from(["", " ", "  "]),
)
def test_white_space_around_the_parts_means_nothing(
    stage: str, queue: str, statistic: str, operator: str, limit: str, blank: str
) -> None:
    metric = f"{stage}{queue}.{statistic}"
    spaced = parse(f"{blank}{metric}{blank}{operator}{blank}{limit}{blank}")
    plain = parse(f"{metric} {operator} {limit}")
    fields = ("name", "queue", "statistic", "operator", "limit")
    assert [getattr(spaced, each) for each in fields] == [getattr(plain, each) for each in fields]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_any_text_is_an_objective_or_refused(text: str) -> None:
    try:
        objective = parse(text)
    except UsageError:
        return
    assert objective.expression == text.strip()


def test_every_stage_and_every_count_that_is_measured_can_be_written() -> None:
    assert tuple(Interval) == slo.STAGES
    assert sorted(slo.COUNTS) == sorted(Counts.__struct_fields__)
