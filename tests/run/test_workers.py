"""Who serves a run's queues: what is started, who is told to begin, and what is said of them."""

from typing import Any, cast

import pytest
import redis

from bench.errors import UsageError
from bench.ipc.messages import Begin, StartObserver, StartWorker
from bench.measure.ledger import Counts
from bench.measure.reports import ObserverReport, ProducerReport, WorkerReport
from bench.run.awaited_workers import (
    NOTICED_WITHIN_S,
    SAID_AFTER_S,
    STARTED_WITHIN_S,
    require_server_of_others,
)
from bench.run.external_worker import ExternalWorker
from bench.workload.scenario import Scenario
from tests.run.scripted import Scene, ScriptedClient, ScriptedProcess, Told
from tests.run.values import LINE, scenario

LIMIT_US = round(NOTICED_WITHIN_S * 1e6)
COMMAND = "sleep 60"


def external(**fields: object) -> Scenario:
    return scenario(worker="external", **fields)


def producers(enqueued: int = 5) -> list[ProducerReport]:
    return [ProducerReport(number=0, enqueued=enqueued)]


def observing(started: int = 0) -> list[WorkerReport]:
    return [
        WorkerReport(name="observer", started=started, observed=ObserverReport(method="polling"))
    ]


def no_worker_message(
    scene: Scene, after_us: int, enqueued: int = 5, workers: list[WorkerReport] | None = None
) -> str | None:
    scene.clock.advance(after_us)
    return scene.workers.no_worker_message(
        producers(enqueued), observing() if workers is None else workers
    )


# Idleness.


def test_no_worker_that_takes_a_task_is_said_after_a_while_with_where_to_look() -> None:
    scene = Scene(external(queues={"inference_high": 1, "inference_low": 1}))
    assert no_worker_message(scene, 0) is None
    assert no_worker_message(scene, LIMIT_US - 1) is None
    assert no_worker_message(scene, 1) == (
        "no worker took a task within 8 s: check that one serves inference_high, inference_low on "
        "this server, in the runqy layout"
    )


def test_the_last_output_of_a_worker_command_is_said_with_it() -> None:
    scene = Scene(external())
    scene.fleet.external_processes = [Told("w", ["connecting", "no such queue"])]
    no_worker_message(scene, 0)
    found = no_worker_message(scene, LIMIT_US)
    assert found is not None
    assert found.endswith("layout; its last output: connecting | no such queue")


@pytest.mark.parametrize(
    ("enqueued", "workers"),
    [
        (0, observing()),
        (5, observing(started=1)),
        (5, []),
        (5, [WorkerReport(name="our own")]),
    ],
)
def test_nobody_is_idle_without_a_task_or_once_one_was_taken_or_where_workers_report(
    enqueued: int, workers: list[WorkerReport]
) -> None:
    scene = Scene(external())
    for after_us in (0, LIMIT_US, LIMIT_US):
        assert no_worker_message(scene, after_us, enqueued, workers) is None


def test_the_wait_begins_with_the_first_task_and_not_with_the_run() -> None:
    scene = Scene(external())
    assert no_worker_message(scene, LIMIT_US, enqueued=0) is None
    assert no_worker_message(scene, LIMIT_US) is None
    assert no_worker_message(scene, LIMIT_US) is not None


def test_a_task_that_is_taken_ends_the_wait() -> None:
    scene = Scene(external())
    assert no_worker_message(scene, 0) is None
    assert no_worker_message(scene, LIMIT_US - 1, workers=observing(started=1)) is None
    assert no_worker_message(scene, 1) is None
    assert no_worker_message(scene, LIMIT_US) is not None


def test_while_queues_are_filled_no_worker_is_expected_to_take_any() -> None:
    scene = Scene(external(worker_start="after-fill", worker_command=COMMAND))
    assert no_worker_message(scene, 0) is None
    assert no_worker_message(scene, 10 * LIMIT_US) is None
    scene.workers.begin_after_fill(LINE)
    assert no_worker_message(scene, LIMIT_US) is None
    assert no_worker_message(scene, LIMIT_US) is not None


def elsewhere(**fields: object) -> Scenario:
    return scenario(workers=0, external_workers=True, **fields)


def test_a_run_that_awaits_workers_says_how_to_start_one_and_ends_in_bounded_time() -> None:
    scene = Scene(elsewhere(queues={"asynq.a": 1}, layout="asynq"))
    assert no_worker_message(scene, 0, workers=[]) is None
    assert scene.workers.note == ""
    assert no_worker_message(scene, round(SAID_AFTER_S * 1e6), workers=[]) is None
    line = "'bench worker asynq --layout asynq --queues asynq.a'"
    assert scene.workers.note == (
        f"no worker has taken a task, and the run ends in 28 s; start one with {line}"
    )
    assert no_worker_message(scene, round(STARTED_WITHIN_S * 1e6), workers=[]) == (
        f"no worker took a task within 30 s: start one on this server, in the asynq layout, with "
        f"{line}"
    )


def test_the_progress_says_nothing_any_more_once_a_worker_elsewhere_has_reported() -> None:
    scene = Scene(elsewhere())
    no_worker_message(scene, 0, workers=[])
    no_worker_message(scene, LIMIT_US, workers=[])
    assert scene.workers.note
    assert no_worker_message(scene, LIMIT_US, workers=[WorkerReport(name="far", started=1)]) is None
    assert scene.workers.note == ""


