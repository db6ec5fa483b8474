"""How objectives stand while a run lasts."""

import pytest

from bench.measure.histogram import Histogram
from bench.measure.objectives_so_far import (
    MeasuredSoFar,
    ObjectiveSoFar,
    ObjectiveState,
    objectives_so_far,
)
from bench.measure.reports import ObserverReport, ProducerReport, WorkerReport

MET, MISSED, NOT_REACHED, NO_DATA, AT_THE_END = ObjectiveState


def e2e(*values_us: int) -> Histogram:
    made = Histogram()
    for value_us in values_us:
        made.record(value_us)
    return made


def measured(**changes: object) -> MeasuredSoFar:
    """Ten seconds of 100 tasks/s, of which one of two workers has failed some."""
    values: dict[str, object] = {
        "queues": ["high", "low"],
        "e2e": e2e(1_000, 2_000, 6_000),
        "producers": [ProducerReport(number=0, refused=2, enqueued_by_bin=[10] * 100)],
        "workers": [
            WorkerReport(name="a", finished_by_bin=[9] * 100),
            WorkerReport(
                name="b",
                finished_by_bin=[1] * 100,
                failed_by_bin=[1] * 50,
                failed=50,
                failed_by_queue={1: 50},
                retried={"low": 7},
                duplicated={"high": 1},
            ),
        ],
        "start_s": 0.0,
        "end_s": 10.0,
    }
    return MeasuredSoFar(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("expression", "value", "state"),
    [
        ("e2e.p50 < 3ms", 0.002, MET),
        ("e2e.max < 5ms", 0.006, MISSED),
        ("e2e.min >= 1ms", 0.001, MET),
        ("e2e.mean < 3ms", 0.003, MISSED),
        ("e2e{high}.p99 < 5ms", None, AT_THE_END),
        ("queue_wait.p99 < 5ms", None, AT_THE_END),
        ("enqueue.rate >= 100/s", 100.0, MET),
        ("finished.rate > 100/s", 100.0, MISSED),
        ("completed.rate >= 95/s", 95.0, MET),
        ("failed == 0", 50.0, MISSED),
        ("failed{high} == 0", 0.0, MET),
        ("failed{low} <= 50", 50.0, MET),
        ("failed{low} >= 51", 50.0, NOT_REACHED),
        ("failed == 60", 50.0, NOT_REACHED),
        ("retried{low} > 7", 7.0, NOT_REACHED),
        ("retried < 8", 7.0, MET),
        ("duplicated == 0", 1.0, MISSED),
        ("refused < 2", 2.0, MISSED),
        ("refused{low} == 0", None, AT_THE_END),
        ("failed{unheard_of} == 0", None, AT_THE_END),
        ("lost == 0", None, AT_THE_END),
        ("completed >= 10", None, AT_THE_END),
        ("server_cpu_us_per_task < 9", None, AT_THE_END),
    ],
)
def test_an_objective_stands_as_far_as_it_is_known(
    expression: str, value: float | None, state: ObjectiveState
) -> None:
    found = objectives_so_far([expression], measured())
    assert found == (ObjectiveSoFar(expression, value, state),)


@pytest.mark.parametrize("expression", ["e2e.p99 < 1h", "e2e.max < 1h", "enqueue.rate > 0/s"])
def test_without_data_an_objective_neither_holds_nor_fails(expression: str) -> None:
    nothing = measured(e2e=Histogram(), producers=[], workers=[], end_s=-0.25)
    assert [each.state for each in objectives_so_far([expression], nothing)] == [NO_DATA]


@pytest.mark.parametrize("expression", ["failed == 0", "completed.rate > 1/s"])
def test_how_tasks_ended_is_not_known_where_they_are_observed(expression: str) -> None:
    observer = WorkerReport(
        name="o", finished_by_bin=[9] * 100, observed=ObserverReport(method="polling")
    )
    assert [
        each.state for each in objectives_so_far([expression], measured(workers=[observer]))
    ] == [AT_THE_END]


def test_the_rate_of_a_drain_is_known_at_its_end() -> None:
    filled = measured(is_filled_first=True)
    states = [each.state for each in objectives_so_far(["finished.rate > 1/s"], filled)]
    assert states == [AT_THE_END]
