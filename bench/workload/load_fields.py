"""The fields of a scenario that say what is enqueued, and when: the first half of them.

How a field is declared, ``bench.workload.scenario_fields`` says, which has the others.
"""

from functools import partial
from typing import Annotated, Literal, get_args

import msgspec

from bench.layouts import registry
from bench.wire.ids import MAX_PRODUCERS
from bench.workload.acknowledgement import ACKNOWLEDGEMENT, Acknowledgement
from bench.workload.declaration import Declared, FieldGroup, FrontEnd
from bench.workload.distribution import Distribution
from bench.workload.payload import MIN_SIZE, PayloadContent
from bench.workload.quantities import (
    DURATION,
    DURATION_OR_ZERO,
    PAYLOAD_SIZE,
    RATE,
    SPEED,
)
from bench.workload.queue_weights import QUEUES
from bench.workload.rate_stages import STAGES
from bench.workload.schedule import RateStage
from bench.workload.texts import LAYOUT
from bench.workload.trace import TraceFile
from bench.workload.value_type import BOOLEAN, FILE_NAME, NAME, ONE_LINE, one_of, whole

ArrivalKind = Literal["constant", "poisson", "max"]
ProducerKind = Literal["frames", "redis-py", "snippet"]

MOST_TASKS = 10**12
"""About what Redis could take in the longest run: 826,000 tasks a second for 14 days."""
MOST_SEED = 2**63 - 1
"""The largest whole number that TOML and JSON readers must hold."""
MOST_BACKLOG = 2**32 - 1
"""The longest list that Redis holds."""

_load = partial(Declared, group=FieldGroup.LOAD)
_measurement = partial(Declared, group=FieldGroup.MEASUREMENT)
_LOCUST = FrontEnd.LOCUST
_WORKER_AND_LOCUST = FrontEnd.WORKER | FrontEnd.LOCUST


class LoadFields(msgspec.Struct, frozen=True, kw_only=True):
    """The name of a scenario, and its load as resolved: seconds, tasks per second and bytes."""

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
    ack: Annotated[
        Acknowledgement | None,
        _load(
            ACKNOWLEDGEMENT,
            "Whose acknowledgement each batch waits for, beside the server's: wait:REPLICAS or "
            "waitaof:LOCAL,REPLICAS, and for how long at most.",
            "wait:1,100ms",
            without="the server alone",
        ),
    ] = None
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
