"""Runs all clients in turn against one server: each is run, its keys are checked and removed."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import redis

from bench import environment
from bench.clients import build, processes
from bench.clients.build import Notify, Program, Unavailable
from bench.clients.catalogue import Client, why_not
from bench.clients.processes import ClientInterrupted
from bench.clients.rows import ClientTrial, ClientTrials
from bench.errors import MeasurementError, UsageError
from bench.layouts import registry
from bench.measure.verdict_inputs import quantity
from bench.names import require_queue_name
from bench.records import timestamps
from bench.records.clients_record import ClientsRecord
from bench.redisio import client_tasks, server_info
from bench.redisio.client_tasks import CheckedQueue, ExpectedTasks
from bench.redisio.cluster.layouts import refuse_cluster
from bench.redisio.connection import open_client, translated_errors
from bench.run import killed_runs
from bench.run.killed_runs import KilledClients, LeftNote, NotedServer

_MORE_INSPECTIONS = 20
MOST_TASKS = 10_000_000
"""Their ids are all read back, to check the order of the list."""
MOST_REPEAT = 1000
_MARKS_OF_REDIS_CLI = "'\"\\"


@dataclass(frozen=True, kw_only=True)
class ClientsRequest:
    """What to run, and on which server."""

    url: str
    open_url: str
    """The URL for the clients, whose user need not manage the server."""
    owns_server: bool
    """Whether the server was started for this comparison, so that it holds no other keys."""
    clients: Sequence[Client]
    layout: str
    queue: str
    tasks: int
    repeat: int
    command: str
    """The command line, without secrets."""


def require_client_queue(name: str) -> str:
    """Return the name of a queue as it is. Raises UsageError where a client could not write it: in
    the language of redis-cli, quotes and backslashes mean something."""
    require_queue_name(name)
    for character in name:
        if character in _MARKS_OF_REDIS_CLI:
            raise UsageError(
                f"{name!r} is no queue name that every client can write: it holds {character!r}"
            )
    return name


def measure(
    request: ClientsRequest, should_stop: Callable[[], bool], notify: Notify
) -> ClientsRecord:
    """Run every client that can be run ``repeat`` times, and return the record.

    The row of a client that fails says why; it is not run again, and the others go on. Once
    ``should_stop`` returns True, the record holds what was measured until then. ``notify`` is
    called with one line at each step. Raises UsageError when the queue holds tasks already, and
    ServerUnreachable.
    """
    began_s = time.monotonic()
    started_at = timestamps.now()
    entry = registry.get(request.layout)
    refuse_cluster(request.url, "the clients of a comparison connect")
    with open_client(request.url, wants_end=should_stop) as client, translated_errors(request.url):
        noted_server = killed_runs.server_of(client, request.url)
        _remove_left(request, client, noted_server, notify, should_stop)
        checked = client_tasks.begin(client, entry, request.queue)
        if not request.owns_server and _has_blocked_clients(client):
            notify(
                "a client is blocked on a list of this server: if it is a worker of "
                f"{request.queue}, choose another --queue"
            )
        server = server_info.describe(client, request.url)
        all_tried = [ClientTrials(each, []) for each in request.clients]
        programs = dict(_programs(request, all_tried, notify))
        bench = _TrialRunner(request, client, checked, should_stop)
        with _noted(request, noted_server, checked) as note:
            note.is_clean = False
            for number, tried in _turns(request, all_tried, programs):
                if should_stop():
                    break
                if not tried.failed:
                    notify(f"{tried.client.name}, {number} of {request.repeat}")
                    bench.attempt(tried, programs[tried.client.name])
            note.is_clean = True
    return ClientsRecord(
        started_at=started_at,
        duration_s=time.monotonic() - began_s,
        command=request.command,
        layout=request.layout,
        queue=request.queue,
        tasks=request.tasks,
        repeat=request.repeat,
        is_complete=not should_stop(),
        environment=environment.describe(1, 0),
        server=server,
        clients=[tried.row() for tried in all_tried],
    )


def _remove_left(
    request: ClientsRequest,
    client: redis.Redis,
    server: NotedServer,
    notify: Notify,
    should_stop: Callable[[], bool],
) -> None:
    """Remove what was left on this server by commands that were killed."""
    if request.owns_server:
        return
    keys = killed_runs.remove_left(client, server, should_stop)
    if keys:
        notify(f"{quantity(keys, 'key')} of a command that was killed had to be removed")


def _noted(
    request: ClientsRequest, server: NotedServer, checked: CheckedQueue
) -> contextlib.AbstractContextManager[LeftNote]:
    """A note for the next run, in case that this process is killed; none if its server ends with
    it."""
    if request.owns_server:
        return contextlib.nullcontext(LeftNote())
    return killed_runs.noted(
        KilledClients(
            server=server,
            layout=request.layout,
            queue=request.queue,
            tasks=request.tasks,
            was_registered=checked.was_registered,
        )
    )


def _has_blocked_clients(client: redis.Redis) -> bool:
    """Whether a client is blocked on a list. The server does not tell on which."""
    try:
        return int(client.info("clients").get("blocked_clients", 0)) > 0
    except redis.exceptions.ResponseError:
        return False


def _programs(
    request: ClientsRequest, all_tried: Sequence[ClientTrials], notify: Notify
) -> Iterator[tuple[str, Program]]:
    """(name, program) of each client that can be run; sets ``skipped`` of the others."""
    for tried in all_tried:
        client = tried.client
        tried.skipped = why_not(client, request.layout, request.url)
        if tried.skipped:
            continue
        try:
            program = build.prepare(client, notify)
        except Unavailable as reason:
            tried.skipped = str(reason)
            continue
        tried.runs_on = program.runs_on
        yield client.name, program


def _turns(
    request: ClientsRequest, all_tried: Sequence[ClientTrials], programs: dict[str, Program]
) -> Iterator[tuple[int, ClientTrials]]:
    """(repetition, client) in the order of the runs. Each repetition begins with another client."""
    able = [tried for tried in all_tried if tried.client.name in programs]
    for number in range(request.repeat):
        first = number % len(able) if able else 0
        for tried in [*able[first:], *able[:first]]:
            yield number + 1, tried


@dataclass(frozen=True)
class _TrialRunner:
    """Runs repetitions of clients against one server."""

    request: ClientsRequest
    client: redis.Redis
    checked: CheckedQueue
    should_stop: Callable[[], bool]

    def attempt(self, tried: ClientTrials, program: Program) -> None:
        """Run one repetition of a client, and add its result or its failure to ``tried``."""
        try:
            trial = self._trial(tried.client, program)
        except MeasurementError as error:
            tried.failed = str(error)
        except ClientInterrupted:
            return
        else:
            if trial is not None:
                tried.trials.append(trial)

    def _trial(self, client: Client, program: Program) -> ClientTrial | None:
        """Run one repetition, check its keys and remove them.

        Raises MeasurementError when the program failed or wrote other keys than expected.
        """
        request = self.request
        expected = ExpectedTasks(request.tasks, client.is_ordered, client.is_stamped)
        before_s = self._server_cpu_s()
        fault = ""
        trial = None
        has_ended = False
        try:
            line = processes.run(
                client, program, request.open_url, request.tasks, request.queue, self.should_stop
            )
            has_ended = True
            trial = ClientTrial(line, _grown(before_s, self._server_cpu_s()))
        except MeasurementError as error:
            fault = str(error)
        finally:
            fault = self._inspect_and_remove(expected, fault, has_ended=has_ended)
        if fault:
            raise MeasurementError(fault)
        return trial

    def _inspect_and_remove(self, expected: ExpectedTasks, fault: str, *, has_ended: bool) -> str:
        """Check and remove the keys. Returns the first fault: the given one, or one found here.

        ``has_ended``: whether the client came to its end, so that each task's keys are complete.
        """
        owns_server = self.request.owns_server
        found = client_tasks.inspect(self.client, self.checked, expected, owns_server=owns_server)
        left = client_tasks.remove(self.client, self.checked, found)
        fault = fault or found.fault or left
        # The server may still read commands of a client that was stopped.
        for _ in range(_MORE_INSPECTIONS if left or not has_ended else 0):
            found = client_tasks.inspect(
                self.client, self.checked, expected, owns_server=owns_server
            )
            if not client_tasks.remove(self.client, self.checked, found) and not found.own:
                break
        if not has_ended and not owns_server:
            client_tasks.remove_unlisted(self.client, self.checked, expected)
        if fault and owns_server:
            client_tasks.remove_all(self.client, self.checked)
        elif fault and len(found.own) + found.others < expected.tasks:
            fault += (
                f"; up to {expected.tasks - len(found.own)} tasks that another client took from "
                f"{self.checked.pending.key} meanwhile are left on the server"
            )
        elif fault and found.others:
            fault += (
                f"; ids that may belong to others were left in {self.checked.pending.key}: "
                f"{found.others}"
            )
        return fault

    def _server_cpu_s(self) -> float | None:
        return server_info.cpu_s(self.client.info("cpu"))


def _grown(before_s: float | None, after_s: float | None) -> float | None:
    """What a count has grown by; None where it is not known, or was restarted."""
    if before_s is None or after_s is None or after_s < before_s:
        return None
    return after_s - before_s
