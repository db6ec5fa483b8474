"""Which runs a standing worker reports to, on whose clock, and what it says of others' tasks."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from bench.clock import Offset, host_identity
from bench.ipc import remote
from bench.ipc.remote import FoundReports, RunInfo
from bench.measure.report_checks import ReportLimits, require_whole
from bench.measure.reports import WorkerReport
from bench.measure.window import time_line
from bench.redisio import clock_sync
from bench.redisio.connection import ConnectionLost
from bench.wire import ids
from bench.worker import standalone
from bench.worker.batch import WorkerSettings
from bench.worker.process import settings_of
from bench.worker.recorder import AttemptBatch, AttemptOutcome
from bench.worker.standalone import RunFollower
from bench.worker.worker import Worker
from bench.workload.resolve import resolve

RUN, OTHER_RUN = 77, 78
QUEUE = "inference_default"
START_US = 1_800_000_000_000_000
LIMITS = ReportLimits([QUEUE, "inference_high"], 1, {0: 10})
STARTED = Offset(1_000_000, 20.0)
"""The worker's own mapping, at its start."""


def announce(
    client: Any,
    run: int = RUN,
    *,
    host: str = "another host",
    offset_us: int = 5_000_000,
    queues: Sequence[str] = (QUEUE,),
) -> None:
    line = time_line(START_US, 0, 0)
    info = RunInfo(line=line, queues=list(queues), host=host, offset_us=offset_us)
    remote.announce(client, run, info)


def task_id(sequence: int, run: int = RUN) -> bytes:
    return ids.format_id(ids.TaskId(run, 0, sequence)).encode()


class Following:
    """A follower whose clock is mapped to the offsets that the test gives, one after the other."""

    def __init__(
        self, client: Any, monkeypatch: pytest.MonkeyPatch, offsets: Sequence[Offset]
    ) -> None:
        given = itertools.chain(offsets, itertools.repeat(offsets[-1]))
        monkeypatch.setattr(clock_sync, "measure_offset", lambda *_: next(given))
        self._client = client
        self.follower = RunFollower(client, "w1", STARTED)
        scenario = resolve({"queues": {QUEUE: 1}, "rate": 1, "tasks": 1})
        settings: WorkerSettings = settings_of(scenario)
        self._worker = Worker(settings, self.follower, self.follower.clock)

    def end(self, *task_ids: bytes, queue: str = QUEUE, started_us: int = 10) -> None:
        """Tasks that were started at that moment on the worker's clock, and ended at once."""
        for recorder, members in self.follower.split(task_ids):
            names = [task_ids[index] for index in members]
            count = len(names)
            attempts = AttemptBatch(
                names, [b"{}"] * count, [0] * count, [started_us] * count, started_us
            )
            recorder.started(count, started_us)
            recorder.ended(queue, attempts, AttemptOutcome.COMPLETED, started_us)

    def report(self, run: int = RUN) -> WorkerReport:
        self.follower.publish_if_due(self._worker, final=True)
        found = remote.collect(self._client, run, LIMITS)
        assert found.unreadable == {}
        (report,) = found.reports
        require_whole(report, LIMITS)
        return report


