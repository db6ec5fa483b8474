"""Connects a load test to Locust's events, in the master and in each of its workers."""

import contextlib
import functools
import inspect
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gevent
import greenlet
import psutil
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from bench import result_files
from bench.errors import MESSAGE_PREFIX, BenchError, ExitCode, with_notes
from bench.files import is_standard_output, require_writable
from bench.inert import visible
from bench.locust import web
from bench.locust.arguments import add_options
from bench.locust.fleet import LOCAL, LocustFleet
from bench.locust.form import StartForm, submitted_options
from bench.locust.gathering import Gathering
from bench.locust.launcher import PROGRESS_VARIABLE, progress_writer
from bench.locust.load_test import LoadTest
from bench.locust.messages import (
    TO_COORDINATOR,
    TO_PROCESS,
    CoordinatorMessage,
    ProcessMessage,
    pack,
    unpack,
)
from bench.locust.options import (
    TestSetup,
    export_targets,
    require_complete,
    require_url,
    require_variables,
)
from bench.locust.plan import can_change_in_page, planned
from bench.locust.producer import LocustProducer
from bench.measure.progress import Gathered, while_gathering
from bench.metrics.exporter import MetricsExporter, exporting
from bench.names import require_utf8
from bench.processes.signals import EndRequests, ending_signals
from bench.records.run_record import default_path
from bench.redisio.cluster.layouts import refuse_cluster
from bench.redisio.connection import open_client
from bench.reports import streams
from bench.reports.run import print_report
from bench.reports.unforeseen import translated
from bench.run.subprocesses import SubprocessFleet
from bench.secrets import hide, hide_in_command, url_secrets
from bench.workload.feed import payloads
from bench.workload.scenario import Scenario

_log = logging.getLogger("bench")
_WATCH_EVERY_S = 1.0


