"""A scenario: everything about a run that can be decided before it, as one frozen value.

Users write scenarios as TOML, or name a built-in one, and override single fields by flags. All
three arrive here as a mapping of field names to values as written; ``resolve`` turns that mapping
into a ``Scenario`` in base units, or says in one line what is wrong with it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from bench.layouts import registry
from bench.wire.layout import Layout, split_queue
from bench.workload.distribution import Distribution
from bench.workload.payload import PayloadContent
from bench.workload.schedule import RateProfile, RateStage

ArrivalKind = Literal["constant", "poisson", "max"]
ProducerKind = Literal["frames", "redis-py", "snippet"]
Priority = Literal["strict", "weighted"]
WorkerKind = Literal["built-in", "external"]
CompletionSignal = Literal["state", "result"]
WatchMethod = Literal["auto", "events", "polling"]
WorkerStart = Literal["with-run", "after-fill"]


OF_BUILT_IN = (
    *("concurrency", "prefetch", "service_time", "failure_rate", "retry_delay_s", "priority"),
    "store_results",
)
"""Fields that describe the project's own worker, and nobody else's."""
OF_EXTERNAL = ("seen_by", "watch", "traced", "worker_command")
"""Fields that say how somebody else's is started and watched."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """The whole workload as resolved. Seconds, tasks a second and bytes."""

    name: str = "unnamed"
    description: str = ""

    queues: dict[str, float]
    """Sub-queue to the weight of its share of the tasks; highest priority first."""
    layout: str = registry.default.name
    duplicate_check: bool = False
    """Whether enqueueing refuses an id that is there already, in layouts that can."""

    arrivals: ArrivalKind = "constant"
    rate_per_s: float | None = None
    """Offered rate; None when stages give it, or when the loop is closed (``max``)."""
    stages: tuple[RateStage, ...] = ()
    duration_s: float | None = None
    tasks: int | None = None
    seed: int = 1

    payload_size: Distribution = Distribution("constant", mean=64.0)
    payload_content: PayloadContent = "letters"
    payload_file: str | None = None
    max_retry: int = 3

    producers: int = 1
    producer: ProducerKind = "frames"
    pipeline: int = 256
    """Tasks in a batch, at most."""
    in_flight: int = 4
    """Batches without a reply that a closed loop keeps on the way."""
    max_backlog: int | None = None
    """Tasks in one list at which a closed loop waits; None for no such limit."""

    workers: int = 1
    """Worker processes that the run starts itself."""
    external_workers: bool = False
    """Whether our own workers that somebody else started are expected to serve the queues."""
    worker: WorkerKind = "built-in"
    """External: somebody's that tells us nothing, so that completions are seen from outside."""
    worker_command: str | None = None
    """Starts an external worker; None for one that is there."""
    seen_by: CompletionSignal = "state"
    """What shows that an external worker has finished a task."""
    watch: WatchMethod = "auto"
    """How it is looked for."""
    traced: float | None = None
    """Share of the tasks whose latency is followed; None for as many as the rate allows."""
    concurrency: int = 1
    prefetch: int = 1
    service_time: Distribution = Distribution()
    failure_rate: float = 0.0
    retry_delay_s: float = 1.0
    priority: Priority = "strict"
    store_results: bool = False
    worker_start: WorkerStart = "with-run"

    warmup_s: float | None = None
    """Seconds left out at the beginning; None to find the steady state."""
    drain_timeout_s: float = 30.0
    slo: tuple[str, ...] = ()

    @property
    def wire_layout(self) -> Layout:
        """The layout itself."""
        return registry.get(self.layout).variant(duplicate_check=self.duplicate_check)

    @property
    def is_closed_loop(self) -> bool:
        """Whether tasks are sent as fast as replies come, rather than when they are due."""
        return self.arrivals == "max"

    @property
    def has_workers(self) -> bool:
        """Whether anything is expected to serve the queues."""
        return self.workers > 0 or self.external_workers or self.is_observed

    @property
    def is_observed(self) -> bool:
        """Whether completions are seen from outside, by workers that tell us nothing."""
        return self.worker == "external"

    @property
    def profile(self) -> RateProfile:
        """The offered rate over time. Only for scenarios that have one."""
        if self.stages:
            return RateProfile(self.stages)
        if self.rate_per_s is None:
            raise ValueError("a closed loop has no rate profile")
        duration_s = math.inf if self.duration_s is None else self.duration_s
        return RateProfile([RateStage(duration_s, self.rate_per_s, self.rate_per_s)])

    @property
    def planned_duration_s(self) -> float | None:
        """How long enqueueing is planned to last, or None when only a count bounds it."""
        if self.stages:
            return math.fsum(stage.duration_s for stage in self.stages)
        if self.duration_s is None and self.tasks is not None and self.rate_per_s is not None:
            return self.tasks / self.rate_per_s
        return self.duration_s

    @property
    def peak_per_s(self) -> float:
        """The highest offered rate of any moment; zero for a closed loop, which has none."""
        rates = [rate for stage in self.stages for rate in (stage.start_per_s, stage.end_per_s)]
        return max(rates, default=self.rate_per_s or 0.0)

    @property
    def asked_per_s(self) -> float | None:
        """Mean offered rate over the planned duration, or None for a closed loop."""
        if self.is_closed_loop:
            return None
        if self.stages:
            profile = self.profile
            return profile.total / profile.duration_s
        return self.rate_per_s


