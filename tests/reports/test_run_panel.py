"""What a terminal shows of a run while it lasts."""

import math
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.leases import Leases
from bench.measure.objectives_so_far import ObjectiveSoFar, ObjectiveState
from bench.measure.progress import Behind, Gathered, Progress
from bench.measure.trend import RunTrend, TrendPoint
from bench.reports.run_notes import verdict_so_far
from bench.reports.run_panel import PanelSize, panel, stage
from bench.workload.faults import Fault, FaultKind
from tests import golden
from tests.records.fixtures import example_record
from tests.reports.test_run import progress

SCENARIO = msgspec.structs.replace(example_record().scenario, name="priority")
LATE = Behind(1.25, 400_000, 13.0)
OBJECTIVES = (
    ObjectiveSoFar("e2e.p99 < 50ms", 0.0512, ObjectiveState.MISSED),
    ObjectiveSoFar("enqueue.rate >= 800/s", 850.0, ObjectiveState.MET),
    ObjectiveSoFar("retried >= 5", 3.0, ObjectiveState.NOT_REACHED),
    ObjectiveSoFar("lost == 0", None, ObjectiveState.AT_THE_END),
)


def trend(points: int, step_s: int = 1) -> RunTrend:
    return RunTrend(
        step_s,
        tuple(
            TrendPoint(
                round(1022 * abs(math.sin(number / 9))),
                None if number == 3 else 0.002 + 0.18 * abs(math.sin(number / 4)),
            )
            for number in range(points)
        ),
    )


def steady(**changes: object) -> Progress:
    values: dict[str, object] = {"warmup_until_s": 2.0, "trend": trend(30)}
    return progress(**{**values, "objectives": OBJECTIVES, **changes})


def shown(state: Progress, size: PanelSize) -> str:
    return "".join(f"{line.plain}\n" for line in panel(SCENARIO, state, size))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("80", PanelSize(79, 23)),
        ("120", PanelSize(119, 40)),
        ("50", PanelSize(49, 40)),
        ("low", PanelSize(79, 12)),
        ("ascii", PanelSize(79, 23, is_ascii=True)),
    ],
)
def test_a_run_that_goes_well_at_several_sizes(name: str, size: PanelSize) -> None:
    golden.check(f"panel-{name}.txt", shown(steady(), size))


def test_the_states_of_a_run_at_80_columns() -> None:
    states = {
        "no report yet": progress(elapsed_s=0.0, p50_s=None, p99_s=None, backlog={}, finished=0),
        "waiting for Locust's workers": progress(phase="waiting", gathered=Gathered(1, 2)),
        "warm-up": progress(warmup_until_s=5.0, trend=trend(4)),
        "cannot keep up": steady(behind=LATE, was_behind=True, objectives=()),
        "kept up again": steady(was_behind=True, objectives=()),
        "nobody serves": progress(unserved="no worker has taken a task, and the run ends in 28 s"),
        "the backlog grows": progress(grows_per_s=120.5, trend=trend(12)),
        "a number of tasks": progress(planned_s=None, planned_tasks=100_000),
        "no planned end": progress(planned_s=None),
        "draining": progress(phase="draining", drain_left_s=25.4, enqueued=9000, trend=trend(72)),
        "draining takes long": progress(phase="draining", drain_left_s=1.0, enqueued=9000),
        "leases": progress(phase="draining", backlog={}, leases=Leases(2, 1_800_000_000.0)),
        "a long run": progress(elapsed_s=500, planned_s=3600.0, trend=trend(63, step_s=8)),
        "many sub-queues": progress(backlog={f"tenant_{n}_default": n for n in range(40)}),
    }
    text = "".join(
        f"## {name}\n{shown(state, PanelSize(79, 23))}\n" for name, state in states.items()
    )
    golden.check("panel-states.txt", text)


@pytest.mark.parametrize(
    ("changes", "fields", "name"),
    [
        ({}, {}, "measuring"),
        ({"warmup_until_s": 3.3}, {}, "warm-up"),
        ({"warmup_until_s": 3.3}, {"worker_start": "after-fill"}, "filling"),
        ({}, {"worker_start": "after-fill", "workers": 0}, "measuring"),
        ({"phase": "draining", "warmup_until_s": 9.0}, {}, "draining"),
        ({"phase": "cleaning"}, {}, "cleaning"),
    ],
)
def test_the_stage_says_what_enqueueing_is_for(
    changes: dict[str, object], fields: dict[str, object], name: str
) -> None:
    scenario = msgspec.structs.replace(SCENARIO, **fields)
    assert stage(scenario, progress(**changes)) == name


