"""What is collected when a run is over, and what is removed from the server then."""

from typing import Any

import pytest
import redis

from bench import environment
from bench.clock import Offset
from bench.ipc.messages import Stop
from bench.measure.bits import Bits
from bench.records.run_record import RecordWarning
from bench.redisio import clock_sync, queue_keys, server_info
from bench.redisio.clock_sync import Agreement
from bench.redisio.queue_keys import ListedTasks
from bench.run.build_record import build_record
from bench.run.collect import collect
from bench.run.collected import CollectedRun
from bench.run.run import clean_up
from bench.workload.scenario import Scenario
from tests.run.scripted import RUN, Scene, ScriptedProcess, done, kinds, producer, worker
from tests.run.values import START_US, bits, collected, scenario, usage
from tests.run.values import worker as worker_report

QUEUE = "inference_default"


# Collecting.


class NoQueries:
    """Queries of a run that has sent nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the server answers at the end; an exception where it does not."""
    answers: dict[str, Any] = {
        "usage": usage(),
        "pending": ListedTasks(),
        "active": ListedTasks(),
        "clocks": Agreement(),
    }

    def answer(name: str) -> Any:
        if isinstance(answers[name], Exception):
            raise answers[name]
        return answers[name]

    def find(*arguments: Any) -> Any:
        assert arguments[-1] == RUN
        return answer(arguments[3].name.lower())

    monkeypatch.setattr(server_info, "read_usage", lambda _: answer("usage"))
    monkeypatch.setattr(queue_keys, "find", find)
    monkeypatch.setattr(clock_sync, "agreement", lambda *_: answer("clocks"))
    monkeypatch.setattr(environment, "describe", lambda *counts: {"of": counts})
    monkeypatch.setattr("bench.run.collect.TaskQueries", NoQueries)
    monkeypatch.setattr("bench.run.remaining.poppers", lambda _: [])
    return answers


def test_everything_is_collected_when_the_workers_have_sent_their_final_reports(
    server: dict[str, Any],
) -> None:
    bits = Bits()
    server |= {"pending": ListedTasks({0: bits}), "clocks": Agreement(12.5, 7.5)}
    sending, serving = producer(sent=3), worker(completed=3)
    serving.ends_at_stop = False
    scene = Scene(producers=[sending], workers=[serving])
    done(sending)
    scene.after(2_000_000, lambda: done(serving))
    found = collect(scene.supervisor)
    assert kinds(serving) == [Stop]
    assert found.duration_s == pytest.approx(2.0, abs=0.2)
    assert (found.run_id, found.command) == (RUN, "a test")
    assert (found.producers, found.workers) == ([sending.report], [serving.report])
    assert (found.remaining.pending, found.remaining.active) == ({0: bits}, {})
    assert (found.usage_before, found.usage_after) == (usage(), usage())
    assert (found.clock_error_us, found.clocks_apart_us) == (12.5, 7.5)
    assert found.interruptions == ()
    assert found.environment == {"of": (1, 1)}
    assert found.own_peak_memory_bytes > 0
    assert scene.shown[-1].phase == "stopping"


