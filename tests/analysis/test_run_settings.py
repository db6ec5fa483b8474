"""The settings by which runs are told apart."""

import msgspec

from bench.analysis.comparability import differences
from bench.analysis.run_settings import shown, workload_of
from bench.measure.stopping import UntilResult
from tests.records.fixtures import example_record

_BASE = example_record()
_SCENARIO = msgspec.structs.replace(_BASE.scenario, until=("e2e.p99 ±5%",))


def test_lengths_of_runs_that_ended_as_they_were_precise_are_a_difference() -> None:
    whole, shorter, other = (
        msgspec.structs.replace(
            _BASE,
            scenario=_SCENARIO,
            window_s=window_s,
            until=UntilResult(asked=["e2e.p99 ±5%"], ended_by=by),
        )
        for by, window_s in (("duration", 600.0), ("precision", 100.0), ("precision", 200.0))
    )
    assert shown(whole, "scenario.until") == "e2e.p99 ±5%"
    assert shown(shorter, "scenario.until") == "e2e.p99 ±5%, over 100 s"
    found = differences([shorter], [other], allowed=["order"])
    assert [each.label for each in found] == ["--until"]
    assert differences([shorter], [other], allowed=["order", "scenario.until"]) == []
    assert workload_of(shorter) == workload_of(other)
