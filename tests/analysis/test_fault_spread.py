"""Faults in repeated runs: medians and their intervals."""

import math
from typing import Any

import msgspec
import numpy as np
import pytest

from bench.analysis.fault_spread import FEWEST, fault_spreads, median_interval
from bench.records.restarts_record import FaultSpread
from bench.records.run_record import RunRecord
from bench.reports.markdown.restarts import markdown
from bench.reports.restarts import render
from tests.conftest import TrialCount
from tests.records.fixtures import faulty_record
from tests.reports.test_restarts import record as restarts_record


def run_with(**changes: Any) -> RunRecord:
    record = faulty_record()
    first = msgspec.structs.replace(record.faults[0], **changes)
    return msgspec.structs.replace(record, faults=[first])


def spread_of(figure: str, records: list[RunRecord]) -> FaultSpread:
    return next(each for each in fault_spreads(records) if each.figure == figure)


def test_the_interval_covers_the_median_as_often_as_it_says(trial_count: TrialCount) -> None:
    """Whatever the distribution: here an exponential one, whose median is ln 2."""
    random, trials = np.random.default_rng(1), trial_count(400, 4000)
    for runs in (6, 9, 15):
        covered = 0
        for _ in range(trials):
            low, high = median_interval(np.sort(random.exponential(size=runs)).tolist())
            assert low is not None
            assert high is not None
            covered += low <= math.log(2) <= high
        assert covered / trials > 0.93


@pytest.mark.parametrize("runs", range(FEWEST))
def test_fewer_runs_have_no_interval(runs: int) -> None:
    assert median_interval([1.0] * runs) == (None, None)


def test_the_interval_of_six_runs_is_all_of_them() -> None:
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == (1.0, 6.0)
    assert median_interval([float(each) for each in range(15)]) == (3.0, 11.0)


def test_a_recovery_that_did_not_end_is_longer_than_all_that_did() -> None:
    ended = [run_with(recovered_s={"backlog": float(each)}) for each in (1, 2, 3, 4)]
    lasting = [run_with(recovered_s={"backlog": None})] * 3
    back = spread_of("back", [*ended, *lasting])
    assert (back.median, back.low, back.high, back.has_interval) == (4.0, 1.0, None, True)
    assert spread_of("back", lasting).median is None


def test_runs_in_which_a_fault_was_not_injected_or_a_time_is_not_known_do_not_count() -> None:
    records = [
        run_with(lost=5),
        run_with(lost=100, began_s=None),
        run_with(lost=7, recovered_s={"backlog": None}, without_level=("backlog",)),
    ]
    assert spread_of("lost", records).values == [5, 7]
    assert spread_of("back", records).values == [1.95]
    unknown = run_with(completion_gap_s=None, completion_gap_at_least_s=None)
    assert spread_of("no completion", [unknown]).values == []


def test_without_faults_there_is_nothing_to_tell() -> None:
    assert fault_spreads([msgspec.structs.replace(faulty_record(), faults=[])]) == []


@pytest.mark.parametrize(
    ("runs", "said"), [(3, "too few for an interval of a median"), (6, "95% confidence")]
)
def test_reports_of_repeated_runs_show_medians_and_whether_runs_suffice(
    runs: int, said: str
) -> None:
    spreads = fault_spreads([run_with(lost=each) for each in range(runs)])
    record = restarts_record(faults=spreads)
    text = "\n".join(str(getattr(part, "plain", part)) for part in render(record, None))
    made = markdown(record)
    assert said in text
    assert said in made
    assert "| `1. 4s stall server 1.5s` | lost |" in made
    assert "| twice |" not in made
