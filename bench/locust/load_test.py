"""One Locust test as a run, from its start to its record, in the master or the only process."""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import gevent
from gevent import Greenlet
from gevent.event import Event
from locust.stats import RequestStats

from bench.errors import CAUSED_BY_INTERRUPT, BenchError, ExitCode
from bench.locust.fleet import LocustFleet, let_others_run
from bench.locust.history import History
from bench.locust.options import TestSetup
from bench.locust.tables import StatsTables
from bench.measure.progress import Progress
from bench.measure.reports import ProducerReport, WorkerReport
from bench.metrics.exporter import MetricsExporter
from bench.metrics.monitor import RunMonitor
from bench.records import run_record
from bench.records.run_record import RecordFile, RunRecord
from bench.redisio import embedded
from bench.reports.run_notes import Note, NoteKind, note_of
from bench.reports.unforeseen import translated
from bench.run.request import RunRequest
from bench.run.run import execute_with
from bench.run.supervisor import RunCallbacks
from bench.secrets import url_secrets
from bench.workload.scenario import Scenario

_log = logging.getLogger("bench")
_WORKER_OPTIONS = "--start-worker, or with --enqueue-only if none is to"
_SHOW_S = 3.0
"""How long a web page may take to poll once more after the end."""
_TIMER_SLACK_S = 1.0
"""How much earlier than planned Locust's own timer may fire."""


@dataclass(frozen=True)
class Live:
    """The progress and newest reports of a test, for the web page."""

    progress: Progress
    producers: Sequence[ProducerReport]
    workers: Sequence[WorkerReport]


@dataclass
class LoadTest:
    """A run in a greenlet. When it is over, it calls ``on_end``, which makes Locust stop."""

    scenario: Scenario
    setup: TestSetup
    path: Path
    command: str
    stats: RequestStats
    fleet: LocustFleet
    on_end: Callable[[], None]
    on_progress: Callable[[Progress], None]
    exporter: MetricsExporter | None = None
    has_page: bool = False
    is_shown: Event = field(default_factory=Event)
    """Set when a web page has shown the end of the test, as Locust does not answer it later."""
    started_s: float = field(default_factory=time.monotonic)
    record: RunRecord | None = None
    error: BenchError | None = None
    live: Live | None = None
    _noted: set[NoteKind] = field(default_factory=set)
    """What the log has been told."""
    history: History = field(default_factory=History)
    """What the charts of a web page show."""
    _is_interrupted: bool = False
    _has_seen_signal: bool = False
    """Whether Ctrl-C or the like came before the end."""
    _is_ending: bool = False
    _is_asked_to_finish: bool = False
    _done: Event = field(default_factory=Event)
    _greenlet: "Greenlet[..., None] | None" = None

    def start(self) -> None:
        """Begin the run, and return."""
        self._greenlet = gevent.spawn(self._run)

    @property
    def is_over(self) -> bool:
        """Whether the run has a record, or an error."""
        return bool(self._done.is_set())

    def note_signal(self) -> None:
        """Note Ctrl-C or the like, which may be the cause of an error from then on."""
        self._has_seen_signal = self._has_seen_signal or not self.is_over

    def finish(self, is_cut_short: bool) -> None:
        """Wait until the run has ended, as Locust is about to stop the users.

        A run with a planned end goes on until then, unless ``is_cut_short``. A run without a
        planned end ends now. A second call cuts the run short.
        """
        if self.is_over:
            return
        if self.scenario.planned_duration_s is None and self.scenario.tasks is None:
            self._is_ending = True
        elif is_cut_short or self._is_asked_to_finish:
            self._is_interrupted = True
        self._is_asked_to_finish = True
        self._done.wait()
        if self.has_page:
            self.is_shown.wait(_SHOW_S)

    @property
    def is_before_its_end(self) -> bool:
        """Whether Locust's own timer cannot have fired yet, so that a user stopped the test."""
        planned_s = self.scenario.planned_duration_s
        return planned_s is None or time.monotonic() < self.started_s + planned_s - _TIMER_SLACK_S

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of Locust's process."""
        if self._has_seen_signal and isinstance(self.error, CAUSED_BY_INTERRUPT):
            return ExitCode.INTERRUPTED
        if self.error is not None:
            return self.error.exit_code
        if self._is_interrupted or self.record is None:
            return ExitCode.INTERRUPTED
        return run_record.exit_code(self.record)

    @property
    def note(self) -> Note | None:
        """What should be known of the test now; None where all is well."""
        note = None if self.live is None or self.is_over else note_of(self.live.progress)
        if note is not None and note.kind is NoteKind.UNSERVED:
            return replace(note, text=f"{note.text}, or the test with {_WORKER_OPTIONS}")
        return note

    def _log_note(self) -> None:
        """Write what should be known to Locust's log: each kind of it once."""
        note = self.note
        if note is not None and note.kind not in self._noted:
            self._noted.add(note.kind)
            _log.warning("%s", note.text)

    def _run(self) -> None:
        try:
            self._execute()
        except Exception as error:
            gevent.sleep(0)  # a signal that caused it is noted first
            self.error = translated(error, url_secrets(self.setup.url or ""))
        finally:
            self._done.set()
            gevent.spawn(self.on_end)

    def _execute(self) -> None:
        monitor = RunMonitor(self.exporter, self.scenario)
        tables = StatsTables(self.stats, list(self.scenario.queues), let_others_run)
        with RecordFile(self.path) as file, contextlib.ExitStack() as stack:
            url, open_url = self.setup.url, None
            if url is None:
                server = stack.enter_context(embedded.running(self.setup.server_binary))
                url, open_url = server.url, server.open_url
            stack.enter_context(self.fleet.subprocesses)
            request = RunRequest(
                url=url,
                scenario=self.scenario,
                command=self.command,
                owns_server=self.setup.url is None,
                open_url=open_url,
                allow_shared=self.setup.allow_shared,
                keep=self.setup.keep,
                with_latency_counts=True,
                latency_bounds_us=monitor.bounds_us,
            )

            def show(
                progress: Progress,
                producers: Sequence[ProducerReport],
                workers: Sequence[WorkerReport],
            ) -> None:
                self.live = Live(progress, producers, workers)
                self._log_note()
                if self.has_page:
                    self.history.note(progress, workers)
                self.on_progress(progress)
                monitor.show(progress, producers, workers)
                let_others_run()
                tables.feed(producers, workers)

            def on_measured(record: RunRecord) -> None:
                monitor.settle(record)
                file.save_measured(record)

            callbacks = RunCallbacks(
                show,
                should_stop=lambda: self._is_interrupted,
                should_end=lambda: self._is_ending,
                on_measured=on_measured,
            )
            finished = execute_with(self.fleet, request, callbacks)
            monitor.settle(finished)
            file.save(finished)
        self.record = finished
