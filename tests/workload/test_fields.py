"""Each field of a scenario: what it reads, and what it says of the rest."""

import pytest

from bench.errors import UsageError
from bench.workload.distribution import Distribution
from bench.workload.fields import FIELDS, nearest
from bench.workload.scenario import Scenario
from bench.workload.schedule import RateStage


def test_every_attribute_of_a_scenario_is_read_by_one_field() -> None:
    assert sorted(field.attribute for field in FIELDS.values()) == sorted(
        Scenario.__struct_fields__
    )


def test_every_field_says_what_it_is_in_one_sentence() -> None:
    assert [name for name, field in FIELDS.items() if not field.help.endswith(".")] == []


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("name", "mine", "mine"),
        ("description", "What it answers.", "What it answers."),
        ("queues", {"inference_high": 1, "inference_low": 2.5}, None),
        ("queues", "inference_high=1,inference_low=2.5", None),
        ("queues", " inference_high , inference_low = 2.5 ", None),
        ("layout", "runqy", "runqy"),
        ("arrivals", "poisson", "poisson"),
        ("rate", "5k/s", 5000.0),
        ("rate", 5000, 5000.0),
        ("rate", "max", "max"),
        ("stages", "5s@1000/s", (RateStage(5, 1000, 1000),)),
        ("stages", "5s@1k, 1m@1k..5k/s", (RateStage(5, 1000, 1000), RateStage(60, 1000, 5000))),
        ("stages", [{"duration": "5s", "rate": "1k/s"}], (RateStage(5, 1000, 1000),)),
        ("stages", [{"duration": 5, "from": 0, "to": 10}], (RateStage(5, 0, 10),)),
        ("duration", "1m30s", 90.0),
        ("duration", 2.5, 2.5),
        ("tasks", 1, 1),
        ("seed", 0, 0),
        ("payload_size", 54, Distribution("constant", mean=54)),
        ("payload_size", "1KiB", Distribution("constant", mean=1024)),
        ("payload_size", "64MiB", Distribution("constant", mean=67_108_864)),
        ("payload_size", "uniform:54-100", Distribution("uniform", mean=77, low=54, high=100)),
        ("payload_size", "lognormal:256,0.8", Distribution("lognormal", mean=256, sigma=0.8)),
        ("payload_file", "lines.jsonl", "lines.jsonl"),
        ("max_retry", 0, 0),
        ("max_retry", 1000, 1000),
        ("producers", 4095, 4095),
        ("producer", "redis-py", "redis-py"),
        ("producer", "snippet", "snippet"),
        ("pipeline", 100_000, 100_000),
        ("in_flight", 1000, 1000),
        ("max_backlog", 1, 1),
        ("workers", 0, 0),
        ("workers", 256, 256),
        ("external_workers", True, True),
        ("concurrency", 500, 500),
        ("prefetch", 10_000, 10_000),
        ("service_time", "none", Distribution()),
        ("service_time", "2ms", Distribution("constant", mean=0.002)),
        ("service_time", 0.5, Distribution("constant", mean=0.5)),
        ("service_time", "exp:2ms", Distribution("exp", mean=0.002)),
        ("failure_rate", 0, 0.0),
        ("failure_rate", 0.25, 0.25),
        ("failure_rate", 1, 1.0),
        ("retry_delay", 0, 0.0),
        ("retry_delay", "100ms", 0.1),
        ("priority", "weighted", "weighted"),
        ("store_results", False, False),
        ("worker_start", "after-fill", "after-fill"),
        ("warmup", "auto", None),
        ("warmup", 0, 0.0),
        ("warmup", "2s", 2.0),
        ("drain_timeout", "120s", 120.0),
        ("slo", "e2e.p99 < 50ms", ("e2e.p99 < 50ms",)),
        ("slo", [" lost == 0 ", "e2e.p99<50ms"], ("lost == 0", "e2e.p99<50ms")),
        ("slo", [], ()),
    ],
)
def test_a_field_is_read_in_base_units(name: str, written: object, value: object) -> None:
    expected = {"inference_high": 1.0, "inference_low": 2.5} if name == "queues" else value
    assert FIELDS[name].read(written) == expected


