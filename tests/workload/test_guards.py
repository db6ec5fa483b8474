"""Guards as users write them, and on which runs they can be known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ScenarioError, UsageError
from bench.workload.comparisons import Unit
from bench.workload.guards import LIVE, parse_guard
from bench.workload.override import override
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

FIELDS = {"queues": {"a_b": 1, "a_c": 1}, "rate": "10/s", "duration": "20s"}


def resolved(guard: str, **fields: object) -> Scenario:
    return resolve({**FIELDS, "abort": [guard], **fields})


@pytest.mark.parametrize(
    ("written", "metric", "unit", "operator", "limit", "lasts_s"),
    [
        ("redis.memory > 80%", "redis.memory", Unit.SHARE, ">", 0.8, 0),
        ("redis.memory>=2GiB", "redis.memory", Unit.BYTES, ">=", 2 << 30, 0),
        ("redis.cpu > 150% for 5s", "redis.cpu", Unit.SHARE, ">", 1.5, 5),
        ("backlog > 100000", "backlog", Unit.TASKS, ">", 100_000, 0),
        ("backlog{a_b} > 7 for 1m30s", "backlog{a_b}", Unit.TASKS, ">", 7, 90),
        ("e2e.p99 > 1s for 10s", "e2e.p99", Unit.SECONDS, ">", 1, 10),
        ("errors > 1%", "errors", Unit.SHARE, ">", 0.01, 0),
        ("errors >= 100%", "errors", Unit.SHARE, ">=", 1, 0),
        ("completed.rate < 5/s for 3s", "completed.rate", Unit.PER_SECOND, "<", 5, 3),
        ("failed{a_c} > 3", "failed{a_c}", Unit.TASKS, ">", 3, 0),
        ("  refused   >  0  ", "refused", Unit.TASKS, ">", 0, 0),
    ],
)
def test_a_guard_is_taken_apart(
    written: str, metric: str, unit: Unit, operator: str, limit: float, lasts_s: float
) -> None:
    guard = parse_guard(written)
    assert (guard.metric.name, guard.metric.unit) == (metric, unit)
    assert (guard.operator, guard.lasts_s) == (operator, lasts_s)
    assert guard.limit == pytest.approx(limit)
    assert parse_guard(guard.expression) == guard


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "'' is not a guard: write for example redis.memory > 80%"),
        ("backlog", "'backlog' is not a guard"),
        ("x for y", "'x for y' is not a guard"),
        ("redis.mem > 80%", "did you mean 'redis.memory'?"),
        ("redis.memory > 80", "'80' has no unit: write 80% or 80MiB"),
        ("redis.cpu > 2", "'2' is not a percentage: write for example 80%"),
        ("redis.cpu{a_b} > 2%", "redis.cpu is not known by queue: leave out {a_b}"),
        ("errors > 0.01", "'0.01' is not a percentage"),
        ("errors > 100%", "that can never be"),
        ("errors >= 101%", "that can never be"),
        ("backlog < 0", "that can never be"),
        ("e2e.p99 < 0", "that can never be"),
        ("e2e.p99 > 1", "'1' has no unit: write 1ms or 1s"),
        ("e2e > 1s", "e2e needs a statistic"),
        ("e2e{a_b}.p99 > 1s", "by queue, e2e is known at the end only"),
        ("enqueue.p99 > 1s", "enqueue is known at the end only: write one of redis.memory"),
        ("lost > 0", "lost is known at the end only"),
        ("server_cpu_us_per_task > 3", "server_cpu_us_per_task is known at the end only"),
        ("refused{a_b} > 0", "by queue, refused is known at the end only"),
        ("backlog > 3 for ever", "'ever' is not a duration"),
    ],
)
def test_what_cannot_be_read_or_known_is_refused_in_one_line(written: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_guard(written)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("written", "fields", "message"),
    [
        ("e2e.p99 > 1s", {"workers": 0}, "without workers no task ends"),
        ("failed > 3", {"workers": 0}, "without workers no task is failed"),
        ("finished.rate < 3/s", {"workers": 0}, "without workers no task ends"),
        ("finished.rate < 3/s", {"worker_start": "after-fill"}, "write enqueue.rate"),
        ("errors > 1%", {"worker": "external"}, "write refused"),
        ("completed.rate < 1/s", {"worker": "external"}, "write finished.rate"),
        ("backlog{a_d} > 3", {}, "no queue 'a_d'"),
        ("backlog > 3 for 61s", {}, "the run lasts 60.0 s at most"),
        ("enqueue.rate < 3/s for 31s", {}, "the run lasts 30.0 s at most"),
        ("backlog > 3 for 31s", {"workers": 0}, "the run lasts 30.0 s at most"),
    ],
)
def test_what_no_run_of_the_scenario_can_know_is_refused_before_it(
    written: str, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ScenarioError) as raised:
        resolved(written, **fields)
    assert str(raised.value).startswith(f"scenario: abort: '{written}': ")
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        ("errors > 1%", {"workers": 0}),
        ("e2e.p99 > 1s", {"worker": "external"}),
        ("refused > 1", {"worker": "external"}),
        ("backlog > 3 for 1h", {"tasks": 5, "rate": "max", "duration": None}),
        ("none", {}),
    ],
)
def test_what_can_be_known_is_accepted(written: str, fields: dict[str, object]) -> None:
    given_fields = {key: value for key, value in {**FIELDS, **fields}.items() if value is not None}
    assert resolve({**given_fields, "abort": written}).abort == (written,)


def test_where_only_the_layout_changes_guards_name_its_queues() -> None:
    base = {**FIELDS, "layout": "runqy", "abort": ["backlog{a_b} > 3"]}
    changed = override(base, {"layout": "asynq"})
    assert changed["abort"] == [f"backlog{{{next(iter(changed['queues']))}}} > 3"]  # type: ignore[call-overload]


def reading_of(written: str) -> str:
    """The guard as it is kept, or why it is refused."""
    try:
        return parse_guard(written).expression
    except UsageError as error:
        return str(error)


@given(st.text(max_size=40))
def test_any_text_is_a_guard_or_refused_in_one_line(text: str) -> None:
    for written in (text, f"redis.memory > {text}", f"backlog > 3 for {text}"):
        assert "\n" not in reading_of(written)


def test_every_live_metric_can_be_a_guard() -> None:
    for name, subject in LIVE.items():
        value = "3" if subject.unit is Unit.TASKS else "3%"
        assert parse_guard(f"{name} > {value}").metric.subject == subject
