"""The fields of a scenario: the one place where each is declared.

To add a field, add an attribute here. Flags, Locust's options, TOML, the JSON Schema and the table
in docs/scenarios.md are made from it by ``bench.workload.fields``; ``python -m tests.renew``
rewrites that table.
"""

from functools import partial
from typing import Annotated, Literal, get_args

import msgspec

from bench.layouts import registry
from bench.wire.ids import MAX_PRODUCERS
from bench.workload.declaration import Declared, FieldGroup, FrontEnd, WorkerKind
from bench.workload.distribution import Distribution
from bench.workload.payload import MIN_SIZE, PayloadContent
from bench.workload.quantities import (
    DURATION,
    DURATION_OR_AUTO,
    DURATION_OR_ZERO,
    PAYLOAD_SIZE,
    RATE,
    SERVICE_TIME,
    SHARE,
    SHARE_OR_AUTO,
    SPEED,
)
from bench.workload.queue_weights import QUEUES
from bench.workload.rate_stages import STAGES
from bench.workload.schedule import RateStage
from bench.workload.texts import COMMAND, LAYOUT, OBJECTIVES
from bench.workload.trace import TraceFile
from bench.workload.value_type import BOOLEAN, FILE_NAME, NAME, ONE_LINE, one_of, whole

ArrivalKind = Literal["constant", "poisson", "max"]
ProducerKind = Literal["frames", "redis-py", "snippet"]
Priority = Literal["strict", "weighted"]
CompletionSignal = Literal["state", "result"]
WatchMethod = Literal["auto", "events", "polling"]
CounterChoice = Literal["auto", "attempts", "tasks", "none"]
WorkerStart = Literal["with-run", "after-fill"]

MAX_CONCURRENCY = 500
"""Slots of one worker process: each needs a socket, and select() takes 1024 at most."""

MOST_TASKS = 10**12
"""About what Redis could take in the longest run: 826,000 tasks a second for 14 days."""
MOST_SEED = 2**63 - 1
"""The largest whole number that TOML and JSON readers must hold."""
MOST_BACKLOG = 2**32 - 1
"""The longest list that Redis holds."""

MOST_WORKERS = 256
"""Each is a process with connections of its own."""

_load = partial(Declared, group=FieldGroup.LOAD)
_workers = partial(Declared, group=FieldGroup.WORKERS)
_built_in = partial(Declared, group=FieldGroup.WORKERS, applies_to="built-in")
_external = partial(Declared, group=FieldGroup.WORKERS, applies_to="external")
_measurement = partial(Declared, group=FieldGroup.MEASUREMENT)
_LOCUST = FrontEnd.LOCUST
_WORKER_AND_LOCUST = FrontEnd.WORKER | FrontEnd.LOCUST


