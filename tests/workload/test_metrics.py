"""Objectives as users write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.measure.ledger import Counts
from bench.measure.recorder import Interval
from bench.workload import metrics
from bench.workload.comparisons import Unit
from bench.workload.metrics import Metric, Objective, format_value, parse_metric, parse_objective

SUBJECTS = {**metrics.INTERVALS, **metrics.RATES, **metrics.COUNTS, **metrics.COSTS}


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
        ("e2e.p50 < 0", "e2e", "all", "p50", "<", 0),
        ("e2e.p100 < 1s", "e2e", "all", "p100", "<", 1),
        ("e2e.p0.1 > 1us", "e2e", "all", "p0.1", ">", 1e-6),
        ("enqueue.p99 < 5ms", "enqueue", "all", "p99", "<", 0.005),
        ("schedule_lag.max < 10ms", "schedule_lag", "all", "max", "<", 0.01),
        ("queue_wait{a_b}.mean < 10ms", "queue_wait", "a_b", "mean", "<", 0.01),
        ("service.min >= 0", "service", "all", "min", ">=", 0),
        ("e2e_from_send.p99 < 1s", "e2e_from_send", "all", "p99", "<", 1),
        ("server_cpu_us_per_task < 3.5", "server_cpu_us_per_task", "all", "count", "<", 3.5),
        ("server_cpu_us_per_task < 1ms", "server_cpu_us_per_task", "all", "count", "<", 1000),
        ("server_bytes_per_task < 900", "server_bytes_per_task", "all", "count", "<", 900),
        ("server_bytes_per_task <= 1KiB", "server_bytes_per_task", "all", "count", "<=", 1024),
    ],
)
def test_an_objective_is_taken_apart(
    expression: str, name: str, queue: str, statistic: str, operator: str, limit: float
) -> None:
    found = parse_objective(expression)
    assert found.limit == pytest.approx(limit, rel=1e-12)
    suffix = statistic if statistic in ("rate", "count") else ""
    subject = f"{name}.rate" if suffix == "rate" else name
    metric = Metric(SUBJECTS[subject], queue, "" if suffix else statistic)
    assert found == Objective(expression.strip(), metric, operator, found.limit)


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
        ("enqueud.p99 < 5ms", "is not measured: did you mean 'enqueued'?"),
        ("server_cpu_us_per_task < much", "'much' is not a duration"),
        ("e2e.p99 < 50", "'e2e.p99 < 50': '50' has no unit: write 50ms or 50s"),
        ("lost == " + "9" * 400, "is not a whole number"),
        ("lost == 1_0", "'1_0' is not a whole number"),
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
        parse_objective(expression)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "name", "faults", "limit"),
    [
        ("recovery{restart}.time < 5s", "recovery", "restart", 5),
        ("recovery{all}.time <= 500ms", "recovery", "all", 0.5),
        ("lost{failover} == 0", "lost", "failover", 0),
        ("duplicated{kill} == 0", "duplicated", "kill", 0),
        ("unknown{network} < 10", "unknown", "network", 10),
        ("refused{fill} <= 100", "refused", "fill", 100),
        ("run_again{stall} < 7", "run_again", "stall", 7),
        ("run_again{all} < 7", "run_again", "all", 7),
    ],
)
def test_an_objective_can_be_about_faults(
    expression: str, name: str, faults: str, limit: float
) -> None:
    found = parse_objective(expression)
    assert found.metric == Metric(metrics.OF_FAULTS[name], faults=faults)
    assert found.limit == limit
    assert parse_metric(found.metric.name) == found.metric
    assert found.metric.name == expression.split(maxsplit=1)[0]


@pytest.mark.parametrize("name", ["lost", "lost{all}", "lost{inference_high}", "lost{killed}"])
def test_only_the_name_of_a_kind_of_fault_means_its_faults(name: str) -> None:
    assert parse_metric(name).faults == ""
    assert parse_metric(name).kind == "count"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("recovery < 5s", "recovery is about faults: write for example recovery{restart}.time"),
        ("recovery{kill} < 5s", "recovery is about faults: write for example recovery{kill}.time"),
        ("recovery{kill}.p99 < 5s", "write for example recovery{kill}.time"),
        ("recovery{restrt}.time < 5s", "'restrt' is no kind of fault: did you mean 'restart'?"),
        ("recovery{inference_high}.time < 5s", "'inference_high' is no kind of fault"),
        ("run_again == 0", "run_again is about faults: write for example run_again{restart}"),
        ("run_again{q_a} == 0", "'q_a' is no kind of fault: there are stall, pause, kill, start"),
        ("lost{kill}.time == 0", "lost is about faults: write for example lost{kill}"),
        ("recovery{kill}.time < 5", "'5' has no unit"),
        ("recovry{kill}.time < 5s", "is not measured: did you mean 'recovery'?"),
    ],
)
def test_an_objective_about_faults_that_cannot_be_read_is_refused(
    expression: str, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_objective(expression)
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
    objective = parse_objective(f"lost {operator} 5")
    assert [objective.holds(value) for value in (4.0, 5.0, 6.0)] == [below, equal, above]
    assert not objective.holds(None)


@given(
    operator=st.sampled_from(["<", "<=", ">", ">=", "=="]),
    metric=st.sampled_from([("e2e.p99", "ms"), ("enqueue.rate", "/s"), ("lost", "")]),
    limit=st.integers(0, 10**6),
)
def test_no_objective_holds_without_data(
    operator: str, metric: tuple[str, str], limit: int
) -> None:
    assert not parse_objective(f"{metric[0]} {operator} {limit}{metric[1]}").holds(None)


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
    assert parse_metric(metric).percent == percent


@given(
    interval=st.sampled_from(list(metrics.INTERVALS)),
    queue=st.sampled_from(["", "{inference_high}", "{my_app_low}"]),
    statistic=st.sampled_from(["p50", "p99.9", "min", "mean", "max"]),
    operator=st.sampled_from(["<", "<=", ">", ">=", "=="]),
    limit=st.sampled_from(["50ms", "1m30s", "0.25s", "10us"]),
    blank=st.sampled_from(["", " ", "  "]),
)
def test_white_space_around_the_parts_means_nothing(
    interval: str, queue: str, statistic: str, operator: str, limit: str, blank: str
) -> None:
    metric = f"{interval}{queue}.{statistic}"
    spaced = parse_objective(f"{blank}{metric}{blank}{operator}{blank}{limit}{blank}")
    plain = parse_objective(f"{metric} {operator} {limit}")
    assert (spaced.metric, spaced.operator, spaced.limit) == (
        *(plain.metric, plain.operator, plain.limit),
    )


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_any_text_is_an_objective_or_refused(text: str) -> None:
    try:
        objective = parse_objective(text)
    except UsageError:
        return
    assert objective.expression == text.strip()


def test_every_interval_and_every_count_that_is_measured_can_be_written() -> None:
    assert list(Interval) == list(metrics.INTERVALS)
    assert sorted(metrics.COUNTS) == sorted(Counts.__struct_fields__)


@given(
    subject=st.sampled_from(list(SUBJECTS.values())),
    queue=st.sampled_from(["all", "inference_high", "a.b"]),
    statistic=st.sampled_from(["min", "mean", "max", "p50", "p99.9"]),
)
def test_a_metrics_name_is_what_the_grammar_reads_back(
    subject: metrics.Subject, queue: str, statistic: str
) -> None:
    takes_queue = subject.kind in ("interval", "count")
    metric = Metric(
        subject,
        queue if takes_queue else "all",
        statistic if subject.kind == "interval" else "",
    )
    assert parse_metric(metric.name) == metric


@given(st.text(max_size=40))
def test_any_text_is_a_metric_or_refused(text: str) -> None:
    try:
        metric = parse_metric(text)
    except UsageError:
        return
    assert parse_metric(metric.name) == metric


@pytest.mark.parametrize(
    ("name", "unit", "higher_is_better", "value", "text"),
    [
        ("e2e.p99", Unit.SECONDS, False, 0.05, "50.0 ms"),
        ("enqueue.rate", Unit.PER_SECOND, True, 40_000, "40,000/s"),
        ("lost", Unit.TASKS, False, 3, "3"),
        ("server_cpu_us_per_task", Unit.MICROSECONDS, False, 3.456, "3.46 µs"),
        ("server_bytes_per_task", Unit.BYTES, False, 2048, "2.05 kB"),
    ],
)
def test_a_metric_knows_its_unit_and_its_direction(
    name: str, unit: Unit, higher_is_better: bool, value: float, text: str
) -> None:
    metric = parse_metric(name)
    assert (metric.unit, metric.higher_is_better) == (unit, higher_is_better)
    assert format_value(metric, value).replace("\u00a0", " ") == text
