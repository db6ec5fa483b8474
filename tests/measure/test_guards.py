"""When a guard holds, from what is known while a run lasts."""

from dataclasses import replace

import pytest

from bench.measure.guards import GuardWatch, LiveValues, ServerLoad
from bench.measure.histogram import Histogram
from bench.measure.reports import ProducerReport, WorkerReport
from bench.workload.guards import parse_guard

MIB = 1 << 20


def values(**changes: object) -> LiveValues:
    """Five seconds into a run of 100 tasks/s, on a server with 8 of 10 MiB in use."""
    e2e = Histogram()
    for value_us in (1_000, 2_000, 6_000):
        e2e.record(value_us)
    known = LiveValues(
        elapsed_s=5.25,
        is_enqueueing=True,
        queues=["high", "low"],
        backlog={"high": 30, "low": 12},
        recent_e2e=e2e,
        producers=[
            ProducerReport(number=0, enqueued=488, refused=12, enqueued_by_bin=[10] * 60),
        ],
        workers=[
            WorkerReport(
                name="a",
                finished_by_bin=[9] * 60,
                failed_by_bin=[1] * 60,
                failed=13,
                failed_by_queue={1: 13},
                retried={"low": 7},
            )
        ],
        server=ServerLoad(8 * MIB, 10 * MIB, "maxmemory", 0.5),
    )
    return replace(known, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("backlog > 3", 42),
        ("backlog{low} > 3", 12),
        ("redis.memory > 3%", 0.8),
        ("redis.memory > 3MiB", 8 * MIB),
        ("redis.cpu > 3%", 0.5),
        ("errors > 3%", 0.05),
        ("e2e.max > 3ms", 0.006),
        ("e2e.p50 > 3ms", 0.002),
        ("enqueue.rate > 3/s", 100.0),
        ("finished.rate > 3/s", 90.0),
        ("completed.rate > 3/s", 80.0),
        ("failed > 3", 13.0),
        ("failed{low} > 3", 13.0),
        ("failed{high} > 3", 0.0),
        ("retried > 3", 7.0),
        ("duplicated > 3", 0.0),
        ("refused > 3", 12.0),
    ],
)
def test_the_value_of_a_guard(name: str, value: float) -> None:
    assert values().value_of(parse_guard(name).metric) == pytest.approx(value)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("backlog > 3", {"backlog": {}}),
        ("redis.memory > 3%", {"server": ServerLoad(8 * MIB)}),
        ("redis.memory > 3%", {"server": ServerLoad()}),
        ("redis.cpu > 3%", {"server": ServerLoad()}),
        ("errors > 3%", {"producers": []}),
        ("e2e.p99 > 3ms", {"recent_e2e": Histogram()}),
        ("enqueue.rate < 3/s", {"elapsed_s": 1.2}),
        ("enqueue.rate < 3/s", {"is_enqueueing": False}),
    ],
)
def test_what_is_not_known_yet_ends_no_run(name: str, changes: dict[str, object]) -> None:
    guard = parse_guard(name)
    assert values(**changes).value_of(guard.metric) is None
    assert GuardWatch([guard]).held(values(**changes)) is None


def held_at(guard: str, backlogs: list[int | None]) -> float | None:
    """When a guard held that looked every second at these backlogs; None where it never did."""
    watch = GuardWatch([parse_guard(guard)])
    for second, backlog in enumerate(backlogs):
        known = {} if backlog is None else {"high": backlog}
        found = watch.held(values(elapsed_s=float(second), backlog=known))
        if found is not None:
            assert (found.guard, found.value, found.at_s) == (guard, backlog, second)
            return found.at_s
    return None


@pytest.mark.parametrize(
    ("guard", "backlogs", "at_s"),
    [
        ("backlog > 5", [0, 5, 6], 2),
        ("backlog > 5", [0, 5, 5], None),
        ("backlog > 5 for 2s", [0, 6, 6, 6], 3),
        ("backlog > 5 for 2s", [6, 6, 0, 6, 6], None),  # not in a row
        ("backlog > 5 for 2s", [6, 6, 0, 6, 6, 7], 5),
        ("backlog > 5 for 2s", [6, None, None, 6], 3),  # nothing says that it was not so
        ("backlog > 5 for 2s", [6, None, None, None], None),  # and nothing that it is
    ],
)
def test_a_guard_holds_once_it_has_been_true_for_its_time(
    guard: str, backlogs: list[int | None], at_s: float | None
) -> None:
    assert held_at(guard, backlogs) == at_s


def test_the_first_guard_that_holds_is_told() -> None:
    watch = GuardWatch(
        [parse_guard(each) for each in ("backlog > 99", "failed > 3", "errors > 1%")]
    )
    found = watch.held(values())
    assert found is not None
    assert found.guard == "failed > 3"


@pytest.mark.parametrize(
    ("guard", "clause"),
    [
        ("redis.memory > 75%", "redis.memory was 80.0% of maxmemory (10.5 MB)"),
        ("redis.memory > 7MiB", "redis.memory was 8.39 MB: "),
        ("redis.cpu > 20%", "redis.cpu was 50.0% of one core"),
        ("backlog > 5", "backlog was 42"),
        ("e2e.p99 > 5ms", "e2e.p99 was 6.00 ms"),
    ],
)
def test_the_reason_says_which_guard_when_and_at_which_value(guard: str, clause: str) -> None:
    found = GuardWatch([parse_guard(guard)]).held(values())
    assert found is not None
    assert found.reason.startswith(f"the guard '{guard}' ended the run after 5.25 s, as ")
    assert clause in found.reason
