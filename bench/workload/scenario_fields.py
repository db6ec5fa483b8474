"""The fields of a scenario: the one place where each is declared, with ``load_fields``.

To add a field, add an attribute here or there. Flags, Locust's options, TOML, the JSON Schema and
the table in the documentation are made from it by ``bench.workload.fields``; ``python -m
tests.renew`` rewrites that table.
"""

from functools import partial
from typing import Annotated, Literal, get_args

from bench.workload.declaration import Declared, FieldGroup, FrontEnd, WorkerKind
from bench.workload.distribution import Distribution
from bench.workload.fault_plan import FAULTS
from bench.workload.faults import Fault, Network
from bench.workload.load_fields import LoadFields
from bench.workload.network_text import NETWORK
from bench.workload.quantities import (
    DURATION_OR_AUTO,
    DURATION_OR_ZERO,
    SERVICE_TIME,
    SHARE,
    SHARE_OR_AUTO,
)
from bench.workload.queue_weights import QUEUES
from bench.workload.texts import COMMAND, GUARDS, OBJECTIVES, TARGETS
from bench.workload.value_type import BOOLEAN, one_of, whole

Priority = Literal["strict", "weighted"]
CompletionSignal = Literal["state", "result"]
WatchMethod = Literal["auto", "events", "polling"]
CounterChoice = Literal["auto", "attempts", "tasks", "none"]
WorkerStart = Literal["with-run", "after-fill"]

MAX_CONCURRENCY = 500
"""Slots of one worker process: each needs a socket, and select() takes 1024 at most."""

MOST_WORKERS = 256
"""Each is a process with connections of its own."""

_workers = partial(Declared, group=FieldGroup.WORKERS)
_built_in = partial(Declared, group=FieldGroup.WORKERS, applies_to="built-in")
_external = partial(Declared, group=FieldGroup.WORKERS, applies_to="external")
_measurement = partial(Declared, group=FieldGroup.MEASUREMENT)
_faults = partial(Declared, group=FieldGroup.FAULTS)
_LOCUST = FrontEnd.LOCUST
_WORKER_AND_LOCUST = FrontEnd.WORKER | FrontEnd.LOCUST


class ScenarioFields(LoadFields, frozen=True, kw_only=True):
    """Every field of a scenario as resolved: seconds, tasks per second and bytes.

    Users write an attribute's name without its unit: ``rate_per_s`` is ``rate``.
    """

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

    until: Annotated[
        tuple[str, ...],
        _measurement(
            TARGETS,
            "How well figures are to be known: the run ends once all are, or after its duration.",
            "e2e.p99 ±5%",
        ),
    ] = ()

    faults: Annotated[
        tuple[Fault, ...],
        _faults(
            FAULTS,
            "What the run does on purpose to its server, workers or network, and when.",
            "12s stall server 3s",
        ),
    ] = ()
    network: Annotated[
        Network,
        _faults(
            NETWORK,
            "What connections to the server go through: a round trip, a bandwidth per connection, "
            "resets, or none for nothing.",
            "1ms±0.2ms",
        ),
    ] = Network()
    abort: Annotated[
        tuple[str, ...],
        _measurement(
            GUARDS,
            "Guards that end the run at once, for a condition or a condition and how long; none "
            "for not even that of the memory of a server that is not the run's own.",
            "redis.memory > 80%",
            also=_LOCUST,
            without="on a server that is not the run's own, redis.memory > 80%",
        ),
    ] = ()
