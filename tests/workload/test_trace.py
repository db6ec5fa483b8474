"""Traces: what a file may hold, and that a run sends what the file says."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.comparability import differences
from bench.errors import ScenarioError
from bench.records.run_record import RunRecord
from bench.workload import trace_columns
from bench.workload.feed import Feed, due_by, tasks_of
from bench.workload.mix import queue_of_tasks
from bench.workload.override import override
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario
from bench.workload.trace_columns import read_columns
from tests.records.fixtures import example_record

TASKS = "time_s,queue,size\n5,a_low,100\n5.25,a_high,40\n5.25,a_low,64\n7.5,a_low,2000\n"


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def scenario(path: Path, **fields: object) -> Scenario:
    return resolve({"trace": str(path), **fields})


def dealt(chosen: Scenario) -> list[tuple[int, int]]:
    """(number, due time) of the tasks of all producers together, in the order of their numbers."""
    made: list[tuple[int, int]] = []
    for producer in range(chosen.producers):
        for numbers, due_us in tasks_of(chosen, producer):
            assert set((numbers % chosen.producers).tolist()) == {producer}
            made += zip(numbers.tolist(), due_us.tolist(), strict=True)
    return sorted(made)


# What a file may hold.


@pytest.mark.parametrize(
    "times",
    [
        ["0", "0.25", "1.5"],
        ["1768469400", "1768469400.25", "1768469401.5"],
        ["2026-01-15T09:30:00Z", "2026-01-15T09:30:00.250Z", "2026-01-15T09:30:01.5Z"],
        ["2026-01-15 09:30:00", "2026-01-15 09:30:00.250", "2026-01-15 09:30:01.500"],
        ["2026-01-15T09:30:00+00:00", "2026-01-15T11:30:00.250+02:00", "2026-01-15T09:30:01.5Z"],
    ],
)
def test_times_are_seconds_or_moments_and_begin_with_the_first_row(
    tmp_path: Path, times: list[str]
) -> None:
    read = read_columns(written(tmp_path, "\ufefftimestamp\r\n" + "\r\n".join(times) + "\r\n\r\n"))
    assert read.times_s.tolist() == pytest.approx([0, 0.25, 1.5])


def test_columns_are_found_by_name_and_others_are_passed_over(tmp_path: Path) -> None:
    read = read_columns(written(tmp_path, 'user,bytes,queue,time\n"a,b",10,q_x,1\nc,20,q_y,2\n'))
    assert read.names == ["q_x", "q_y"]
    assert read.sizes is not None
    assert read.queues is not None
    assert (read.sizes.tolist(), read.queues.tolist()) == ([10, 20], [0, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'time_s' or 'timestamp'"),
        ("tme_s\n1\n", "no column 'time_s' or 'timestamp': did you mean 'time_s'?"),
        ("time_s,time\n1,1\n", "'time_s' and 'time' are both a column of the time"),
        ("time_s,rate,queue\n1,1,q\n", "it has rates, and a queue for each task"),
        ("time_s\n", "holds no row below its header"),
        ("time_s,rate\n0,1\n", "holds fewer than two rows"),
        ("time_s,rate\n0,0\n1,0\n", "all its rates are zero"),
        ("time_s\n1\nx\n", "line 3, column 'time_s': 'x' is not a number"),
        ("time_s\n1\nnan\n", "line 3, column 'time_s': 'nan' is out of range"),
        ("time_s\n2\n\n1\n", "line 4, column 'time_s': it goes back"),
        ("timestamp\n2026-01-15T09:30:00Z\n3\n", "line 3, column 'timestamp': '3' is no time"),
        ("time_s,rate\n1,1\n1,2\n", "line 3, column 'time_s': it does not increase"),
        ("time_s,rate\n1,1\n2,-1\n", "line 3, column 'rate': '-1' is out of range"),
        ("time_s,rate\n1,1\n2,1e9\n", "line 3, column 'rate': '1e9' is out of range"),
        ("time_s,size\n1,1\n2,1.5\n", "line 3, column 'size': '1.5' is not a whole number"),
        ("time_s,size\n1,1\n2,99999999999\n", "line 3, column 'size': '99999999999' is out of"),
        ("time_s,queue\n1,q\n2,a b\n", "line 3, column 'queue': "),
        ("time_s,queue\n1,q\n2\n", "line 3: 1 cells under 2 columns"),
        ("time_s\n0\n2000000\n", "it is too long: at most 14 days"),
        ("time_s\n" + "9" * 200_000 + "\n", "not CSV: field larger"),
        ("time_s\n\0\n", "line 2, column 'time_s'"),
    ],
)
def test_a_trace_that_cannot_be_read_names_file_line_and_column(
    tmp_path: Path, text: str, message: str
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ScenarioError) as caught:
        scenario(path, queues={"a_x": 1})
    assert str(caught.value).startswith(f"trace {path}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_line_is_right_beyond_the_first_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_columns, "_BLOCK", 3)
    path = written(tmp_path, "time_s\n" + "\n".join(map(str, range(10))) + "\n8\n")
    with pytest.raises(ScenarioError, match="line 12, column 'time_s': it goes back"):
        read_columns(path)


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_a_file_is_the_same_in_blocks_of_any_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(trace_columns, "_BLOCK", block)
    read = read_columns(written(tmp_path, TASKS))
    assert read.sizes is not None
    assert read.queues is not None
    assert read.times_s.tolist() == [0, 0.25, 0.25, 2.5]
    assert (read.sizes.tolist(), read.queues.tolist()) == ([100, 40, 64, 2000], [0, 1, 0, 0])


# What a run makes of it.


@given(
    gaps_us=st.lists(st.integers(0, 3_000_000), min_size=1, max_size=60),
    producers=st.integers(1, 5),
    speed=st.sampled_from(["1x", "2x", "0.5x"]),
)
def test_tasks_are_due_when_the_trace_says_with_any_number_of_producers(
    tmp_path_factory: pytest.TempPathFactory, gaps_us: list[int], producers: int, speed: str
) -> None:
    times_us = np.cumsum(gaps_us)
    text = "time_s\n" + "".join(f"{time / 1e6:.6f}\n" for time in times_us.tolist())
    path = written(tmp_path_factory.mktemp("trace"), text)
    chosen = scenario(path, queues={"a_x": 1}, producers=producers, speed=speed)
    factor = float(speed.rstrip("x"))
    expected = np.floor((times_us - times_us[0]) / factor + 1e-3).astype(int).tolist()
    made = dealt(chosen)
    assert [number for number, _ in made] == list(range(len(times_us)))
    assert [due_us for _, due_us in made] == pytest.approx(expected, abs=1)
    planned_us = round((chosen.planned_duration_s or 0) * 1e6)
    assert sum(due_by(chosen, each, planned_us) for each in range(producers)) == len(times_us)


def test_queues_and_sizes_are_those_of_the_rows(tmp_path: Path) -> None:
    chosen = scenario(written(tmp_path, TASKS), producers=2)
    assert chosen.queues == {"a_low": 3.0, "a_high": 1.0}
    assert queue_of_tasks(chosen)(0, np.arange(2)).tolist() == [0, 0]
    assert queue_of_tasks(chosen)(1, np.arange(2)).tolist() == [1, 0]
    second = Feed(chosen, 1).take(9)
    assert second.queue.tolist() == [1, 0]
    assert [len(body) + 53 for body in second.bodies] == [54, 2000]
    assert chosen.trace is not None
    assert (chosen.trace.tasks, chosen.trace.smaller) == (4, 1)


def test_queues_that_are_listed_keep_their_order_and_have_the_shares_of_the_trace(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, TASKS)
    chosen = scenario(path, queues={"a_high": 9, "a_other": 1, "a_low": 1})
    assert chosen.queues == {"a_high": 1.0, "a_low": 3.0}
    with pytest.raises(ScenarioError, match="queues: 'a_low' is in the trace, and not here"):
        scenario(path, queues={"a_high": 1})


def test_a_trace_on_top_of_a_scenario_takes_what_it_says_itself(tmp_path: Path) -> None:
    base = {"queues": {"b_x": 1}, "rate": "5/s", "duration": "1s", "arrivals": "poisson"}
    tasks, rates = written(tmp_path, TASKS), written(tmp_path, "time_s,rate\n0,10\n4,30\n", "r.csv")
    assert list(resolve(override(base, {"trace": str(tasks)})).queues) == ["a_low", "a_high"]
    replayed = resolve(override(base, {"trace": str(rates), "speed": "2x"}))
    assert list(replayed.queues) == ["b_x"]
    assert (replayed.planned_duration_s, replayed.peak_per_s, replayed.asked_per_s) == (2, 60, 40)
    assert len(dealt(replayed)) == 80
    back = override(override(base, {"trace": str(rates)}), {"rate": "7/s", "duration": "1s"})
    assert resolve(back).rate_per_s == 7


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rate": "5/s"}, "rate: the trace gives it already"),
        ({"rate": "max"}, "trace: a closed loop has no schedule"),
        ({"stages": "1s@5/s"}, "stages: the trace gives the rate"),
        ({"duration": "5s"}, "duration: the trace gives it already"),
        ({"tasks": 5}, "tasks: the trace gives them already"),
        ({"arrivals": "poisson"}, "arrivals: the trace says when each task is due"),
        ({"payload_size": "64B"}, "payload_size: the trace gives it already"),
        ({"speed": "fast"}, "speed: 'fast' is not a speed: write for example 2x"),
        ({"speed": 0}, "speed: 0 is out of range"),
        ({"trace": "missing.csv"}, "trace missing.csv: no such file"),
        ({"trace": "/dev/zero"}, "trace /dev/zero: not a file"),
    ],
)
def test_what_contradicts_a_trace_is_refused(
    tmp_path: Path, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        resolve({"trace": str(written(tmp_path, TASKS)), **fields})
    assert message in str(caught.value)


def test_a_file_that_changes_while_it_is_replayed_is_noticed(tmp_path: Path) -> None:
    path = written(tmp_path, TASKS)
    chosen = scenario(path)
    written(tmp_path, TASKS + "9,a_low,100\n")
    with pytest.raises(ScenarioError, match="it has changed since the run was planned"):
        Feed(chosen, 0)


def test_runs_of_different_traces_or_speeds_are_not_comparable(tmp_path: Path) -> None:
    base = example_record()

    def run(text: str, speed: float = 1.0) -> list[RunRecord]:
        replayed = scenario(written(tmp_path, text)).trace
        chosen = msgspec.structs.replace(base.scenario, trace=replayed, speed=speed)
        return [msgspec.structs.replace(base, scenario=chosen)]

    def found(left: list[RunRecord], right: list[RunRecord]) -> list[str]:
        return [each.field for each in differences(left, right, allowed=["order"])]

    other = TASKS.replace("7.5", "7.6")
    assert found(run(TASKS), run(TASKS)) == []
    assert found(run(TASKS), run(other)) == ["scenario.trace"]
    assert found(run(TASKS), run(TASKS, 2.0)) == ["scenario.speed"]


def test_a_row_takes_sixteen_bytes(tmp_path: Path) -> None:
    """A time, a sub-queue and a size."""
    read = read_columns(written(tmp_path, TASKS))
    columns = (read.times_s, read.queues, read.sizes)
    assert sum(each.itemsize for each in columns if each is not None) == 16