class Hooks:
    """Listeners and state of one Locust process. Created once Locust has created its runner."""

    def __init__(self, environment: Environment) -> None:
        self._environment: Any = environment  # also carries this process's LocustProducer
        runner = environment.runner
        self._runner: Any = runner
        self._own_url = self._options.get("redis_url")
        self._test = 0
        self.load_test: LoadTest | None = None
        self._error: BenchError | None = None
        self._gathering: Gathering | None = None
        self._form = StartForm()
        self._exporter: MetricsExporter | None = None
        self._stack = contextlib.ExitStack()
        on: Any = environment.events  # listeners are untyped
        on.test_start.add_listener(self._on_test_start)
        on.test_stopping.add_listener(self._on_test_stopping)
        on.test_stop.add_listener(self._on_test_stop)
        on.spawning_complete.add_listener(self._on_spawning_complete)
        # Locust calls the listeners of this event in reverse order: ours runs before Locust's own.
        on.quitting.add_listener(self._on_quitting)
        if isinstance(runner, LocalRunner | WorkerRunner):
            runner.register_message(TO_PROCESS, self._on_coordinator_message)
        if isinstance(runner, LocalRunner | MasterRunner):
            runner.register_message(TO_COORDINATOR, self._on_process_message)
            gevent.spawn(self._watch_processes)
        if environment.web_ui is not None:
            web.extend(
                environment.web_ui,
                web.Page(
                    lambda: self.load_test,
                    self._failure,
                    self._refusal,
                    self._arrange_form,
                ),
            )

    @property
    def _options(self) -> Mapping[str, Any]:
        options: Mapping[str, Any] = vars(self._environment.parsed_options)
        return options

    @property
    def _produces(self) -> bool:
        return isinstance(self._runner, LocalRunner | WorkerRunner)

    @property
    def _coordinates(self) -> bool:
        return isinstance(self._runner, LocalRunner | MasterRunner)

    # Locust's events, in the order in which they occur.

    def _on_test_start(self, environment: Any, **_: object) -> None:
        if self._coordinates:
            self._test += 1
            environment.parsed_options.bench_test = self._test
        if self._produces:
            # When the run time is over, and users still send, Locust looks up who has told it to
            # stop. The first look reads all modules, which takes 40 ms.
            inspect.stack()
            # The master numbers the tests; its workers read the number from their options.
            environment.bench_producer = LocustProducer(
                int(self._options.get("bench_test", 1)), self._send, self._own_url
            )
        if self._coordinates:
            self._start_test()

    def _on_spawning_complete(self, **_: object) -> None:
        if self.load_test is not None:
            self.load_test.fleet.all_spawned.set()

    def _on_test_stopping(self, environment: Any, **_: object) -> None:
        # Without a web page only the run time or a shape stops a test: signals arrive as quitting.
        if self.load_test is not None:
            is_stopped_by_hand = environment.web_ui is not None and self.load_test.is_before_its_end
            self.load_test.finish(is_cut_short=is_stopped_by_hand)

    def _on_test_stop(self, environment: Environment, **_: object) -> None:
        producer: LocustProducer | None = getattr(environment, "bench_producer", None)
        if producer is not None:
            producer.abandon()

    def _on_quitting(self, environment: Environment, **_: object) -> None:
        if isinstance(self._runner, WorkerRunner):
            producer: LocustProducer | None = getattr(environment, "bench_producer", None)
            if producer is not None:
                producer.finish()
        if self.load_test is not None:
            self.load_test.finish(is_cut_short=True)
            environment.process_exit_code = int(self.load_test.exit_code)
        elif self._coordinates and self._error is not None:
            environment.process_exit_code = int(self._error.exit_code)
        elif self._coordinates and environment.web_ui is None:
            environment.process_exit_code = int(ExitCode.INTERRUPTED)
        self._stack.close()
        result_files.release()

    # The coordinator's side.

    def _start_test(self) -> None:
        self.load_test = self._error = None
        try:
            load_test = self._make_test()
        except Exception as error:
            self._error = translated(error, url_secrets(self._own_url or ""))
            self._report_error(self._error)
            gevent.spawn(self._report_and_quit)
            return
        self.load_test = load_test
        load_test.start()

    def require_usable(self) -> None:
        """Raises a BenchError for options that no test could be made of, and where the server does
        not answer.

        Those that a web page still asks for are reported when a test is started there.
        """
        if not self._coordinates and self._options.get("processes"):
            return  # the process that forked this one reports the same options
        require_utf8(sys.argv)  # for the record
        require_variables(os.environ)
        if self._own_url is not None:
            require_url(self._own_url)
        if not self._coordinates:
            return
        require_complete(self._options)
        targets = export_targets(self._options)
        self._exporter = self._stack.enter_context(exporting(targets, _note, _note))
        if self._environment.web_ui is None:
            setup, scenario, _ = self._asked()
            if setup.url is not None:
                refuse_cluster(setup.url, "Locust's processes keep")
                open_client(setup.url).close()
            if isinstance(self._runner, MasterRunner):
                self._gather(scenario)
        elif not can_change_in_page(self._options, self._environment):
            planned(self._options, self._environment)
        self._form = StartForm.of(self._options, self._environment)

    def _gather(self, scenario: Scenario) -> None:
        """Watches Locust's wait for its workers."""
        write = progress_writer()

        def show(waited_s: float, gathered: Gathered) -> None:
            write(while_gathering(scenario, waited_s, gathered))

        most_s = float(self._options.get("expect_workers_max_wait") or 0)
        self._environment.parsed_options.expect_workers_max_wait = 0  # Locust leaves it to us
        expected = int(self._options["expect_workers"])
        self._gathering = Gathering(self._runner, expected, most_s, show)

    def ends_at_once(self) -> bool:
        """Note a request to end; whether it is met here, as there is no test that it could end."""
        if self.load_test is not None:
            self.load_test.note_signal()
        if self._gathering is None or not self._gathering.is_under_way:
            return False
        self._gathering.interrupt()
        return True

    def _asked(self) -> tuple[TestSetup, Scenario, Path]:
        """Returns the set-up, the scenario and the file that the options ask for."""
        setup, scenario = planned(self._form.asked(self._options), self._environment)
        path = Path(setup.record) if setup.record else default_path(scenario.name)
        require_writable(path)
        return setup, scenario, path

    def _failure(self) -> str | None:
        """Returns why the last test could not begin, or has no record, as one line."""
        error = self._error or (None if self.load_test is None else self.load_test.error)
        return None if error is None else _shown(error, self._own_url)

    def _arrange_form(self, inputs: dict[str, dict[str, Any]]) -> None:
        self._form.arrange(inputs)

    def _refusal(self, submitted: Mapping[str, str]) -> str | None:
        """Returns why no test can be made of what a form asks for, as one line; None if one can."""
        given = {**self._options, **submitted_options(self._options, submitted)}
        try:
            setup, scenario = planned(self._form.asked(given), self._environment)
            if self._produces:  # elsewhere it is a file of the hosts of Locust's workers
                payloads(scenario)
            if setup.url is not None:
                refuse_cluster(setup.url, "Locust's processes keep")
                open_client(setup.url).close()
        except Exception as error:  # the page would be empty
            return _shown(translated(error, url_secrets(self._own_url or "")), self._own_url)
        return None

    def _make_test(self) -> LoadTest:
        environment = self._environment
        setup, scenario, path = self._asked()
        return LoadTest(
            scenario=scenario,
            setup=setup,
            path=path,
            command=hide_in_command(["locust", *sys.argv[1:]]),
            stats=environment.stats,
            fleet=LocustFleet(self._test, self._post, self._expected, SubprocessFleet()),
            on_end=self._report_and_quit,
            on_progress=progress_writer(),
            exporter=self._exporter,
            has_page=environment.web_ui is not None,
        )

    def _expected(self) -> Sequence[str]:
        if isinstance(self._runner, MasterRunner):
            clients = self._runner.clients
            return [each.id for each in (*clients.ready, *clients.spawning, *clients.running)]
        return [LOCAL]

    def _post(self, client: str, message: CoordinatorMessage) -> None:
        if isinstance(self._runner, LocalRunner):
            self._runner.send_message(TO_PROCESS, pack(message))
        else:
            self._runner.send_message(TO_PROCESS, pack(message), client)

    def _on_process_message(self, environment: Environment, msg: Any, **_: object) -> None:
        if self.load_test is not None:
            self.load_test.fleet.receive_message(msg.node_id, unpack(msg.data, ProcessMessage))

    def _watch_processes(self) -> None:
        """Marks the processes as missing that Locust no longer lists."""
        while True:
            gevent.sleep(_WATCH_EVERY_S)
            if isinstance(self._runner, MasterRunner) and self.load_test is not None:
                alive = set(self._expected())
                self.load_test.fleet.keep_only(alive)

    def _report_and_quit(self) -> None:
        """Prints the result and stops Locust, once the run has ended or failed to begin."""
        try:
            self._report()
        except Exception as error:  # nothing else would ever stop Locust
            self._error = translated(error, url_secrets(self._own_url or ""))
            self._report_error(self._error)
            if self.load_test is not None:
                self.load_test.error = self._error
        if self._environment.web_ui is None:
            self._runner.quit()
        else:
            self._runner.stop()

    def _report(self) -> None:
        load_test = self.load_test
        if load_test is not None:
            if load_test.error is not None:
                self._report_error(load_test.error)
            elif load_test.record is not None and self._prints(load_test.path):
                print_report(load_test.record, load_test.path)

    @staticmethod
    def _prints(path: Path) -> bool:
        """Whether the report is printed: not by a part of a ``bench run``, and not behind the
        record in standard output."""
        return PROGRESS_VARIABLE not in os.environ and not is_standard_output(path)

    def _report_error(self, error: BenchError) -> None:
        text = _shown(error, self._own_url)
        if self._environment.web_ui is None:
            sys.stderr.write(f"{MESSAGE_PREFIX}{text}\n")
        else:
            _log.error("%s", text)

    # The producer's side.

    def _send(self, message: ProcessMessage) -> None:
        self._runner.send_message(TO_COORDINATOR, pack(message))

    def _on_coordinator_message(self, environment: Environment, msg: Any, **_: object) -> None:
        producer: LocustProducer | None = getattr(environment, "bench_producer", None)
        if producer is not None:
            producer.receive(unpack(msg.data, CoordinatorMessage))