@pytest.mark.parametrize("chosen", [elsewhere(), external()])
def test_on_a_server_that_nobody_else_knows_no_worker_of_others_is_awaited(
    chosen: Scenario,
) -> None:
    with pytest.raises(UsageError, match="can know of the server that this run starts for itself"):
        require_server_of_others(chosen, "--workers 1")


@pytest.mark.parametrize(
    "chosen",
    [scenario(), scenario(workers=0), external(worker_command=COMMAND)],
)
def test_a_run_that_starts_its_workers_or_has_none_needs_no_server_of_others(
    chosen: Scenario,
) -> None:
    require_server_of_others(chosen, "--workers 1")


# Tasks that are still held.


@pytest.mark.parametrize(
    ("chosen", "active", "held"),
    [
        (external(), (1, 2), 3),
        (external(), (0, 0), None),
        (external(worker_command=COMMAND), (1, 2), None),  # it ends with the run
        (scenario(), (1, 2), None),
    ],
)
def test_only_a_worker_that_outlives_the_run_still_holds_tasks(
    chosen: Scenario, active: tuple[int, int], held: int | None
) -> None:
    counts = {name: Counts(active=count) for name, count in zip("ab", active, strict=True)}
    warning = Scene(chosen).workers.still_held(counts)
    assert (warning is None) == (held is None)
    if warning is not None:
        assert warning.code == "still_held"
        assert f"still held {held} tasks" in warning.message


# What is started.


def start(scene: Scene, **server: Any) -> list[Any]:
    scene.workers.start(cast(redis.Redis, ScriptedClient(**server)))
    return scene.fleet.started


def test_each_of_the_run_s_own_workers_has_a_name_of_its_own() -> None:
    started = start(Scene(scenario(workers=2), with_latency_counts=True))
    assert [type(message) for message in started] == [StartWorker] * 2
    assert [message.name for message in started] == [
        "bench-000000000000abc-0",
        "bench-000000000000abc-1",
    ]
    assert all(message.with_latency_counts for message in started)


@pytest.mark.parametrize(
    ("watch", "flags", "owns_server", "by_events", "configured"),
    [
        ("polling", "KA", False, False, {}),
        ("auto", "", True, False, {}),
        ("auto", None, False, False, {}),
        ("auto", "KA", False, True, {}),
        ("events", "Kgh$", False, True, {}),
        ("events", "", True, True, {"notify-keyspace-events": "Kgh$"}),
    ],
)
def test_an_observer_watches_by_events_where_the_server_sends_them(
    watch: str, flags: str | None, owns_server: bool, by_events: bool, configured: dict[str, str]
) -> None:
    scene = Scene(external(watch=watch), owns_server=owns_server)
    client = ScriptedClient(flags=flags)
    scene.workers.start(cast(redis.Redis, client))
    (message,) = scene.fleet.started
    assert isinstance(message, StartObserver)
    assert (message.by_events, message.progress_board) == (by_events, "/board")
    assert client.settings == configured


def test_the_server_of_others_is_not_configured_and_the_cure_is_said() -> None:
    scene = Scene(external(watch="events"))
    with pytest.raises(UsageError, match=r"needs 'Kgh\$': set it on the server, or use --watch"):
        start(scene, flags="Kg")
    assert scene.fleet.started == []


def test_with_tasks_of_others_in_its_queues_an_external_worker_cannot_be_observed() -> None:
    with pytest.raises(UsageError, match="--allow-shared"):
        Scene(external(), allow_shared=True)


def test_without_a_progress_board_there_is_no_observing() -> None:
    with pytest.raises(UsageError, match="leave out --distributed"):
        Scene(external(), board=None)
    Scene(scenario(), board=None)


# Who is told to begin.


@pytest.mark.parametrize(
    ("chosen", "at_the_start", "after_the_fill"),
    [
        (scenario(), [1, 1], [1, 1]),
        (scenario(worker_start="after-fill"), [0, 0], [1, 1]),
        (external(worker_command=COMMAND), [1, 1], [1, 1]),
        (external(worker_command=COMMAND, worker_start="after-fill"), [1, 0], [2, 1]),
    ],
)
def test_workers_begin_with_the_run_or_once_the_queues_are_full_and_an_observer_at_once(
    chosen: Scenario, at_the_start: list[int], after_the_fill: list[int]
) -> None:
    class Hired(ExternalWorker):
        def __init__(self) -> None:
            self.received: list[Any] = []

        def send(self, message: Any) -> None:
            self.received.append(message)

    first = ScriptedProcess("observer")
    second: Any = Hired() if chosen.is_observed else ScriptedProcess("worker")
    scene = Scene(chosen, workers=[first, second])  # begins

    def begun() -> list[int]:
        return [
            sum(isinstance(message, Begin) for message in process.received)
            for process in (first, second)
        ]

    assert begun() == at_the_start
    scene.workers.begin_after_fill(LINE)
    assert begun() == after_the_fill
    assert scene.workers.observers == ([first] if chosen.is_observed else [])
    assert scene.workers.serving == ([second] if chosen.is_observed else [first, second])