def test_queues_keep_the_order_in_which_they_are_written() -> None:
    """It is their priority."""
    read = FIELDS["queues"].read({"a_z": 1, "a_b": 1, "a_m": 1})
    assert isinstance(read, dict)
    assert list(read) == ["a_z", "a_b", "a_m"]


@pytest.mark.parametrize(
    ("name", "written", "message"),
    [
        ("name", 5, "expected a text, got 5"),
        ("queues", 5, "write queue=weight pairs"),
        ("queues", ["inference_high"], "write queue=weight pairs"),
        ("queues", {"a_b": 0}, "the weight of 'a_b' must be positive, not 0"),
        ("queues", {"a_b": -1}, "the weight of 'a_b' must be positive, not -1"),
        ("queues", {"a_b": float("inf")}, "the weight of 'a_b' must be positive, not inf"),
        ("queues", {"a_b": float("nan")}, "the weight of 'a_b' must be positive, not nan"),
        ("queues", {"a_b": 10**400}, "the weight of 'a_b' is not a number: 1000"),
        ("queues", {"a_b": True}, "the weight of 'a_b' is not a number: True"),
        ("queues", {"a_b": "1"}, "the weight of 'a_b' is not a number: '1'"),
        ("queues", "a_b=x", "the weight of 'a_b' is not a number: 'x'"),
        ("queues", "a_b=", "the weight of 'a_b' is not a number: ''"),
        ("queues", "a_b=1,a_b=2", "'a_b' is named twice"),
        ("queues", {"a b_c": 1}, "'a b_c' is not a queue name"),
        ("queues", {"{a_b}": 1}, "'{a_b}' is not a queue name"),
        ("queues", {"": 1}, "'' is not a queue name"),
        ("queues", "=1", "'' is not a queue name"),
        ("layout", "runky", "'runky' is not one of runqy, asynq: did you mean 'runqy'?"),
        (
            "arrivals",
            "poison",
            "'poison' is not one of constant, poisson, max: did you mean 'poisson'?",
        ),
        ("arrivals", 5, "5 is not one of constant, poisson, max"),
        ("rate", 0, "the rate must be above zero; for no rate limit write max"),
        ("rate", "0/s", "the rate must be above zero; for no rate limit write max"),
        ("rate", -1, "the rate must be above zero"),
        ("rate", "fast", "'fast' is not a rate"),
        ("rate", "9" * 400, "is not a rate: it must be finite"),
        ("rate", 10**400, "expected a number, got 1000"),
        ("rate", True, "expected a number, got True"),
        ("rate", float("nan"), "'nan' is not a rate: it must be finite"),
        ("stages", 5, "write for example 5s@1000/s,10s@1000/s..5000/s"),
        ("stages", "5s", "'5s' is not a stage: write DURATION@RATE"),
        ("stages", "5s@1/s,", "'' is not a stage"),
        ("stages", "0s@1/s", "it must be longer than zero"),
        ("stages", "5s@1/s..", "'' is not a rate"),
        ("stages", [5], "each stage is a table with duration"),
        ("stages", [{"rate": 1}], "each stage needs duration, and either rate or both"),
        ("stages", [{"duration": 1}], "each stage needs duration, and either rate or both"),
        ("stages", [{"duration": 1, "rate": 1, "to": 2}], "each stage needs duration"),
        ("stages", [{"duration": 1, "from": 1}], "a ramp needs both from and to"),
        ("stages", [{"duration": 1, "to": 1}], "a ramp needs both from and to"),
        ("stages", [{"duration": 1, "rate": -1}], "a stage's rate cannot be negative"),
        (
            "stages",
            [{"durations": 1, "rate": 1}],
            "unknown field 'durations' in a stage: did you mean 'duration'?",
        ),
        ("duration", 0, "it must be longer than zero"),
        ("duration", -1, "it must be longer than zero"),
        ("duration", "soon", "'soon' is not a duration"),
        ("duration", "9" * 400 + "s", "is not a duration: it must be finite"),
        ("duration", None, "expected a number, got None"),
        ("tasks", 0, "0 is out of range: it must be at least 1"),
        ("tasks", 1.5, "expected a whole number, got 1.5"),
        ("tasks", True, "expected a whole number, got True"),
        ("tasks", "5", "expected a whole number, got '5'"),
        ("seed", -1, "-1 is out of range: it must be at least 0"),
        ("payload_size", 53, "53 bytes is too small: the stamps alone take 54"),
        ("payload_size", "uniform:50-100", "50 bytes is too small"),
        ("payload_size", "65MiB", "no payload may be over 67.1 MB"),
        ("payload_size", "uniform:64-65MiB", "no payload may be over 67.1 MB"),
        ("payload_size", "none", "write a size, uniform:LOW-HIGH or lognormal:MEAN,SIGMA"),
        ("payload_size", "exp:256", "write a size, uniform:LOW-HIGH or lognormal:MEAN,SIGMA"),
        ("payload_size", "big", "'big' is not a size"),
        ("payload_size", "9" * 400, "is not a size: it must be finite"),
        ("payload_size", "lognormal:256,nan", "every value must be positive, and finite"),
        ("payload_file", 5, "expected a text, got 5"),
        ("max_retry", 1001, "1001 is out of range: it must be from 0 to 1000"),
        ("producers", 0, "0 is out of range: it must be from 1 to 4095"),
        ("producers", 4096, "4096 is out of range: it must be from 1 to 4095"),
        ("producer", "frame", "did you mean 'frames'?"),
        ("pipeline", 0, "0 is out of range: it must be from 1 to 100000"),
        ("in_flight", 1001, "1001 is out of range: it must be from 1 to 1000"),
        ("max_backlog", 0, "0 is out of range: it must be at least 1"),
        ("workers", -1, "-1 is out of range: it must be from 0 to 256"),
        ("external_workers", "yes", "expected true or false, got 'yes'"),
        ("external_workers", 1, "expected true or false, got 1"),
        ("concurrency", 501, "501 is out of range: it must be from 1 to 500"),
        ("prefetch", 0, "0 is out of range: it must be from 1 to 10000"),
        ("service_time", "gamma:2ms", "'gamma:2ms' is not a distribution"),
        ("service_time", [], "expected a number, got []"),
        ("service_time", 0, "it must be longer than zero"),
        ("service_time", "lognormal:2ms,inf", "every value must be positive, and finite"),
        ("service_time", 10**400, "expected a number, got 1000"),
        ("failure_rate", 1.1, "1.1 is not a share: it must be from 0 to 1"),
        ("failure_rate", -0.1, "-0.1 is not a share: it must be from 0 to 1"),
        ("failure_rate", "half", "'half' is not a share: write for example 5% or 0.05"),
        ("retry_delay", -1, "it cannot be negative"),
        ("priority", "strickt", "did you mean 'strict'?"),
        ("store_results", 0, "expected true or false, got 0"),
        ("worker_start", "later", "'later' is not one of with-run, after-fill"),
        ("warmup", -1, "it cannot be negative"),
        ("warmup", "automatic", "'automatic' is not a duration"),
        ("drain_timeout", -1, "it cannot be negative"),
        ("slo", 5, "expected a list, got 5"),
        ("slo", [5], "expected a text, got 5"),
        ("slo", "fast", "'fast' is not an objective: write for example e2e.p99 < 50ms"),
        ("slo", ["lost == 0", "e2e < 5ms"], "'e2e < 5ms': e2e needs a statistic"),
    ],
)
def test_what_a_field_cannot_be_is_refused_in_words(
    name: str, written: object, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        FIELDS[name].read(written)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rat", ": did you mean 'rate'?"),
        ("worker", ": did you mean 'workers'?"),
        ("xyzzy", ""),
        ("", ""),
    ],
)
def test_the_nearest_name_is_offered_when_there_is_one(name: str, hint: str) -> None:
    assert nearest(name, ["rate", "workers", "duration"]) == hint
