"""A run while it lasts: how it begins, when it ends, and why it is cut short."""

from typing import Any

import pytest
import redis

from bench.ipc.messages import Begin, SendReport, Stop
from bench.ipc.remote import FoundReports
from bench.measure.reports import WorkerReport
from bench.run.awaited_workers import STARTED_WITHIN_S
from bench.run.start import MOST_START_DELAY_US, START_DELAY_US, start
from tests.run.scripted import Scene, done, kinds, producer, worker
from tests.run.values import START_US, scenario

QUEUE = "inference_default"
UNSERVED = "nothing was enqueued and no task was taken for 30 s"


# Starting.


def test_all_processes_begin_on_the_same_time_line_in_a_moment() -> None:
    processes = [producer(), producer()]
    scene = Scene(producers=processes, workers=[worker()])
    for process in (*processes, *scene.fleet.workers):
        del process.received[:]
    running = start(scene.prepared)
    delay_us = START_DELAY_US + scene.scenario.concurrency * 1_000
    assert running.line.start_us == START_US + delay_us
    for process in (*processes, *scene.fleet.workers):
        assert process.received == [Begin(running.line)]
    assert running.offset_us() == -delay_us


@pytest.mark.parametrize(
    ("fields", "is_local", "delay_us"),
    [
        ({"workers": 0}, True, START_DELAY_US),
        ({"concurrency": 50}, True, START_DELAY_US + 50_000),
        ({"concurrency": 500}, True, MOST_START_DELAY_US),
        ({"workers": 0}, False, MOST_START_DELAY_US),
    ],
)
def test_a_run_begins_once_its_processes_can_be_there(
    fields: dict[str, object], is_local: bool, delay_us: int
) -> None:
    scene = Scene(scenario(**fields))
    scene.fleet.is_local = is_local
    assert start(scene.prepared).line.start_us == START_US + delay_us


@pytest.mark.parametrize(
    ("fields", "most_s"),
    [
        ({"duration": 4}, 1.0),
        ({"duration": 400}, 10.0),
        ({"duration": None, "tasks": 400}, 1.0),
        ({"rate": "max", "tasks": 400}, 10.0),
    ],
)
def test_a_warm_up_takes_a_quarter_of_the_run_and_ten_seconds_at_the_most(
    fields: dict[str, object], most_s: float
) -> None:
    assert scenario(**fields).most_warmup_s == most_s


# Watching.


def test_watching_ends_when_every_producer_has_sent_everything() -> None:
    first, second = producer(), producer()
    scene = Scene(producers=[first, second])
    scene.after(1_000_000, lambda: done(first))
    scene.after(2_000_000, lambda: done(second))
    scene.supervisor.watch()
    assert scene.elapsed_s == pytest.approx(2.0, abs=0.1)
    assert scene.supervisor.state.interruptions == []
    assert kinds(first) == []


def test_a_run_that_is_to_stop_stops_its_producers_and_waits_for_them_for_a_while() -> None:
    quick, stuck = producer(), producer()
    stuck.ends_at_stop = False
    scene = Scene(producers=[quick, stuck])

    def stop() -> None:
        scene.should_stop = True

    scene.after(1_000_000, stop)
    scene.supervisor.watch()
    assert scene.supervisor.state.interruptions == ["the run was interrupted before its end"]
    assert (kinds(quick), kinds(stuck)) == ([Stop], [Stop])
    assert scene.elapsed_s == pytest.approx(6.0, abs=0.3)


def test_a_run_without_an_end_of_its_own_is_ended_once_and_is_not_interrupted() -> None:
    process = producer()
    process.ends_at_stop = False
    scene = Scene(producers=[process])
    scene.should_end = True
    scene.after(1_000_000, lambda: done(process))
    scene.supervisor.watch()
    assert kinds(process) == [Stop]
    assert scene.supervisor.state.interruptions == []


@pytest.mark.parametrize("of_worker", [True, False])
def test_a_process_that_dies_ends_the_run_with_its_reason(of_worker: bool) -> None:
    sending, serving = producer(), worker()
    scene = Scene(producers=[sending], workers=[serving])
    dying = serving if of_worker else sending

    def die() -> None:
        dying.reason = "it died with exit code 3"

    scene.after(500_000, die)
    scene.supervisor.watch()
    assert scene.supervisor.state.interruptions == ["it died with exit code 3"]
    assert scene.elapsed_s < 1


