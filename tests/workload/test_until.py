"""How well figures are to be known, as users write it, and which runs can end by it."""

import pytest

from bench.errors import ScenarioError, UsageError
from bench.workload.resolve import resolve
from bench.workload.until import look_length_s, parse_target
from bench.workload.until_checks import earliest_end_s

FIELDS: dict[str, object] = {"queues": {"a_b": 1}, "rate": "10/s", "duration": "5m"}


@pytest.mark.parametrize(
    ("written", "expression", "precision", "is_relative"),
    [
        ("e2e.p99 ±5%", "e2e.p99 ±5%", 0.05, True),
        ("e2e.p99+-5%", "e2e.p99 ±5%", 0.05, True),
        (" e2e.p99.9  +/- 12.5% ", "e2e.p99.9 ±12.5%", 0.125, True),
        ("e2e.p50 ±0.5ms", "e2e.p50 ±0.5ms", 0.0005, False),
        ("completed.rate ± 3/s", "completed.rate ±3/s", 3.0, False),
        ("finished.rate ±1%", "finished.rate ±1%", 0.01, True),
    ],
)
def test_a_precision_is_taken_apart_and_read_back(
    written: str, expression: str, precision: float, is_relative: bool
) -> None:
    target = parse_target(written)
    assert (target.expression, target.is_relative) == (expression, is_relative)
    assert target.precision == pytest.approx(precision)
    assert parse_target(target.expression) == target


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "'' does not say how well"),
        ("e2e.p99", "'e2e.p99' does not say how well a figure is to be known: write for example"),
        ("±5%", "does not say how well"),
        ("e2e.p99 ±5", "'5' has no unit: write for example 5%"),
        ("e2e.p99 ±5/s", "e2e.p99 ±5/s"),
        ("e2e.p99 ±0.9%", "is not between 1% and 50%"),
        ("e2e.p99 ±51%", "is not between 1% and 50%"),
        ("e2e.p99 ±0ms", "write a precision above zero"),
        ("e2e.mean ±5%", "mean has no confidence interval"),
        ("e2e.p100 ±5%", "p100 has no confidence interval"),
        ("service.p99 ±5%", "how well service is known is not computed before the end"),
        ("lost ±5%", "how well lost is known is not computed before the end"),
        ("e2e{a_b}.p99 ±5%", "by queue, e2e is known at the end only"),
        ("nothing.p99 ±5%", "'nothing.p99' is not measured"),
    ],
)
def test_a_precision_that_cannot_be_read_says_why(written: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(written)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("until", "fields", "message"),
    [
        ("e2e.p99 ±5%", {"duration": "145s"}, "after 145 s at the earliest, warm-up included"),
        ("e2e.p99 ±5%", {"duration": "135s", "warmup": 0}, "after 135 s at the earliest"),
        ("e2e.p99 ±5%", {"workers": 0}, "without workers no task ends, so there is no e2e"),
        ("e2e.p99 ±5%", {"rate": "max"}, "a closed loop fills the queues"),
        ("e2e.p99 ±5%", {"tasks": 9}, "it needs a duration"),
        ("enqueue.rate ±5%", {"duration": None, "tasks": 9}, "it needs a duration"),
        (
            "enqueue.rate ±5%",
            {"duration": None, "rate": None, "stages": [{"duration": "200s", "rate": "1/s"}]},
            "the load changes with time",
        ),
        ("e2e.p99 ±5%", {"faults": ["12s stall server 1s"]}, "would not all happen"),
        ("e2e.p99 ±5%", {"worker_start": "after-fill"}, "workers start when everything"),
        ("completed.rate ±5%", {"worker": "external"}, "write finished.rate"),
        (["e2e.p99 ±5%", "e2e.p99 ±1ms"], {}, "e2e.p99 is there twice"),
    ],
)
def test_a_run_that_cannot_end_by_it_is_refused(
    until: object, fields: dict[str, object], message: str
) -> None:
    given = {name: value for name, value in {**FIELDS, **fields}.items() if value is not None}
    with pytest.raises(ScenarioError) as caught:
        resolve({**given, "until": until})
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"until": ["e2e.p99 ±5%", "enqueue.rate ±2/s"]},
        {"rate": "max", "max_backlog": 100},
        {"rate": "max", "until": "completed.rate ±2%"},
        {"workers": 0, "until": "enqueue.rate ±2%"},
        {"worker": "external", "until": ["finished.rate ±2%", "e2e.p50 ±9%"]},
        {"external_workers": True, "workers": 0},
        {"worker_start": "after-fill", "until": "enqueue.rate ±2%"},
    ],
)
def test_runs_that_can_end_by_it(fields: dict[str, object]) -> None:
    scenario = resolve({**FIELDS, "until": "e2e.p99 ±5%", **fields})
    assert scenario.until
    assert earliest_end_s(scenario) == 145.0


def test_looks_are_at_windows_that_grow_by_half() -> None:
    assert [look_length_s(number) for number in range(5)] == [60, 90, 135, 202, 303]
