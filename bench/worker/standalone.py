"""A worker that no run started: on this host or another, until it is told to stop.

It serves whatever is on its queues. Tasks whose ids belong to a run are measured: the worker reads
the run's announcement, keeps a recorder for it, and publishes its reports through Redis, where the
run collects them.
"""

import contextlib
import functools
import os
import select
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import redis

from bench.clock import Offset, RunClock, host_identity
from bench.ipc import remote
from bench.redisio import clock_sync
from bench.redisio.connection import RawConnection, open_client
from bench.redisio.polling import wake_on_time
from bench.redisio.queue_keys import load_scripts
from bench.usage import ProcessUsage, peak_memory_bytes
from bench.wire import ids
from bench.worker.batch import TaskRecorder, WorkerSettings
from bench.worker.loop import WorkerLoop
from bench.worker.recorder import AttemptBatch, AttemptOutcome, WorkerRecorder
from bench.worker.worker import Worker

_NO_RUN = -1
_PUBLISH_EVERY_US = 250_000


class _Unmeasured:
    """The recorder of tasks that belong to no run."""

    def started(self, count: int, now_us: int) -> None:
        """Not measured."""

    def missing(self, count: int) -> None:
        """Not measured."""

    def ended(
        self, queue: str, attempts: AttemptBatch, outcome: AttemptOutcome, finished_us: int
    ) -> None:
        """Not measured."""


@dataclass
class _Followed:
    """A run whose tasks this worker serves, and the state of the reports to it."""

    recorder: WorkerRecorder
    shift_us: int
    """From this worker's clock to the run's; zero unless both share a monotonic clock."""
    clock_error_us: float
    revision: int = 0


class _Shifted:
    """A run's recorder that takes moments on this worker's clock."""

    def __init__(self, followed: _Followed, clock: RunClock) -> None:
        self._followed = followed
        self._clock = clock

    def started(self, count: int, now_us: int) -> None:
        """Record that tasks were taken."""
        self._followed.recorder.started(count, now_us + self._followed.shift_us)

    def missing(self, count: int) -> None:
        """Record ids that had no task behind them."""
        self._followed.recorder.missing(count)

    def ended(
        self, queue: str, attempts: AttemptBatch, outcome: AttemptOutcome, finished_us: int
    ) -> None:
        """Record that the last command of these attempts was acknowledged."""
        shift_us = self._followed.shift_us
        if shift_us:
            started_us = [moment + shift_us for moment in attempts.started_us]
            attempts = replace(attempts, started_us=started_us)
        self._followed.recorder.ended(queue, attempts, outcome, finished_us + shift_us)


class RunFollower:
    """Finds out which runs the tasks belong to, and reports to each of these runs."""

    def __init__(self, client: redis.Redis, name: str, offset: Offset) -> None:
        self._client = client
        self._name = name
        self._offset = offset
        self._clock = RunClock(offset.offset_us)
        self._runs: dict[int, _Followed | None] = {}
        self._usage = ProcessUsage()
        self._next_us = 0

    def split(self, task_ids: Sequence[bytes]) -> list[tuple[TaskRecorder, Sequence[int]]]:
        """(recorder, indices of its ids) for each run among the ids, and for ids of no run."""
        members: dict[int, list[int]] = {}
        for index, task_id in enumerate(task_ids):
            parsed = ids.parse_id(task_id.decode("ascii", "replace"))
            members.setdefault(_NO_RUN if parsed is None else parsed.run, []).append(index)
        return [(self._recorder_of(run), indices) for run, indices in members.items()]

    def _recorder_of(self, run: int) -> TaskRecorder:
        if run not in self._runs:
            self._runs[run] = None if run == _NO_RUN else self._follow(run)
        followed = self._runs[run]
        return _Unmeasured() if followed is None else _Shifted(followed, self._clock)

    def _follow(self, run: int) -> _Followed | None:
        info = remote.find(self._client, run)
        if info is None:
            return None
        shares_clock = bool(info.host) and info.host == host_identity()
        return _Followed(
            recorder=WorkerRecorder(run, info.line, info.queues, info.with_latency_counts),
            shift_us=info.offset_us - self._offset.offset_us if shares_clock else 0,
            clock_error_us=0.0 if shares_clock else self._offset.error_us,
        )

    def publish_if_due(self, worker: Worker, *, final: bool = False) -> int:
        """Report to every run that has not ended; return when to call next."""
        now_us = self._clock.now_us()
        if now_us < self._next_us and not final:
            return self._next_us
        self._next_us = now_us + _PUBLISH_EVERY_US
        for run, followed in list(self._runs.items()):
            if followed is None:
                continue
            with contextlib.suppress(redis.exceptions.RedisError):
                if remote.is_on(self._client, run):
                    self._publish(run, followed, worker, final)
                else:  # the run has ended and deleted its keys: leave none behind
                    self._runs[run] = None
        return self._next_us

    def _publish(self, run: int, followed: _Followed, worker: Worker, final: bool) -> None:
        followed.revision += 1
        report = followed.recorder.report(full=True)
        report.name = self._name
        report.revision = followed.revision
        report.final = final
        report.host = socket.gethostname()
        report.made_us = self._clock.now_us() + followed.shift_us
        report.in_flight = worker.in_flight
        report.waiting_retry = worker.waiting_retry
        report.cpu_s = self._usage.cpu_s()
        report.elapsed_s = self._usage.elapsed_s()
        report.peak_memory_bytes = peak_memory_bytes()
        report.clock_error_us = followed.clock_error_us
        remote.publish(self._client, run, report)


def serve(url: str, parent: str, settings: WorkerSettings, should_stop: Callable[[], bool]) -> None:
    """Serve until ``should_stop`` returns True; a signal that causes it should also interrupt
    ``select``.

    Raises ServerUnreachable when the server cannot be reached at the start.
    """
    wake_on_time()
    name = f"bench-{socket.gethostname()}-{os.getpid()}"
    with open_client(url) as client:
        offset = clock_sync.measure_offset(client)
        load_scripts(client, settings.layout)
        clock = RunClock(offset.offset_us)
        follower = RunFollower(client, name, offset)
        worker = Worker(settings, follower, clock)
        connect = functools.partial(RawConnection, url)
        loop = WorkerLoop(name, parent, settings.layout, worker, clock, open_client(url), connect)
        wake_read, wake_write = os.pipe()
        try:

            def on_turn() -> int:
                if should_stop():
                    os.write(wake_write, b"x")
                return follower.publish_if_due(worker)

            def on_control() -> bool:
                if select.select([wake_read], [], [], 0)[0]:
                    os.read(wake_read, 4096)
                return should_stop()

            loop.run(wake_read, on_control, on_turn)
        finally:
            follower.publish_if_due(worker, final=True)
            os.close(wake_read)
            os.close(wake_write)
