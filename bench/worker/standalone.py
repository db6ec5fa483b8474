"""A worker that no run started: on this host or another, until it is told to stop.

It serves whatever is on its queues. Tasks whose ids belong to a run are measured: the worker reads
the run's announcement, keeps a recorder for it, and publishes its reports through Redis, where the
run collects them.
"""

import contextlib
import functools
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import redis

from bench.clock import Offset, RunClock, host_identity
from bench.errors import MeasurementError
from bench.ipc import remote
from bench.measure.fine_recorder import fine_recorder
from bench.measure.latency_buckets import BucketCounter
from bench.punctual import collect_little, wake_on_time
from bench.redisio import clock_sync
from bench.redisio.cluster.layouts import require_one_slot
from bench.redisio.connection import ConnectionLost, open_client, translated_errors
from bench.redisio.queue_keys import load_scripts
from bench.redisio.streams import open_stream
from bench.usage import ProcessUsage, peak_memory_bytes
from bench.wire import ids
from bench.wire.refusals import Refusal, refusal_of
from bench.worker.batch import TaskRecorder, WorkerSettings
from bench.worker.difficulties import Difficulties
from bench.worker.loop import LAST_ANSWER_TIMEOUT_S, WorkerLoop
from bench.worker.process import note_difficulties
from bench.worker.recorder import AttemptBatch, AttemptOutcome, WorkerRecorder
from bench.worker.served import ServedMonitor, ServedState, ServedTotals
from bench.worker.slot_states import SlotStates
from bench.worker.stop_requests import StopRequests
from bench.worker.worker import Worker

_NO_RUN = -1
_PUBLISH_EVERY_US = 250_000
_REMEMBERED = 10_000
"""Runs that are remembered as unmeasured; the worker asks again for those that it has forgotten."""
_CHECK_SAMPLES = 3
"""Readings of the server's clock for each report: they delay the tasks meanwhile."""


@dataclass
class _Followed:
    """A run whose tasks this worker serves, and the state of the reports to it."""

    recorder: WorkerRecorder
    queues: Sequence[str]
    buckets: BucketCounter
    """What monitoring is shown of the recorder's latencies."""
    shares_clock: bool
    shift_us: int
    """From this worker's clock to the run's."""
    mapped: Offset
    """This host's clock as it was mapped when the worker met the run."""
    drift_us: float = 0.0
    """How far the clocks have moved apart since then, as far as that is certain."""
    revision: int = 0

    def error_us(self, now: Offset) -> float:
        """The bound of the error of the worker's stamps, by another mapping of the clock."""
        if self.shares_clock:
            return 0.0
        apart_us = abs(now.offset_us - self.mapped.offset_us)
        self.drift_us = max(self.drift_us, apart_us - now.error_us)
        return max(self.mapped.error_us, apart_us + now.error_us, self.drift_us)


class _Unmeasured:
    """The recorder of tasks that belong to no run."""

    def __init__(
        self, note_foreign: Callable[[str, int], None], totals: ServedTotals | None
    ) -> None:
        self._note_foreign = note_foreign
        self._totals = totals

    def started(self, count: int, now_us: int) -> None:
        """Not measured."""

    def missing(self, task_ids: Sequence[bytes]) -> None:
        """Not measured."""

    def ended(
        self, queue: str, attempts: AttemptBatch, outcome: AttemptOutcome, finished_us: int
    ) -> None:
        """Note for the runs on that queue that tasks of others were there."""
        if self._totals is not None:
            self._totals.count(queue, attempts, outcome, finished_us)
        if outcome is not AttemptOutcome.RETRIED:
            self._note_foreign(queue, len(attempts))


class _Shifted:
    """A run's recorder that takes moments on this worker's clock."""

    def __init__(
        self,
        followed: _Followed,
        note_foreign: Callable[[str, int], None],
        totals: ServedTotals | None,
    ) -> None:
        self._followed = followed
        self._note_foreign = note_foreign
        self._totals = totals

    def started(self, count: int, now_us: int) -> None:
        """Record that tasks were taken."""
        self._followed.recorder.started(count, now_us + self._followed.shift_us)

    def missing(self, task_ids: Sequence[bytes]) -> None:
        """Record ids that had no task behind them."""
        self._followed.recorder.missing(task_ids)

    def ended(
        self, queue: str, attempts: AttemptBatch, outcome: AttemptOutcome, finished_us: int
    ) -> None:
        """Record that the last command of these attempts was acknowledged."""
        if self._totals is not None:
            self._totals.count(queue, attempts, outcome, finished_us)
        shift_us = self._followed.shift_us
        if shift_us:
            started_us = [moment + shift_us for moment in attempts.started_us]
            popped_us = attempts.popped_us + shift_us
            attempts = replace(attempts, started_us=started_us, popped_us=popped_us)
        self._followed.recorder.ended(queue, attempts, outcome, finished_us + shift_us)
        if outcome is not AttemptOutcome.RETRIED:
            self._note_foreign(queue, len(attempts))