def _note(line: str) -> None:
    sys.stderr.write(f"{MESSAGE_PREFIX}{visible(line)}\n")
    sys.stderr.flush()


def _shown(error: BenchError, url: str | None) -> str:
    """Returns an error's message as one line, without the secrets of a URL."""
    return visible(hide(with_notes(str(error), error), url_secrets(url or "")))


def _interrupt_between_greenlets(ends_at_once: Callable[[], bool]) -> None:
    """Makes Ctrl-C, a closed terminal and the like reach only Locust's main greenlet, which waits
    for it.

    Python would raise KeyboardInterrupt in whichever greenlet is running, possibly one that has
    read replies from a socket and has not counted them yet. ``ends_at_once`` meets the request
    where it can, and then returns True.
    """
    main = greenlet.getcurrent()
    requests = EndRequests()

    def interrupt() -> None:
        if requests.note() and not ends_at_once():
            gevent.get_hub().loop.run_callback(main.throw, KeyboardInterrupt)

    for number in ending_signals():
        if number is not signal.SIGTERM:  # of which Locust itself takes care
            gevent.signal_handler(number, interrupt)


@functools.cache
def register() -> None:
    """Registers our listeners with Locust. Later calls have no effect."""

    def on_parser(parser: LocustArgumentParser) -> None:
        streams.install()  # before Locust's log takes standard error
        add_options(parser)

    def on_init(environment: Environment, **_: object) -> None:
        if environment.parsed_options is not None and environment.runner is not None:
            hooks = Hooks(environment)
            try:
                hooks.require_usable()
            except BenchError as error:
                shown = _shown(error, environment.parsed_options.redis_url)
                sys.stderr.write(f"{MESSAGE_PREFIX}{shown}\n")
                for forked in psutil.Process().children():  # by --processes: they await a test
                    with contextlib.suppress(psutil.Error):
                        forked.terminate()
                sys.exit(int(error.exit_code))
            _interrupt_between_greenlets(hooks.ends_at_once)

    on: Any = events
    on.init_command_line_parser.add_listener(on_parser)
    on.init.add_listener(on_init)
