"""The progress of a capacity search: in place on a terminal, a line for each trial elsewhere."""

import io

import pytest
from rich.console import Console

from bench.analysis.capacity.steps import next_trial
from bench.records.capacity_record import CapacityRecord
from bench.reports.capacity_progress import panel, plain_line, search_view
from tests.records.capacity_fixtures import capacity_of, new_record, searched, with_trial

LARGE = 5_000.0
"""Factor that makes the rates of the simulated system as long as they can be."""


def shown(record: CapacityRecord, width: int, elapsed_s: float = 1.5) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=width).print(panel(record, next_trial(record), elapsed_s))
    return text.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("trials", [0, 1, 5, 30])
def test_each_level_has_a_line_that_no_terminal_cuts(width: int, trials: int) -> None:
    record = searched([1, 16, 256], lambda n: LARGE * capacity_of(n), 900.0, most_trials=trials)
    lines = shown(record, width)
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    assert lines[0].startswith(f"trial {trials + 1}: ")
    assert [line.split("  ")[0].rstrip() for line in lines[3:6]] == [
        "slots 1",
        "slots 16",
        "slots 256",
    ]


def test_the_bounds_close_in_and_the_time_runs_out() -> None:
    record = searched([1, 2], budget_s=400.0, most_trials=6)
    before, after = shown(record, 80, 0.0), shown(record, 80, 10.0)
    assert before != after
    assert before[0] == after[0]
    assert after[3].startswith("slots 1")
    assert "holds " in after[3]
    assert after[4].split() == ["slots", "2", "not", "begun"]


def test_a_pipe_gets_one_line_for_each_trial(capsys: pytest.CaptureFixture[str]) -> None:
    record = new_record([2], 200.0)
    with search_view(False) as watch:
        for _ in range(4):
            step = next_trial(record)
            assert step is not None
            for _ in range(20):
                watch(record, step)
            record = with_trial(record, step)
        watch(record, None)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert [line.split(" · ")[1].partition(":")[0] for line in lines[:4]] == [
        f"trial {number}" for number in range(1, 5)
    ]
    assert " left · holds (" in lines[3]
    three = searched([2], budget_s=200.0, most_trials=3)
    assert lines[3] == plain_line(three, next_trial(three))
    assert lines[4].endswith("all trials are done")
    with search_view(True) as watch:
        watch(record, None)
    assert capsys.readouterr().err == ""
