"""Flags that several commands share, as typed dataclasses.

Every field of a scenario is a flag of the same name; a test holds the two lists together. Flags
carry text and numbers as written: reading them is ``bench.workload.fields``'s business, so that a
flag and a TOML field accept the same and complain in the same words.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from cyclopts import Group, Parameter

from bench.errors import UsageError
from bench.layouts import registry
from bench.workload import library
from bench.workload.fields import FIELDS
from bench.workload.resolve import resolve
from bench.workload.scenario import OF_BUILT_IN, OF_EXTERNAL, Scenario, override

URL_VARIABLE = "BENCH_REDIS_URL"

DUPLICATES_IN = registry.names_with(lambda entry: entry.refuses_duplicates)

_LOAD = Group("Load", sort_key=1)
_SERVING = Group("Workers", sort_key=2)
_MEASURING = Group("Measurement", sort_key=3)
_SERVER = Group("Server", sort_key=4)


def _flag(group: Group, text: str) -> Parameter:
    return Parameter(group=group, help=text, negative=())


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class WorkerFlags:
    """How tasks are served, by a run's workers or by one that stands alone."""

    queues: Annotated[
        str | None,
        _flag(_LOAD, "Sub-queues and weights: inference_high=1,inference_low=3; first = highest."),
    ] = None
    layout: Annotated[
        str | None, _flag(_LOAD, f"How the queue lies in Redis: {', '.join(registry.names())}.")
    ] = None
    seed: Annotated[int | None, _flag(_LOAD, "The same seed gives the same workload.")] = None
    concurrency: Annotated[int | None, _flag(_SERVING, "Tasks at once in each worker.")] = None
    prefetch: Annotated[
        int | None, _flag(_SERVING, "Tasks taken at a time; 1 is exactly one by one.")
    ] = None
    service_time: Annotated[
        str | None, _flag(_SERVING, "Time of a task: none, 2ms, exp:2ms or lognormal:2ms,0.5.")
    ] = None
    failure_rate: Annotated[
        str | None, _flag(_SERVING, "Share of attempts that fail, as 5% or 0.05.")
    ] = None
    retry_delay: Annotated[str | None, _flag(_SERVING, "Wait before the next attempt.")] = None
    priority: Annotated[str | None, _flag(_SERVING, "strict or weighted.")] = None
    store_results: Annotated[bool | None, _flag(_SERVING, "Workers store results in Redis.")] = None

    def changes(self) -> dict[str, object]:
        """The fields that were given."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not None}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ScenarioFlags(WorkerFlags):
    """Overrides of single fields of a scenario."""

    rate: Annotated[
        str | None, _flag(_LOAD, "Offered rate, as 5000/s; or max: as fast as replies come.")
    ] = None
    duration: Annotated[str | None, _flag(_LOAD, "How long to enqueue, as 20s.")] = None
    tasks: Annotated[int | None, _flag(_LOAD, "How many tasks to enqueue.")] = None
    duplicate_check: Annotated[
        bool | None, _flag(_LOAD, f"Refuse ids that exist already; with --layout {DUPLICATES_IN}.")
    ] = None
    arrivals: Annotated[str | None, _flag(_LOAD, "constant, poisson or max.")] = None
    stages: Annotated[
        str | None, _flag(_LOAD, "Steps and ramps: 5s@1000/s,10s@1000/s..5000/s.")
    ] = None
    payload_size: Annotated[
        str | None,
        _flag(_LOAD, "Bytes: 256, uniform:64-1KiB or lognormal:256,0.8 (mean, sigma)."),
    ] = None
    payload_content: Annotated[
        str | None, _flag(_LOAD, "letters; or binary, where the layout takes any bytes.")
    ] = None
    payload_file: Annotated[
        str | None, _flag(_LOAD, "JSONL file: payloads, one object a line.")
    ] = None
    max_retry: Annotated[int | None, _flag(_LOAD, "Attempts after a task's first.")] = None
    producers: Annotated[int | None, _flag(_LOAD, "Producer processes.")] = None
    producer: Annotated[
        str | None, _flag(_LOAD, "frames, or for comparison redis-py or snippet.")
    ] = None
    pipeline: Annotated[int | None, _flag(_LOAD, "Tasks in a batch, at most.")] = None
    in_flight: Annotated[
        int | None, _flag(_LOAD, "Batches on the way at once, with --rate max.")
    ] = None
    max_backlog: Annotated[
        int | None, _flag(_LOAD, "Wait while a list is longer than this, with --rate max.")
    ] = None
    workers: Annotated[int | None, _flag(_SERVING, "Worker processes to start; 0 for none.")] = None
    external_workers: Annotated[
        bool | None, _flag(_SERVING, "Workers are started elsewhere, with 'bench worker'.")
    ] = None
    worker: Annotated[
        str | None,
        _flag(_SERVING, "built-in; or external: anybody's, seen from outside as it finishes."),
    ] = None
    worker_command: Annotated[
        str | None,
        _flag(
            _SERVING,
            "Start this external worker; {url}, {host}, {port}, {queues} and {parent} are filled "
            f"in, and {URL_VARIABLE} is set.",
        ),
    ] = None
    seen_by: Annotated[
        str | None, _flag(_SERVING, "What shows that an external worker is done: state or result.")
    ] = None
    watch: Annotated[
        str | None, _flag(_SERVING, "How that is looked for: auto, events or polling.")
    ] = None
    traced: Annotated[
        str | None, _flag(_SERVING, "Share of an external worker's tasks to time: auto, or 10%.")
    ] = None
    worker_start: Annotated[
        str | None, _flag(_SERVING, "with-run; or after-fill: first fill, then drain.")
    ] = None
    warmup: Annotated[
        str | None, _flag(_MEASURING, "Seconds to leave out; auto finds the steady state.")
    ] = None
    drain_timeout: Annotated[
        str | None, _flag(_MEASURING, "How long the queues may take to empty at the end.")
    ] = None
    slo: Annotated[
        list[str] | None,
        _flag(_MEASURING, "Objective, as 'e2e.p99 < 50ms'; may be given several times."),
    ] = None
    name: Annotated[str | None, _flag(_MEASURING, "What reports call the scenario.")] = None
    description: Annotated[str | None, _flag(_MEASURING, "One sentence for reports.")] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ServerFlags:
    """Which server to use."""

    redis_url: Annotated[
        str | None,
        _flag(
            _SERVER,
            f"A server that is there: redis://, rediss:// or unix://. Better in {URL_VARIABLE}: "
            "a password on the command line can be seen by others.",
        ),
    ] = None

    def url(self) -> str | None:
        """The URL from the flag or from the environment; never from REDIS_URL."""
        return self.redis_url or os.environ.get(URL_VARIABLE) or None

    def require_url(self) -> str:
        """The URL. Raises UsageError when there is none."""
        url = self.url()
        if url is None:
            raise UsageError(f"which server? Say --redis-url, or set {URL_VARIABLE}")
        return url


def _require_meant(changes: Mapping[str, object], scenario: Scenario) -> None:
    """Raise UsageError for flags that this scenario's workers would not hear of.

    A scenario's file may hold them: it may be run with either kind of worker.
    """
    unheard = OF_BUILT_IN if scenario.is_observed else OF_EXTERNAL
    given = [f"--{name.replace('_', '-')}" for name in changes if FIELDS[name].attribute in unheard]
    if scenario.is_observed and "workers" in changes and scenario.worker_command is None:
        given.append("--workers")
    if given:
        kind = "an external worker" if scenario.is_observed else "the built-in worker"
        raise UsageError(f"flags: {', '.join(given)}: {kind} does not hear of that; leave it out")


def scenario_from(name_or_path: str, flags: ScenarioFlags) -> Scenario:
    """The scenario with the flags on top. Raises ScenarioError, and UsageError."""
    source, written = library.load(name_or_path)
    changes = flags.changes()
    if not changes:
        return resolve(written, source)
    resolve(written, source)  # an error in the file is told as the file's
    scenario = resolve(override(written, changes), "flags")
    _require_meant(changes, scenario)
    return scenario
