"""The parts of seeing completions from outside that need no server."""

import os
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.ipc.messages import Stop
from bench.ipc.progress_board import ProgressBoard
from bench.measure.bits import Bits
from bench.measure.histogram import unpack
from bench.measure.ledger import Counts
from bench.measure.observation import describe
from bench.measure.recorder import Interval, time_line
from bench.measure.reports import ObserverReport, WorkerReport
from bench.observer import keyspace_events
from bench.observer.recorder import Completion, CompletionRecorder
from bench.observer.sampling import NO_DUE, TaskSampler
from bench.run import external_worker as external_worker_module
from bench.run.external_worker import ExternalWorker, command_of
from bench.workload.feed import Feed
from bench.workload.resolve import resolve
from bench.workload.scenario import Scenario

START_US = 1_800_000_000_000_000
QUEUES = {"inference_high": 1, "inference_low": 3}


def scenario(**fields: object) -> Scenario:
    return resolve({"queues": QUEUES, "rate": 500, "tasks": 400, **fields})


@settings(max_examples=40)
@given(
    producers=st.integers(1, 4),
    share=st.sampled_from([1.0, 0.5, 0.1]),
    steps=st.lists(st.integers(0, 120), min_size=1, max_size=12),
    arrivals=st.sampled_from(["constant", "poisson"]),
)
def test_each_traced_task_is_handed_out_once_with_its_due_time_and_queue(
    producers: int, share: float, steps: list[int], arrivals: str
) -> None:
    chosen = scenario(producers=producers, arrivals=arrivals)
    for number in range(producers):
        feed = Feed(chosen, number)
        sent = []
        while feed.next_due_us() is not None:
            sent.append(feed.take(1000))
        due_us = np.concatenate([each.due_us for each in sent])
        queue = np.concatenate([each.queue for each in sent])
        expected = TaskSampler(chosen, number, share)
        found = []
        before = 0
        for step in [*steps, 10_000]:
            before += step
            part = expected.before(before)
            assert not len(part) or int(part.sequence.max()) < before
            found.append(part)
        sequence = np.concatenate([each.sequence for each in found])
        assert len(set(sequence.tolist())) == len(sequence)
        assert np.concatenate([each.due_us for each in found]).tolist() == due_us[sequence].tolist()
        assert np.concatenate([each.queue for each in found]).tolist() == queue[sequence].tolist()
        if share == 1:
            assert sequence.tolist() == list(range(len(due_us)))


def test_a_sample_has_about_its_share() -> None:
    chosen = scenario(tasks=20_000, rate=10_000)
    assert len(TaskSampler(chosen, 0, 0.1).before(20_000)) == pytest.approx(2000, rel=0.1)


def test_in_a_closed_loop_only_the_tasks_know_when_they_were_due() -> None:
    chosen = resolve({"queues": QUEUES, "rate": "max", "tasks": 50})
    assert set(TaskSampler(chosen, 0, 1.0).before(50).due_us.tolist()) == {NO_DUE}


def test_what_a_producer_notes_on_the_board_is_what_an_observer_reads(tmp_path: Path) -> None:
    written = ProgressBoard.make(tmp_path / "board", 2)
    read = ProgressBoard(tmp_path / "board", 2)
    assert (read.sent(1), read.answered_before(1), read.enqueued) == (0, 0, 0)
    written.note(0, 10, 7, 6)
    written.note(1, 5, 5, 4)
    assert (read.sent(0), read.answered_before(0)) == (10, 7)
    assert (read.sent(1), read.answered_before(1), read.enqueued) == (5, 5, 10)
    assert read.excluded(0) == set()
    written.exclude(0, [3, 1])
    written.note(0, 11, 8, 6)
    written.exclude(0, [9])
    assert (read.excluded(0), read.excluded(1)) == ({1, 3, 9}, set())
    assert (read.sent(0), read.enqueued) == (11, 10)


def recorder() -> CompletionRecorder:
    return CompletionRecorder(time_line(START_US, 0, 0), "polling")


def histogram_of(report: WorkerReport, interval: Interval) -> list[int]:
    (part,) = [each for each in report.measured.parts if each.interval is interval]
    histogram = unpack(part.histogram)
    return [histogram.count, int(histogram.min_us or 0), int(histogram.max_us or 0)]


def observed_in(report: WorkerReport) -> ObserverReport:
    assert report.observed is not None
    return report.observed


def test_both_ends_of_the_interval_are_kept_and_the_later_one_is_e2e() -> None:
    seen = recorder()
    seen.traced(3)
    due_us = START_US + 1000
    seen.add_completions(
        [
            Completion(0, due_us, due_us, due_us + 900),
            Completion(0, due_us, due_us + 300, due_us + 500),
            Completion(0, NO_DUE, NO_DUE, due_us + 100),
        ]
    )
    report = seen.report(full=True)
    assert histogram_of(report, Interval.E2E) == [2, 500, 900]
    assert histogram_of(report, Interval.E2E_EARLIEST) == [2, 0, 300]
    told = describe(observed_in(report), Counts(enqueued=6))
    assert (told.traced, told.traced_share, told.unseen, told.unended) == (3, 0.5, 1, 0)
    assert told.resolution_max_s == pytest.approx(900e-6, rel=0.01)


