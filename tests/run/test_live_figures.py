"""What the progress of a run shows of the time since its start."""

from dataclasses import replace

import msgspec
import pytest

from bench.measure.objectives_so_far import ObjectiveState
from bench.measure.progress import Behind, Progress, progress_of
from bench.measure.reports import ProducerReport
from bench.run.live_figures import LiveFigures
from bench.workload.scenario import Scenario

SCENARIO = Scenario(queues={"q": 1.0}, rate_per_s=100, duration_s=20, warmup_s=2.0)


def after(
    live: LiveFigures,
    elapsed_s: float,
    backlog: int = 0,
    behind: Behind | None = None,
    phase: str = "enqueueing",
    bins: int = 0,
) -> Progress:
    reports = [ProducerReport(number=0, enqueued_by_bin=[10] * bins)]
    state = progress_of(phase, elapsed_s, SCENARIO, reports, [], [backlog])
    return live.extended(replace(state, behind=behind), reports, [])


def test_a_backlog_that_grows_throughout_the_window_is_told_and_stays_so_in_the_drain() -> None:
    live = LiveFigures(SCENARIO)
    backlogs = [900, 0, *range(0, 600, 100)]
    found = [after(live, second + 0.5, each) for second, each in enumerate(backlogs)]
    assert [each.grows_per_s for each in found] == [None] * 6 + [100.0, 100.0]
    assert after(live, 20.5, phase="draining").grows_per_s == 100.0


@pytest.mark.parametrize("changes", [{"workers": 0}, {"worker_start": "after-fill"}])
def test_a_backlog_that_is_meant_to_grow_is_not_told(changes: dict[str, object]) -> None:
    live = LiveFigures(msgspec.structs.replace(SCENARIO, **changes))
    assert [after(live, second, 100 * second).grows_per_s for second in range(9)] == [None] * 9


def test_lateness_counts_from_the_end_of_the_warmup_on_and_is_remembered() -> None:
    live, late = LiveFigures(SCENARIO), Behind(0.3, 100, None)
    found = [after(live, *each).was_behind for each in ((1.9, 0, late), (3, 0, None))]
    assert found == [False, False]
    assert [after(live, *each).was_behind for each in ((4, 0, late), (5, 0, None))] == [True, True]


def test_a_rate_is_measured_until_enqueueing_has_ended() -> None:
    live = LiveFigures(msgspec.structs.replace(SCENARIO, slo=("enqueue.rate >= 100/s",)))
    states = [
        after(live, 3.25, bins=30).objectives[0],
        after(live, 4.0, bins=40, phase="draining").objectives[0],
        after(live, 9.0, bins=40, phase="draining").objectives[0],
    ]
    assert [(each.value, each.state) for each in states] == [(100.0, ObjectiveState.MET)] * 3


@pytest.mark.parametrize(("warmup_s", "until_s"), [(None, 5.0), (0.0, 0.0), (3.0, 3.0)])
def test_the_warmup_ends_as_given_or_at_the_latest_when_it_must(
    warmup_s: float | None, until_s: float
) -> None:
    scenario = Scenario(queues={"q": 1.0}, rate_per_s=100, duration_s=20, warmup_s=warmup_s)
    assert after(LiveFigures(scenario), 1).warmup_until_s == until_s