def override(base: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """The fields of ``base`` with ``changes`` on top.

    Where only the layout changes, the queues are named as that layout names them. A change also
    takes away what it contradicts: a rate replaces stages, a task count replaces a
    duration, and the other way round; a rate opens a closed loop, and ``max`` closes an open one.
    """
    merged = dict(base)
    if "worker_command" in changes and "worker" not in changes:
        merged["worker"] = "external"
    if "layout" in changes and "queues" not in changes:
        merged = _renamed_for(merged, str(changes["layout"]))
    for field in changes:
        for loser in _REPLACES.get(field, ()):
            if loser not in changes:
                merged.pop(loser, None)
    if "rate" in changes and "arrivals" not in changes:
        is_closed = changes["rate"] == "max"
        if is_closed or merged.get("arrivals") == "max":
            merged.pop("arrivals", None)
        if not is_closed and "max_backlog" not in changes:
            merged.pop("max_backlog", None)
    if changes.get("arrivals") == "max" and "rate" not in changes:
        merged.pop("rate", None)
    merged.update(changes)
    return merged


def _renamed_for(fields: Mapping[str, object], layout: str) -> dict[str, object]:
    """The fields with the separator of another layout in the queues' names, objectives included.

    Fields that cannot be read stay as they are: reading them tells what is wrong.
    """
    queues = fields.get("queues")
    old = registry.find(str(fields.get("layout", registry.default.name)))
    new = registry.find(layout)
    if old is None or new is None or not isinstance(queues, Mapping):
        return dict(fields)
    names: dict[str, str] = {}
    for name in map(str, queues):
        parts = split_queue(name, old.layout.separator)
        names[name] = new.layout.separator.join(parts) if all(parts) else name
    renamed = {**fields, "queues": {names[str(name)]: weight for name, weight in queues.items()}}
    objectives = fields.get("slo")
    if isinstance(objectives, Sequence) and not isinstance(objectives, str):
        renamed["slo"] = [_renamed_in(str(each), names) for each in objectives]
    return renamed


def _renamed_in(objective: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        objective = objective.replace(f"{{{old}}}", f"{{{new}}}")
    return objective


_REPLACES = {
    "rate": ("stages",),
    "stages": ("rate", "duration", "tasks", "arrivals"),
    "duration": ("tasks", "stages"),
    "tasks": ("duration",),
    "payload_size": ("payload_file",),
    "payload_file": ("payload_size",),
    "worker": ("worker_command",),
}