@pytest.mark.parametrize(
    ("fields", "state", "is_ended"),
    [
        ({"rate": "max", "tasks": 900, "max_backlog": 10}, {}, True),
        ({"rate": "max", "tasks": 900, "max_backlog": 10}, {"in_flight": 1}, False),
        ({"rate": "max", "duration": 90, "max_backlog": 10}, {}, False),
        ({"rate": 0.01, "tasks": 2}, {}, False),
    ],
)
def test_a_closed_loop_of_a_number_of_tasks_does_not_wait_for_ever_for_workers(
    fields: dict[str, object], state: dict[str, int], is_ended: bool
) -> None:
    process = producer()
    scene = Scene(scenario(**fields), producers=[process], workers=[worker(**state)])
    scene.after(60_000_000, lambda: done(process))
    scene.supervisor.watch()
    said = scene.supervisor.state.interruptions
    assert [sentence.split(",")[0] for sentence in said] == ([UNSERVED] if is_ended else [])


def test_the_server_is_sampled_once_a_second_from_the_start_on() -> None:
    """Each at the first turn of its second, so that no second is left out."""
    process = producer()
    scene = Scene(producers=[process])
    scene.clock.time_us = START_US - 450_000
    turn_us = 370_000
    scene.fleet.script = lambda _: scene.clock.advance(turn_us - 100_000)
    scene.after(20_000_000, lambda: done(process))
    scene.supervisor.watch()
    assert [at_us // 1_000_000 for at_us in scene.sampler.sampled_us] == list(range(21))
    assert all(at_us % 1_000_000 < turn_us for at_us in scene.sampler.sampled_us)


def test_progress_is_shown_a_few_times_a_second() -> None:
    process = producer(due=7)
    scene = Scene(producers=[process])
    scene.after(2_000_000, lambda: done(process))
    scene.supervisor.watch()
    assert 6 <= len(scene.shown) <= 9
    assert (scene.shown[0].phase, scene.shown[0].due) == ("enqueueing", 7)


# Draining.


def drained(
    scene: Scene, over_from_us: int, chosen_stop_us: int | None = None
) -> tuple[float, list[str], bool]:
    """Seconds that it took, why it ended early, and whether the time was over."""
    scene.draining.over_from_us = over_from_us

    def stop() -> None:
        scene.should_stop = True

    if chosen_stop_us is not None:
        scene.after(chosen_stop_us, stop)
    scene.supervisor.drain()
    state = scene.supervisor.state
    return scene.elapsed_s, state.interruptions, bool(state.drain_waited_for)


def test_a_drain_lasts_until_nothing_is_left_to_wait_for() -> None:
    scene = Scene(scenario(drain_timeout=10), workers=[worker()])
    scene.clock.advance(1_000_000)
    took_s, interruptions, timed_out = drained(scene, 3_000_000)
    assert took_s == pytest.approx(3.0, abs=0.2)
    assert (interruptions, timed_out) == ([], False)
    assert scene.supervisor.state.drain_started_s == 1.0


def test_a_drain_shows_how_long_it_may_still_take_once_its_rate_is_known() -> None:
    scene = Scene(scenario(drain_timeout=10), workers=[worker()])
    drained(scene, 4_000_000)
    left_s = [each.drain_left_s for each in scene.shown]
    known = [each for each in left_s if each is not None]
    assert left_s[: len(left_s) - len(known)] == [None] * (len(left_s) - len(known))
    assert known[0] == pytest.approx(8.75, abs=0.3)
    assert known == sorted(known, reverse=True)


@pytest.mark.parametrize(
    ("state", "is_empty", "timed_out"),
    [
        ({}, False, True),
        ({"in_flight": 1}, True, True),
        ({"waiting_retry": 1}, True, True),
        ({}, True, False),
    ],
)
def test_a_drain_that_takes_too_long_has_timed_out_where_work_is_left(
    state: dict[str, int], is_empty: bool, timed_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(scenario(drain_timeout=2), workers=[worker(**state)])
    monkeypatch.setattr(scene.draining, "is_over", lambda *_, **__: False)
    monkeypatch.setattr(scene.draining, "is_empty", lambda **_: is_empty)
    took_s, interruptions, found = drained(scene, 0)
    assert took_s == pytest.approx(2.0, abs=0.3)
    assert (interruptions, found) == ([], timed_out)


def test_workers_are_asked_once_the_lists_are_empty_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = worker()
    scene = Scene(scenario(drain_timeout=10), workers=[served])
    monkeypatch.setattr(scene.draining, "is_over", lambda *_, **__: bool(kinds(served)))
    took_s, interruptions, timed_out = drained(scene, 3_000_000)
    assert kinds(served) == [SendReport]
    assert took_s == pytest.approx(3.0, abs=0.2)
    assert (interruptions, timed_out) == ([], False)


def test_workers_that_do_not_end_are_asked_ten_times_a_second_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served = worker()
    scene = Scene(scenario(drain_timeout=10), workers=[served])
    monkeypatch.setattr(scene.draining, "is_over", lambda *_, **__: False)
    drained(scene, 0)
    assert 100 < len(kinds(served)) < 150  # more often only in the first second


def test_a_run_that_is_stopped_while_it_drains_is_interrupted() -> None:
    scene = Scene(scenario(drain_timeout=60), workers=[worker()])
    took_s, interruptions, timed_out = drained(scene, 1 << 50, chosen_stop_us=2_000_000)
    assert took_s < 3
    assert interruptions == ["the run was interrupted while its queues were drained"]
    assert not timed_out


def test_a_worker_that_dies_ends_the_drain_with_its_reason() -> None:
    process = worker()
    scene = Scene(scenario(drain_timeout=60), workers=[process])

    def die() -> None:
        process.reason = "it died"

    scene.after(1_000_000, die)
    took_s, interruptions, _ = drained(scene, 1 << 50)
    assert took_s < 2
    assert interruptions == ["it died"]


@pytest.mark.parametrize("interrupted", [True, False])
def test_there_is_no_drain_after_an_interruption_or_without_workers(interrupted: bool) -> None:
    scene = Scene(scenario() if interrupted else scenario(workers=0))
    if interrupted:
        scene.supervisor.state.interruptions.append("cut short")
    drained(scene, 1 << 50)
    assert scene.elapsed_s == 0
    assert scene.supervisor.state.drain_started_s is None


def test_workers_elsewhere_are_awaited_until_one_has_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(scenario(workers=0, external_workers=True, drain_timeout=2))
    reports: list[WorkerReport] = []
    found = FoundReports(reports, {})
    monkeypatch.setattr("bench.run.supervisor.remote.collect", lambda *_, **__: found)
    scene.after(1_000_000, lambda: reports.append(WorkerReport(name="far", completed=3)))
    drained(scene, 1 << 50)
    awaited = scene.draining.awaited
    assert awaited[0]
    assert not awaited[-1]
    assert [report.name for report in scene.supervisor.worker_reports()] == ["far"]


def test_while_no_worker_elsewhere_takes_a_task_the_progress_says_so_until_the_run_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene(scenario(workers=0, external_workers=True), producers=[producer(enqueued=5)])
    monkeypatch.setattr(
        "bench.run.supervisor.remote.collect", lambda *_, **__: FoundReports([], {})
    )
    monkeypatch.setattr("bench.run.supervisor.other_layout_note", lambda *_, **__: "")
    scene.supervisor.watch()
    (reason,) = scene.supervisor.state.interruptions
    assert reason.startswith("no worker took a task within 30 s: start one on this server")
    assert scene.elapsed_s == pytest.approx(STARTED_WITHIN_S, abs=6)
    notes = [each.unserved for each in scene.shown if each.phase == "enqueueing"]
    assert not notes[0]
    assert notes[-1].startswith("no worker has taken a task, and the run ends in ")
    assert not any(each.unserved for each in scene.shown if each.phase == "stopping")


def test_a_server_that_does_not_answer_leaves_the_reports_of_workers_elsewhere_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = producer()
    scene = Scene(scenario(workers=0, external_workers=True), producers=[process])
    answers: list[Any] = [FoundReports([WorkerReport(name="far", completed=3)], {})]

    def collect_reports(*_: object) -> Any:
        if answers:
            return answers.pop()
        raise redis.exceptions.ConnectionError("gone")

    monkeypatch.setattr("bench.run.supervisor.remote.collect", collect_reports)
    scene.after(1_000_000, lambda: done(process))
    scene.supervisor.watch()
    assert [report.completed for report in scene.supervisor.worker_reports()] == [3]