@pytest.mark.parametrize(
    ("changes", "workers", "verdict"),
    [
        ({}, 1, "valid"),
        ({"finished": 0}, 1, None),
        ({"finished": 0}, 0, "valid"),
        ({"finished": 0, "enqueued": 0}, 0, None),
        ({"warmup_until_s": 4.0}, 1, None),
        ({"warmup_until_s": 4.0, "behind": LATE}, 1, "generator_limited"),
        ({"was_behind": True}, 1, "generator_limited"),
        ({"grows_per_s": 20.0}, 1, "unstable"),
        ({"grows_per_s": 20.0, "phase": "draining"}, 1, "unstable"),
        ({"unserved": "no worker"}, 1, "incomplete"),
        ({"phase": "draining", "drain_left_s": 0.5, "enqueued": 9000}, 1, "incomplete"),
    ],
)
def test_a_run_is_valid_so_far_only_once_something_was_measured_and_nothing_is_wrong(
    changes: dict[str, object], workers: int, verdict: str | None
) -> None:
    scenario = msgspec.structs.replace(SCENARIO, workers=workers)
    assert verdict_so_far(scenario, progress(**changes)).verdict == verdict


def test_of_many_objectives_those_that_are_missed_are_shown() -> None:
    met = [
        ObjectiveSoFar(f"e2e.p{number} < 1s", 0.1, ObjectiveState.MET) for number in range(10, 30)
    ]
    missed = ObjectiveSoFar("e2e.p99 < 50ms", 0.0512, ObjectiveState.MISSED)
    text = shown(progress(objectives=(*met, missed)), PanelSize(79, 40))
    assert "✗ e2e.p99 < 50ms  51.2 ms  missed so far" in text
    assert text.endswith("  13 more\n")


def test_text_of_others_is_only_shown() -> None:
    state = progress(backlog={"a\x1b[2J": 1, "b": 2}, unserved="odd \x1b]0;title\x07")
    text = shown(state, PanelSize(79, 40))
    assert "\x1b" not in text
    assert "\\x1b[2J 1" in text


@given(
    st.integers(1, 200),
    st.integers(1, 60),
    st.integers(0, 72),
    st.booleans(),
    st.sampled_from(["enqueueing", "draining", "stopping"]),
    st.integers(0, 10**15),
)
def test_no_line_is_wider_than_its_room(
    width: int, height: int, points: int, is_ascii: bool, phase: str, count: int
) -> None:
    state = steady(
        trend=trend(points),
        phase=phase,
        enqueued=count,
        enqueued_per_s=count,
        behind=LATE,
        backlog={"inference_high": count, "日本語": 1},
        drain_left_s=3.0,
    )
    lines = panel(SCENARIO, state, PanelSize(width, height, is_ascii))
    assert max(line.cell_len for line in lines) <= width


def test_charts_are_left_out_before_anything_else_where_rows_are_few() -> None:
    low, high = (panel(SCENARIO, steady(), PanelSize(79, height)) for height in (12, 23))
    assert len(low) <= 12 < len(high) <= 23
    assert {line.plain for line in low} <= {line.plain for line in high}


def test_faults_under_way_and_the_next_one_have_a_line_that_is_no_wider_than_its_room() -> None:
    stall = Fault(kind=FaultKind.STALL, at_s=7.0, lasts_s=3.0, text="7s stall server 3s")
    kill = Fault(kind=FaultKind.KILL, at_s=60.0, text="60s kill worker 1")
    scenario = msgspec.structs.replace(SCENARIO, faults=(stall, kill))
    state = replace(steady(), elapsed_s=8.2, phase="enqueueing")
    text = "\n".join(line.plain for line in panel(scenario, state, PanelSize(100, 30)))
    assert "✗ 7s stall server 3s: since 1.2 s; next fault in 52 s: 60s kill worker 1" in text
    assert all(line.cell_len <= 30 for line in panel(scenario, state, PanelSize(30, 30)))
    gone = replace(state, phase="cleaning")
    assert "fault" not in "\n".join(
        line.plain for line in panel(scenario, gone, PanelSize(100, 30))
    )
