"""Figures for services that track them, checked against the formats of those services."""

import json
import math
import re
from collections.abc import Mapping

import jsonschema
import msgspec
import pytest

from bench.errors import MeasurementError
from bench.records.any_record import AnyRecord
from bench.records.restarts_record import StartedRun
from bench.reports.tracked import bmf, github, tracked_values
from tests import golden
from tests.records import capacity_fixtures
from tests.records.fixtures import example_record
from tests.reports import test_clients, test_gate, test_restarts

BMF_SCHEMA = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {
        "^.{1,1024}$": {
            "type": "object",
            "minProperties": 1,
            "patternProperties": {
                "^[a-z0-9-]{1,64}$": {
                    "type": "object",
                    "properties": {
                        "value": {"type": "number"},
                        "lower_value": {"type": "number"},
                        "upper_value": {"type": "number"},
                    },
                    "required": ["value"],
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
"""https://bencher.dev/bmf.json, and its page's limits of names."""
GITHUB_SCHEMA = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "value": {"type": "number"},
            "unit": {"type": "string"},
            "range": {"type": "string"},
            "extra": {"type": "string"},
        },
        "required": ["name", "value", "unit"],
        "additionalProperties": False,
    },
}
"""github-action-benchmark's interface BenchmarkResult, which its custom tools read as it is."""
RANGE = re.compile(r"-?[\d.e+-]+ to -?[\d.e+-]+")


def restarts(**changes: object) -> AnyRecord:
    valid = [StartedRun(file=f"r-{number}.json", verdict="valid") for number in (1, 2, 3)]
    return test_restarts.record(runs=valid, **changes)


RECORDS: Mapping[str, AnyRecord] = {
    "run": example_record(),
    "restarts": restarts(),
    "comparison": test_gate.gate(),
    "capacity": capacity_fixtures.found(),
    "clients": test_clients.example(),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_bmf_follows_benchers_schema(kind: str) -> None:
    text = bmf(tracked_values(RECORDS[kind]))
    golden.check(f"tracked-{kind}.bmf.json", text)
    written = json.loads(text)
    jsonschema.validate(written, BMF_SCHEMA)
    for measures in written.values():
        for figure in measures.values():
            if kind != "comparison":
                assert figure.get("lower_value", -math.inf) <= figure["value"]
                assert figure["value"] <= figure.get("upper_value", math.inf)


@pytest.mark.parametrize("kind", RECORDS)
def test_each_figure_is_in_one_of_the_two_lists_of_github_action_benchmark(kind: str) -> None:
    values = tracked_values(RECORDS[kind])
    names = []
    for bigger in (False, True):
        if any(each.higher_is_better == bigger for each in values):
            written = json.loads(github(values, bigger_is_better=bigger))
            jsonschema.validate(written, GITHUB_SCHEMA)
            names += [each["name"] for each in written]
            ranges = [each["range"] for each in written if "range" in each]
            assert all(RANGE.fullmatch(text) for text in ranges)
    assert sorted(names) == sorted(each.name for each in values)


def test_one_run_has_the_bounds_of_its_intervals_and_several_those_of_their_values() -> None:
    e2e = example_record().latency["e2e"]["all"].confidence
    bounds = {each.name: (each.low, each.high) for each in tracked_values(RECORDS["run"])}
    assert bounds["priority/e2e.p99"] == (e2e["p99_s"].low, e2e["p99_s"].high)
    assert e2e["p999_s"].withheld
    assert bounds["priority/e2e.p99.9"] == (None, None)
    (rate, *_) = tracked_values(RECORDS["restarts"])
    assert (rate.low, rate.value, rate.high) == (849.0, 850.0, 851.0)


def test_the_bounds_of_a_change_are_the_interval_of_the_pairs() -> None:
    values = tracked_values(RECORDS["comparison"])
    change = next(each for each in values if each.measure == "paired-change")
    row = test_gate.ROWS[0]
    assert change.name.endswith(row.metric)
    assert change.low == pytest.approx(100 * (row.low or 0))
    assert change.high == pytest.approx(100 * (row.high or 0))


def test_latencies_are_nanoseconds_for_bencher_and_milliseconds_for_github() -> None:
    values = tracked_values(RECORDS["run"])
    p99_s = example_record().latency["e2e"]["all"].p99_s or 0
    in_bmf = json.loads(bmf(values))["priority/e2e.p99"]["latency"]["value"]
    entries = json.loads(github(values, bigger_is_better=False))
    in_github = {each["name"]: each["value"] for each in entries}["priority/e2e.p99"]
    assert (in_bmf, in_github) == (pytest.approx(p99_s * 1e9), pytest.approx(p99_s * 1e3))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (msgspec.structs.replace(example_record(), verdict="lossy"), "the run is lossy"),
        (test_restarts.record(), "1 of 3 runs are not valid (generator_limited)"),
        (test_gate.gate(pairs=0), "no pair of valid runs"),
        (capacity_fixtures.new_record([1, 2]), "no figure to track"),
    ],
)
def test_what_may_not_be_quoted_is_not_tracked(record: AnyRecord, message: str) -> None:
    with pytest.raises(MeasurementError) as caught:
        tracked_values(record)
    assert message in str(caught.value)