def test_the_clock_is_mapped_again_when_a_run_is_met(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server whose clock was set since the worker's start is no reason for wrong latencies."""
    announce(client)
    stepped = Offset(STARTED.offset_us + 5_000_000, 30.0)
    following = Following(client, monkeypatch, [stepped])
    following.end(task_id(0))
    report = following.report()
    now_us = following.follower.clock.now_us()
    assert report.made_us - now_us == pytest.approx(5_000_000, abs=2_000_000)
    assert (report.clock_offset_us, report.clock_offset_error_us) == (stepped.offset_us, 30.0)
    assert report.clock_error_us == 30.0
    assert not report.shares_clock


def test_clocks_that_move_apart_during_a_run_are_in_the_bound_of_the_error(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(client)
    offsets = [Offset(0, 30.0), Offset(40, 25.0), Offset(100_000, 10.0), Offset(0, 10.0)]
    following = Following(client, monkeypatch, offsets)
    following.end(task_id(0))
    errors_us = [following.report().clock_error_us for _ in range(3)]
    # Apart by 40, known to within 25; then by 100,000, which later readings do not undo.
    assert errors_us == [65.0, 100_010.0, 99_990.0]


def test_a_worker_on_the_run_s_host_uses_its_clock_and_reports_its_own_mapping_as_well(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(client, host=host_identity(), offset_us=9_000_000)
    following = Following(client, monkeypatch, [Offset(8_000_000, 30.0)])
    following.end(task_id(0))
    report = following.report()
    shift_us = report.made_us - following.follower.clock.now_us()
    assert shift_us == pytest.approx(8_000_000, abs=1_000_000)
    assert (report.clock_error_us, report.shares_clock) == (0.0, True)
    assert (report.clock_offset_us, report.clock_offset_error_us) == (8_000_000, 30.0)


def test_tasks_of_others_on_a_run_s_queues_are_counted_and_reported(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(client)
    announce(client, OTHER_RUN, queues=["inference_high"])
    following = Following(client, monkeypatch, [STARTED])
    following.end(task_id(0), b"somebody's", b"\xff\xfe", task_id(0, OTHER_RUN))
    following.end(b"elsewhere", task_id(1), queue="inference_high")
    reports = {run: following.report(run) for run in (RUN, OTHER_RUN)}
    assert {run: report.foreign for run, report in reports.items()} == {RUN: 3, OTHER_RUN: 2}
    assert reports[RUN].completed == 1


@pytest.mark.parametrize("garbage", [b"\xc1", b"", "a list"])
def test_an_announcement_that_is_none_is_that_of_no_run(
    client: Any, monkeypatch: pytest.MonkeyPatch, garbage: bytes | str
) -> None:
    if isinstance(garbage, bytes):
        client.set(remote.info_key(RUN), garbage)
    else:
        client.rpush(remote.info_key(RUN), garbage)
    following = Following(client, monkeypatch, [STARTED])
    following.end(task_id(0))
    assert remote.collect(client, RUN, LIMITS) == FoundReports([], {})


def test_a_server_that_does_not_say_whose_a_task_is_is_asked_again(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(client)
    following = Following(client, monkeypatch, [STARTED])
    errors = [redis.exceptions.ConnectionError("cut"), redis.exceptions.ResponseError("BUSY x")]
    find = remote.find

    def refusing(*arguments: Any) -> dict[int, RunInfo]:
        if errors:
            raise errors.pop()
        return find(*arguments)

    monkeypatch.setattr(remote, "find", refusing)
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            following.end(task_id(0))
    following.end(task_id(0))
    assert following.report().completed == 1


def test_runs_that_are_not_announced_cost_one_request_a_batch_and_little_memory(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the tasks of many runs that were cut short are left on a queue."""
    monkeypatch.setattr(standalone, "_REMEMBERED", 50)
    announce(client)
    following = Following(client, monkeypatch, [STARTED])
    asked: list[Sequence[int]] = []
    find = remote.find

    def counted(client: Any, runs: Sequence[int]) -> dict[int, RunInfo]:
        asked.append(runs)
        return find(client, runs)

    monkeypatch.setattr(remote, "find", counted)
    for batch in range(10):
        runs = range(1000 + 20 * batch, 1020 + 20 * batch)
        following.end(b"nobody's", task_id(batch), *(task_id(0, run) for run in runs))
        following.end(*(task_id(1, run) for run in runs))
    assert [len(runs) for runs in asked] == [21, *[20] * 9]
    assert len(following.follower._unmeasured) == 50
    following.end(task_id(0, 1000))
    assert asked[-1] == [1000]
    assert following.report().completed == 10


def test_a_run_that_has_ended_is_forgotten(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    announce(client)
    following = Following(client, monkeypatch, [STARTED])
    following.end(task_id(0))
    following.report()
    remote.remove(client, RUN)
    following.follower.publish_if_due(following._worker, final=True)
    assert following.follower._runs == {}
    following.end(task_id(1))
    assert client.keys("bench:*") == []