class RunFollower:
    """Finds out which runs the tasks belong to, and reports to each of these runs."""

    def __init__(
        self,
        client: redis.Redis,
        name: str,
        offset: Offset,
        monitor: ServedMonitor | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._monitor = monitor
        self._totals = None if monitor is None else monitor.totals
        self._offset = offset
        self.clock = RunClock(offset.offset_us)
        self._runs: dict[int, _Followed] = {}
        self._unmeasured = dict.fromkeys([_NO_RUN])
        """Runs that are not announced or have ended, the last ones that were met at the end."""
        self._usage = ProcessUsage()
        self._next_us = 0
        self.states = SlotStates()
        """What the worker does, whose part it is to note that."""

    def split(self, task_ids: Sequence[bytes]) -> list[tuple[TaskRecorder, Sequence[int]]]:
        """(recorder, indices of its ids) for each run among the ids, and for ids of no run.

        Raises ConnectionLost if the server does not say at the moment which runs there are.
        """
        members: dict[int, list[int]] = {}
        for index, task_id in enumerate(task_ids):
            parsed = ids.parse_id(task_id.decode("ascii", "replace"))
            members.setdefault(_NO_RUN if parsed is None else parsed.run, []).append(index)
        new = [run for run in members if run not in self._runs and run not in self._unmeasured]
        if new:
            self._meet(new)
        return [(self._recorder_of(run), indices) for run, indices in members.items()]

    def _recorder_of(self, run: int) -> TaskRecorder:
        note_foreign = functools.partial(self._note_foreign, run)
        followed = self._runs.get(run)
        if followed is None:
            return _Unmeasured(note_foreign, self._totals)
        return _Shifted(followed, note_foreign, self._totals)

    def _note_foreign(self, run: int, queue: str, count: int) -> None:
        """Note for all other runs on a queue that tasks ended there that are not theirs."""
        for number, followed in self._runs.items():
            if number != run and queue in followed.queues:
                followed.recorder.foreign(count)

    def _meet(self, runs: Sequence[int]) -> None:
        """Follow those of these runs that are announced; ask for all of them at once."""
        try:
            for run, info in remote.find(self._client, runs).items():
                mapped = clock_sync.measure_offset(self._client)
                self._runs[run] = self._followed(run, info, mapped)
        except redis.exceptions.ResponseError as error:
            if refusal_of(str(error)) is Refusal.LATER:
                raise ConnectionLost(str(error)) from None
        except redis.exceptions.RedisError as error:
            raise ConnectionLost(str(error)) from None
        for run in runs:
            if run not in self._runs:
                self._pass_over(run)

    def _pass_over(self, run: int) -> None:
        """Remember that a run is not measured, and forget the first of many."""
        self._unmeasured[run] = None
        if len(self._unmeasured) > _REMEMBERED:
            del self._unmeasured[next(each for each in self._unmeasured if each != _NO_RUN)]

    def _followed(self, run: int, info: remote.RunInfo, mapped: Offset) -> _Followed:
        shares_clock = bool(info.host) and info.host == host_identity()
        offset_us = info.offset_us if shares_clock else mapped.offset_us
        recorder = WorkerRecorder(
            run, info.line, info.queues, info.with_latency_counts, info.latency_bounds_us
        )
        recorder.fine = fine_recorder(info.fine_objectives, info.queues)
        recorder.states, recorder.shift_us = self.states, offset_us - self._offset.offset_us
        return _Followed(
            recorder=recorder,
            queues=info.queues,
            buckets=recorder.buckets(() if self._totals is None else self._totals.bounds_us),
            shares_clock=shares_clock,
            shift_us=recorder.shift_us,
            mapped=mapped,
        )

    def publish_if_due(self, worker: Worker, *, final: bool = False) -> int:
        """Report to every run that has not ended; return when to call next."""
        now_us = self.clock.now_us()
        if now_us < self._next_us and not final:
            return self._next_us
        for run, followed in list(self._runs.items()):
            with contextlib.suppress(redis.exceptions.RedisError):
                if remote.is_on(self._client, run):
                    self._publish(run, followed, worker, final)
                else:  # the run has ended and deleted its keys: leave none behind
                    self._forget(run)
        if self._monitor is not None:
            self._monitor.take(self._served(self._monitor.totals, worker))
        self._next_us = self.clock.now_us() + _PUBLISH_EVERY_US
        return self._next_us

    def _forget(self, run: int) -> None:
        followed = self._runs.pop(run)
        self._pass_over(run)
        if self._totals is not None:
            followed.recorder.flush()
            self._totals.keep(followed.queues, followed.buckets.count(is_last=True))

    def _served(self, totals: ServedTotals, worker: Worker) -> ServedState:
        current = [(each.queues, each.buckets.count()) for each in self._runs.values()]
        return ServedState(
            name=self._name,
            ended=dict(totals.ended),
            latencies=totals.latencies(current),
            in_flight=worker.in_flight,
            waiting_retry=worker.waiting_retry,
            reconnects=worker.difficulties.reconnects,
            cpu_s=self._usage.cpu_s(),
        )

    def _publish(self, run: int, followed: _Followed, worker: Worker, final: bool) -> None:
        followed.revision += 1
        now = clock_sync.measure_offset(self._client, _CHECK_SAMPLES)
        report = followed.recorder.report(full=True)
        report.name = self._name
        report.revision = followed.revision
        report.final = final
        report.host = socket.gethostname()
        report.made_us = self.clock.now_us() + followed.shift_us
        report.in_flight = worker.in_flight
        report.waiting_retry = worker.waiting_retry
        report.cpu_s = self._usage.cpu_s()
        report.elapsed_s = self._usage.elapsed_s()
        report.peak_memory_bytes = peak_memory_bytes()
        report.clock_error_us = followed.error_us(now)
        report.clock_offset_us = now.offset_us
        report.clock_offset_error_us = now.error_us
        report.shares_clock = followed.shares_clock
        note_difficulties(report, worker.difficulties)
        remote.publish(self._client, run, report)


def serve(
    url: str,
    parent: str,
    settings: WorkerSettings,
    requests: StopRequests,
    tell: Callable[[str], None] = lambda _: None,
    on_ready: Callable[[], None] = lambda: None,
    monitor: ServedMonitor | None = None,
) -> None:
    """Serve until ``requests`` ask for a stop. ``tell`` takes lines about difficulties;
    ``on_ready`` is called once all connections are open; ``monitor`` gets the state of the worker.

    Raises ServerUnreachable when the server cannot be reached at the start or for a long time,
    MeasurementError when it refuses what a worker needs or when tasks may be left on active lists,
    and KeyboardInterrupt when a stop at once was asked for.
    """
    wake_on_time()
    require_one_slot(url, settings.layout, list(settings.queues))
    name = f"bench-{socket.gethostname()}-{os.getpid()}"
    difficulties = Difficulties(tell)
    open_ = functools.partial(open_client, url, wants_end=requests.ends_waiting)
    with open_() as client:
        with translated_errors(url):
            offset = clock_sync.measure_offset(client)
            load_scripts(client, settings.layout)
        clock = RunClock(offset.offset_us)
        follower = RunFollower(client, name, offset, monitor)
        heartbeats = open_client(url, wants_end=requests.were_made)
        worker = Worker(settings, follower, clock, difficulties, follower.states)
        loop = WorkerLoop(
            *(name, parent, settings.layout, worker, clock, heartbeats),
            functools.partial(open_stream, url),
            functools.partial(open_client, url, LAST_ANSWER_TIMEOUT_S),
        )
        collect_little()
        requests.is_serving = True
        on_ready()
        try:
            loop.run(requests.fileno(), requests.take, lambda: follower.publish_if_due(worker))
        finally:
            follower.publish_if_due(worker, final=True)
            for line in difficulties.summary():
                tell(line)
    if requests.is_at_once:
        raise KeyboardInterrupt
    if difficulties.left:
        raise MeasurementError(
            "the worker was told to stop and could not put all of its tasks back: look at the "
            "server's log and the network to it, and at the active lists"
        )