class ScenarioFields(msgspec.Struct, frozen=True, kw_only=True):
    """Every field of a scenario as resolved: seconds, tasks per second and bytes.

    Users write an attribute's name without its unit: ``rate_per_s`` is ``rate``.
    """

    name: Annotated[
        str,
        _measurement(
            NAME,
            "Name of the scenario in reports and file names.",
            "evening-peak",
            without="the file's name",
        ),
    ] = "unnamed"
    description: Annotated[
        str,
        _measurement(
            ONE_LINE,
            "What the scenario answers, in one sentence for reports.",
            "Does the evening peak fit?",
        ),
    ] = ""

    queues: Annotated[
        dict[str, float],
        _load(
            QUEUES,
            "Sub-queues with the weights of their shares of the load, highest priority first.",
            "inference_high=1,inference_low=3",
            also=_WORKER_AND_LOCUST,
            replaces=("priorities",),
            without="required",
        ),
    ]
    layout: Annotated[
        str,
        _load(
            LAYOUT,
            f"How the task queue is laid out in Redis: {' or '.join(registry.names())}.",
            also=_WORKER_AND_LOCUST,
        ),
    ] = registry.default.name
    duplicate_check: Annotated[
        bool,
        _load(
            BOOLEAN,
            "Enqueue with a script that refuses an id that already exists; with layout "
            f"{registry.names_with(lambda entry: entry.refuses_duplicates)}.",
        ),
    ] = False

    arrivals: Annotated[
        ArrivalKind,
        _load(
            one_of(get_args(ArrivalKind)),
            "Arrivals: constant or poisson in an open loop, max for a closed loop.",
            also=_LOCUST,
        ),
    ] = "constant"
    rate_per_s: Annotated[
        float | None,
        _load(
            RATE,
            "Offered rate, or max to send as fast as replies arrive (closed loop).",
            "5000/s",
            also=_LOCUST,
            short="-r",
            replaces=("stages", "trace", "speed"),
            without="required, unless there are stages or a trace",
        ),
    ] = None
    stages: Annotated[
        tuple[RateStage, ...],
        _load(
            STAGES,
            "Steps and ramps of the offered rate, in place of a rate and a duration.",
            "5s@1000/s,10s@1000/s..5000/s",
            also=_LOCUST,
            replaces=("rate", "duration", "tasks", "arrivals", "trace", "speed"),
        ),
    ] = ()
    trace: Annotated[
        TraceFile | None,
        _load(
            FILE_NAME,
            "CSV file of rates over time, or of tasks with their time, queue and size, in place of "
            "a rate and a duration.",
            "yesterday.csv",
            replaces=("rate", "stages", "duration", "tasks", "arrivals"),
        ),
    ] = None
    speed: Annotated[
        float,
        _load(SPEED, "How many times as fast as it was recorded a trace is replayed.", "2x"),
    ] = 1.0
    duration_s: Annotated[
        float | None,
        _load(
            DURATION,
            "How long to enqueue; beside a number of tasks, whichever ends first.",
            "20s",
            short="-d",
            replaces=("tasks", "stages", "trace", "speed"),
            without="required, unless there are tasks, stages or a trace",
        ),
    ] = None
    overrun_s: Annotated[
        float,
        _load(
            DURATION_OR_ZERO,
            "Open loop: how long enqueueing may go on past its planned end; what was due and is "
            "not sent by then counts as not sent.",
            "1m",
            also=_LOCUST,
        ),
    ] = 10.0
    tasks: Annotated[
        int | None,
        _load(
            whole(1, MOST_TASKS),
            "Number of tasks to enqueue.",
            "100000",
            also=_LOCUST,
            short="-n",
            replaces=("duration", "trace", "speed"),
        ),
    ] = None
    seed: Annotated[
        int,
        _load(
            whole(0, MOST_SEED),
            "Seed of all random draws: the same seed gives the same workload.",
            "7",
            also=_WORKER_AND_LOCUST,
        ),
    ] = 1

    payload_size: Annotated[
        Distribution,
        _load(
            PAYLOAD_SIZE,
            f"Bytes of each payload, of which stamps take {MIN_SIZE}: a size, uniform:LOW-HIGH or "
            "lognormal:MEAN,SIGMA.",
            "uniform:64B-1KiB",
            also=_LOCUST,
            replaces=("payload_file",),
        ),
    ] = Distribution("constant", mean=64.0)
    payload_content: Annotated[
        PayloadContent,
        _load(
            one_of(get_args(PayloadContent)),
            "What fills a payload: letters, or binary (any bytes) where it need not be JSON.",
        ),
    ] = "letters"
    payload_file: Annotated[
        str | None,
        _load(
            FILE_NAME,
            "JSONL file of payloads, one object per line, used in turn.",
            "payloads.jsonl",
            also=_LOCUST,
            replaces=("payload_size",),
        ),
    ] = None
    max_retry: Annotated[
        int, _load(whole(0, 1000), "Number of attempts after the first.", "5", also=_LOCUST)
    ] = 3

    producers: Annotated[
        int,
        _load(whole(1, MAX_PRODUCERS - 1), "Producer processes, which share the schedule.", "2"),
    ] = 1
    producer: Annotated[
        ProducerKind,
        _load(
            one_of(get_args(ProducerKind)),
            "How tasks are sent: frames, or for comparison redis-py (its pipelines) or snippet "
            "(two round trips per task).",
        ),
    ] = "frames"
    pipeline: Annotated[
        int, _load(whole(1, 100_000), "Number of tasks in a batch, at most.", "64", also=_LOCUST)
    ] = 256
    in_flight: Annotated[
        int,
        _load(
            whole(1, 1000),
            "Closed loop: batches in flight, each on a connection of its own.",
            "8",
        ),
    ] = 4
    max_backlog: Annotated[
        int | None,
        _load(
            whole(1, MOST_BACKLOG),
            "Closed loop: wait while the pending list of a sub-queue is longer than this.",
            "4096",
            also=_LOCUST,
            without="no limit",
        ),
    ] = None

    workers: Annotated[
        int,
        _workers(whole(0, MOST_WORKERS), "Worker processes that the run starts; 0 for none.", "4"),
    ] = 1
    external_workers: Annotated[
        bool,
        _workers(
            BOOLEAN, "Expect this project's own workers, started elsewhere with 'bench worker'."
        ),
    ] = False
    worker: Annotated[
        WorkerKind,
        _workers(
            one_of(get_args(WorkerKind)),
            "Kind of worker: built-in, or external for any other, observed from outside.",
            replaces=("worker_command",),
        ),
    ] = "built-in"
    worker_command: Annotated[
        str | None,
        _external(
            COMMAND,
            "Command that starts an external worker; {url}, {host}, {port}, {db}, {queues}, "
            "{priorities} and {parent} are filled in, and BENCH_REDIS_URL is set.",
            "my-worker --redis {host}:{port} --queues {queues}",
            without="with `worker` = `external`, one that is running",
        ),
    ] = None
    seen_by: Annotated[
        CompletionSignal,
        _external(
            one_of(get_args(CompletionSignal)),
            "What shows that an external worker has finished a task: its state or its result.",
        ),
    ] = "state"
    watch: Annotated[
        WatchMethod,
        _external(
            one_of(get_args(WatchMethod)),
            "How an external worker's tasks are observed: events (keyspace notifications), polling "
            "or auto for events where the server sends them.",
        ),
    ] = "auto"
    counters: Annotated[
        CounterChoice,
        _external(
            one_of(get_args(CounterChoice)),
            "What the queues' totals of processed and failed count, which show how tasks ended "
            "that left no trace: attempts (asynq), tasks (runqy-worker), none or auto.",
        ),
    ] = "auto"
    traced: Annotated[
        float | None,
        _external(
            SHARE_OR_AUTO,
            "Share of an external worker's tasks whose latency is measured, or auto for as many as "
            "the rate allows.",
            "10%",
        ),
    ] = None
    concurrency: Annotated[
        int,
        _built_in(
            whole(1, MAX_CONCURRENCY),
            "Number of tasks that each worker runs at the same time.",
            "8",
            also=_WORKER_AND_LOCUST,
            short="-c",
        ),
    ] = 1
    prefetch: Annotated[
        int,
        _built_in(
            whole(1, 10_000),
            "Number of tasks that a worker takes at a time; 1 is the sequence in runqy's "
            "documentation, with one round trip per command.",
            "64",
            also=_WORKER_AND_LOCUST,
        ),
    ] = 1
    service_time: Annotated[
        Distribution,
        _built_in(
            SERVICE_TIME,
            "Time that each task takes: none, a duration, exp:MEAN, uniform:LOW-HIGH or "
            "lognormal:MEAN,SIGMA.",
            "exp:2ms",
            also=_WORKER_AND_LOCUST,
        ),
    ] = Distribution()
    failure_rate: Annotated[
        float, _built_in(SHARE, "Share of attempts that fail.", "5%", also=_WORKER_AND_LOCUST)
    ] = 0.0
    retry_delay_s: Annotated[
        float,
        _built_in(
            DURATION_OR_ZERO,
            "Wait before a failed task's next attempt.",
            "500ms",
            also=FrontEnd.WORKER,
        ),
    ] = 1.0
    priority: Annotated[
        Priority,
        _workers(
            one_of(get_args(Priority)),
            "Which sub-queue is served: strict for the first that has a task, weighted for an "
            "order drawn by the priorities; of an external worker, which of the two it does.",
            also=_WORKER_AND_LOCUST,
        ),
    ] = "strict"
    priorities: Annotated[
        dict[str, float] | None,
        _workers(
            QUEUES,
            "Sub-queues with the weights of their priorities, which the order of queues follows; "
            "weighted serves each by its weight, strict the highest first.",
            "inference_high=6,inference_low=1",
            also=_WORKER_AND_LOCUST,
            without="by the order of `queues`: 1 for the last, then 3, 6, 10, …",
        ),
    ] = None
    store_results: Annotated[
        bool, _built_in(BOOLEAN, "Store a result for each completed task.", also=_WORKER_AND_LOCUST)
    ] = False
    worker_start: Annotated[
        WorkerStart,
        _workers(
            one_of(get_args(WorkerStart)),
            "When workers start: with-run, or after-fill to enqueue everything and then drain it.",
        ),
    ] = "with-run"

    warmup_s: Annotated[
        float | None,
        _measurement(
            DURATION_OR_AUTO,
            "Time at the beginning to leave out of the figures, or auto to find the steady state.",
            "2s",
            also=_LOCUST,
        ),
    ] = None
    drain_timeout_s: Annotated[
        float,
        _measurement(
            DURATION_OR_ZERO,
            "How long the queues may take to become empty at the end.",
            "2m",
            also=_LOCUST,
        ),
    ] = 30.0
    slo: Annotated[
        tuple[str, ...],
        _measurement(
            OBJECTIVES, "Objectives that the run must meet.", "e2e.p99 < 50ms", also=_LOCUST
        ),
    ] = ()