def test_counts_never_shrink_and_what_is_settled_replaces_them() -> None:
    seen = recorder()
    seen.counted(5, 3, START_US + 50_000)
    seen.counted(4, 2, START_US + 150_000)
    seen.counted(9, 8, START_US + 250_000)
    report = seen.report(full=False)
    assert (report.started, report.completed) == (9, 8)
    assert report.finished_by_point == [3, 0, 5]
    seen.settle("inference_high", 0, np.array([0, 2]), np.array([1]))
    assert seen.report(full=False).completed == 8  # as long as not every task was asked
    seen.is_settled = True
    report = seen.report(full=True)
    assert (report.completed, report.failed) == (2, 1)
    assert Bits(report.completed_sets[0]).flags(0, 3).tolist() == [True, False, True]
    assert Bits(report.archived_sets[0]).flags(0, 3).tolist() == [False, True, False]


def test_nothing_seen_has_no_resolution() -> None:
    unended = recorder()
    unended.traced(4)
    told = describe(observed_in(unended.report(full=True)), Counts())
    assert told.unended == 4
    assert (told.traced_share, told.resolution_p50_s, told.resolution_max_s) == (0.0, None, None)


@pytest.mark.parametrize(
    ("flags", "enough"),
    [
        ("Kgh$", True),
        ("KA", True),
        ("AKE", True),
        ("", False),
        ("Kh", False),
        ("Egh$", False),
        ("A", False),
    ],
)
def test_events_are_relied_on_only_where_the_server_tells_of_all(flags: str, enough: bool) -> None:
    assert keyspace_events.are_enough(flags) == enough


def test_the_places_of_a_command_are_filled_in_and_the_password_is_not_among_them() -> None:
    chosen = scenario(
        worker_command="w --at {host}:{port} -u {url} --for {parent} '{queues}' '{\"json\": {}}'"
    )
    command = command_of(chosen, "redis://me:open-sesame@example:7000/3")
    assert command.words == (
        *("w", "--at", "example:7000", "-u", "redis://example:7000/3", "--for", "inference"),
        *("inference_high,inference_low", '{"json": {}}'),
    )
    assert command.environment["BENCH_REDIS_URL"] == "redis://me:open-sesame@example:7000/3"


def external_worker(script: str) -> ExternalWorker:
    url = "redis://:open%20sesame@h:1/0"
    made = ExternalWorker("worker command", command_of(scenario(worker_command=script), url))
    made.start()
    return made


def test_a_hired_process_that_ends_is_told_with_what_it_said_last() -> None:
    made = external_worker("sh -c 'for n in 1 2 3 4 5 6 7; do echo line $n; done; exit 4'")
    assert made.process is not None
    made.process.wait(10)
    assert made.exit_reason() == (
        "the worker command ended with exit code 4: line 3 | line 4 | line 5 | line 6 | line 7"
    )
    made.end()


@pytest.mark.parametrize("words", ["$BENCH_REDIS_URL", "'password: open sesame'", "open%20sesame"])
def test_what_a_hired_process_says_is_shown_without_the_password(words: str) -> None:
    made = external_worker(f'sh -c "echo connecting to {words}; exit 1"')
    assert made.process is not None
    made.process.wait(10)
    exit_reason = made.exit_reason()
    assert exit_reason is not None
    assert "connecting to" in exit_reason
    assert "sesame" not in exit_reason
    made.end()


def test_a_hired_process_that_says_much_fills_no_disk() -> None:
    made = external_worker("sh -c 'yes long-winded | head -c 30000000; echo the last; exit 1'")
    assert made.process is not None
    while made.process.poll() is None:
        made._refresh()  # as a run does now and then
    made._refresh()
    last, held = made.last_lines()[-1], os.fstat(made._output.fileno()).st_blocks * 512
    made.end()
    assert last == "the last"
    assert held < 2 << 20


def test_what_is_said_after_the_file_was_cut_is_shown_without_the_hole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = external_worker("sh -c 'echo before; exec sleep 600'")
    while not made.last_lines():
        pass
    monkeypatch.setattr(external_worker_module, "_MOST_BYTES", -1)
    made._refresh()
    assert os.fstat(made._output.fileno()).st_size == 0
    said = os.dup(made._output.fileno())  # its offset is the process's own
    os.write(said, b"after\n")
    os.close(said)
    lines = made.last_lines()
    made.end()
    assert lines == ["before", "after"]


def test_a_child_that_left_the_group_of_a_hired_process_is_ended_too() -> None:
    made = external_worker("sh -c 'setsid sleep 600 & wait'")
    assert made.process is not None
    children: list[psutil.Process] = []
    while not children:
        children = psutil.Process(made.process.pid).children(recursive=True)
    made._refresh()
    made.end()
    psutil.wait_procs(children, timeout=10)
    assert not any(child.is_running() for child in children)


@pytest.mark.parametrize("place", ["{queue}", "{hots}", "{ports}"])
def test_a_place_that_is_all_but_right_is_refused(place: str) -> None:
    with pytest.raises(UsageError, match="unknown place"):
        command_of(scenario(worker_command=f"w {place}"), "redis://h:1/0")


def test_what_a_shell_fills_in_is_left_to_it() -> None:
    command = command_of(scenario(worker_command="sh -c 'echo ${port} {weird}'"), "redis://h:1/0")
    assert "{weird}" in command.words[2]


def test_a_hired_process_that_was_told_to_stop_has_not_died() -> None:
    made = external_worker("sleep 60")
    assert made.exit_reason() is None
    assert not made.is_done
    made.send(Stop())
    assert made.process is not None
    made.process.wait(10)
    assert made.is_done
    assert made.exit_reason() is None
    made.end()


def test_what_a_hired_process_has_used_is_told_of_its_whole_family() -> None:
    made = external_worker("sh -c 'python3 -c \"while True: pass\" & wait'")
    assert made.process is not None
    while (report := made.report) is None or report.cpu_s < 0.2:
        pass
    assert report.elapsed_s > 0
    made.end()
    assert made.process.returncode is not None