def test_clocks_that_producers_took_for_the_run_s_are_compared_with_it(
    server: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of Locust may be on a host that only looks like the run's."""
    asked: list[Any] = []

    def agreement(*arguments: Any) -> Agreement:
        asked.extend(arguments[2:])
        return Agreement()

    monkeypatch.setattr(clock_sync, "agreement", agreement)
    mapping = {"clock_offset_us": 5_000_000, "clock_offset_error_us": 30.0}
    of_a_copy = producer(**mapping)
    elsewhere = producer(**mapping, shares_clock=False, clock_error_us=40.0)
    own = producer()
    for each in (of_a_copy, elsewhere, own):
        done(each)
    collect(Scene(producers=[of_a_copy, elsewhere, own]).supervisor)
    assert asked == [[0.0, 40.0, 0.0], [Offset(5_000_000, 30.0)]]


def test_what_was_collected_is_whole_and_frozen(server: dict[str, Any]) -> None:
    whole = collect(Scene().supervisor)
    assert type(whole) is CollectedRun
    found: Any = whole
    with pytest.raises(AttributeError):
        found.duration_s = 1.0
    with pytest.raises(AttributeError):
        found.more = 1


def test_an_observer_stops_after_the_workers_and_after_the_lists_were_read(
    server: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    observer = worker()
    monkeypatch.setattr(observer, "send", lambda message: order.append("observer"))
    real = queue_keys.find

    def find(*arguments: Any) -> Any:
        order.append("lists")
        return real(*arguments)

    monkeypatch.setattr(queue_keys, "find", find)
    scene = Scene(scenario(worker="external"), workers=[observer])
    done(observer)
    del order[:]  # the message to begin
    collect(scene.supervisor)
    assert order == ["lists", "lists", "observer"]


def test_a_worker_without_a_final_report_is_not_waited_for_beyond_its_last_news(
    server: dict[str, Any],
) -> None:
    silent = worker()
    silent.ends_at_stop = False
    scene = Scene(workers=[silent])

    def news() -> None:
        silent.report.revision += 1

    scene.after(10_000_000, news)
    found = collect(scene.supervisor)
    assert found.duration_s == pytest.approx(25.0, abs=0.3)
    assert found.interruptions == ("worker 0 sent no final report within 15 s",)


def test_reasons_of_all_processes_are_told_once_each(server: dict[str, Any]) -> None:
    broken, dead = producer(error="no server"), worker()
    done(broken)
    dead.reason = "worker 0 died"
    scene = Scene(producers=[broken], workers=[dead])
    scene.supervisor.state.interrupt("worker 0 died")
    assert collect(scene.supervisor).interruptions == ("worker 0 died", "no server")


@pytest.mark.parametrize("what", ["pending", "active", "clocks"])
def test_a_server_that_stops_answering_is_told_once(server: dict[str, Any], what: str) -> None:
    server[what] = redis.exceptions.ConnectionError("gone")
    server["clocks"] = redis.exceptions.ConnectionError("gone")
    found = collect(Scene().supervisor)
    assert found.interruptions == (
        "the server stopped answering: what is left in its queues is not known",
    )
    assert found.clock_error_us == 0.0


def test_without_figures_of_the_server_a_run_is_whole_all_the_same(
    server: dict[str, Any],
) -> None:
    server["usage"] = redis.exceptions.ResponseError("NOPERM")
    found = collect(Scene().supervisor)
    assert found.usage_after is None
    assert found.interruptions == ()


# Cleaning up.

PROBLEM = RecordWarning("not_removed", "it cannot be removed")
HELD = build_record(collected(active={0: bits(0, 1)}, workers=[worker_report({0: range(2, 100)})]))
EXTERNAL = scenario(worker="external")


@pytest.mark.parametrize(
    ("chosen", "request_", "problem", "code", "keep"),
    [
        (scenario(), {"owns_server": True}, PROBLEM, None, None),
        (scenario(), {}, None, None, False),
        (scenario(), {}, PROBLEM, "not_removed", False),
        (scenario(), {"keep": True}, None, None, True),
        (scenario(), {"keep": True}, PROBLEM, "not_removed", True),
        (EXTERNAL, {}, None, "still_held", False),
        (EXTERNAL, {}, PROBLEM, "not_removed", False),
        (EXTERNAL, {"keep": True}, None, None, True),
        (EXTERNAL, {"owns_server": True}, None, None, None),
    ],
)
def test_what_is_removed_and_what_is_said_of_it(
    chosen: Scenario,
    request_: dict[str, Any],
    problem: RecordWarning | None,
    code: str | None,
    keep: bool | None,
) -> None:
    sending, unheard = producer(sent=7), ScriptedProcess("producer 1")
    scene = Scene(chosen, producers=[sending, unheard], **request_)
    scene.cleanup.problem = problem
    warning = clean_up(scene.prepared, HELD)
    assert (None if warning is None else warning.code) == code
    expected = [] if keep is None else [(RUN, None, START_US // 1_000_000, keep)]
    assert scene.cleanup.asked == expected
