"""What a run is asked to do."""

from dataclasses import dataclass, field, replace

import msgspec

from bench.errors import UsageError
from bench.faults.servers import SharedServer
from bench.faults.targets import ServerTarget
from bench.layouts import registry
from bench.pinning import Pinning
from bench.redisio.cluster.layouts import require_one_command, require_one_slot
from bench.redisio.url import Topology, parse
from bench.run.external_worker import require_startable
from bench.workload.fault_rules import require_able
from bench.workload.scenario import Scenario


@dataclass(frozen=True)
class RunRequest:
    """A scenario, and the server to run it on."""

    url: str
    scenario: Scenario
    command: str
    """The user's command line, without secrets."""
    owns_server: bool = False
    """Whether the server ends with the run, so that nothing needs to be removed from it."""
    allow_shared: bool = False
    """Whether the queues may hold tasks of others."""
    keep: bool = False
    """Whether the run's tasks stay in the server when it is over."""
    open_url: str | None = None
    """What external workers are given in place of ``url``: a user who may not manage the server."""
    through_url: str | None = None
    """The URL by which producers, workers and observers connect, where that is not ``url``: through
    the network of the run."""
    with_latency_counts: bool = False
    """Whether reports carry latencies by queue while the run lasts."""
    latency_bounds_us: tuple[int, ...] = ()
    """Bounds of the buckets in which reports carry latencies by queue for monitoring; none without
    it."""

    traces_hiccups: bool = True
    """Whether a process of the run notes how late it wakes, beside timing canaries."""
    pinning: Pinning = field(default_factory=Pinning)
    """The cores that the parts of the run may use."""
    server: ServerTarget | None = None
    """The server as what faults strike; None for one of others."""
    faults_on_shared: bool = False
    """Whether faults may strike a server of others, by its own commands."""

    @property
    def task_url(self) -> str:
        """The URL by which producers, workers and observers connect."""
        return self.through_url or self.url

    @property
    def is_monitored(self) -> bool:
        """Whether the state of the run is passed on to monitoring while it lasts."""
        return bool(self.latency_bounds_us)


def target_of(request: RunRequest) -> ServerTarget:
    """The run's server as what faults strike."""
    if request.server is not None:
        return request.server
    return SharedServer(request.url, may_be_disturbed=request.faults_on_shared)


def possible(request: RunRequest) -> RunRequest:
    """The request as it can be carried out on what its URL leads to, before that is asked.

    Raises UsageError for faults and for a layout that cannot be used there, and for a worker's
    command that cannot be started.
    """
    request = for_topology(request)
    scenario = request.scenario
    has_proxy = parse(request.url).topology is Topology.SINGLE
    require_able(scenario.faults, replace(target_of(request).abilities, proxy=has_proxy))
    if scenario.worker_command:
        require_startable(scenario, request.open_url or request.url)
    return request


def for_topology(request: RunRequest) -> RunRequest:
    """The request as it can be carried out where its URL leads: on a cluster a task is enqueued by
    one script, as asynq's client does, for a slot may move between two commands.

    Raises UsageError for a layout that cannot be used there.
    """
    if parse(request.url).topology is not Topology.CLUSTER:
        return request
    scenario = request.scenario
    queues = list(scenario.queues)
    if scenario.ack is not None:
        raise UsageError(
            "ack: the nodes of a cluster have replicas of their own, and no reply speaks of all of "
            "them: remove it, or measure a single server"
        )
    require_one_slot(request.url, scenario.wire_layout, queues)
    if registry.get(scenario.layout).refuses_duplicates:
        scenario = msgspec.structs.replace(scenario, duplicate_check=True)
    if scenario.producer == "frames":
        require_one_command(request.url, scenario.wire_layout, queues[0])
    return replace(request, scenario=scenario)
