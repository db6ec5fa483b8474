"""The network of a run: a proxy between its tasks and its server, where the scenario asks for one.

Producers, workers and observers connect through it. The run's own connections, by which it looks
after the server, are direct: they must work when the others do not.
"""

import contextlib
import dataclasses
from collections.abc import Iterator

import msgspec

from bench.errors import UsageError
from bench.measure.network import NetworkUse
from bench.proxy import round_trips
from bench.proxy.control import NetworkProxy, proxied
from bench.proxy.round_trips import Ends
from bench.redisio.url import SERVER_NAME, Topology, parse
from bench.run.request import RunRequest
from bench.workload.faults import FaultKind, Network
from bench.workload.scenario import Scenario

_TRY_S, _CORRECT_S, _MEASURE_S = 0.05, 0.1, 0.3
_CORRECTIONS = 3
_SHORT_S = 0.001
"""The most that is added to a round trip while the proxy's own cost is measured."""
_MOST_OWN_COST_S = 0.00025
"""More than the proxy itself takes anywhere: what goes beyond it is the machine's load, which comes
and goes, and would make round trips shorter than asked when it goes."""
_TIMEOUT_S = 10.0
"""How long a PING may take, beside what was asked."""


def needs_proxy(scenario: Scenario, *, can_proxy: bool) -> bool:
    """Whether anything is to happen to the network of a run.

    Connections are reset by the proxy where all of them can go through one, and else by the server.
    """
    kinds = {fault.kind for fault in scenario.faults}
    return (
        FaultKind.NETWORK in kinds
        or not scenario.network.changes_nothing
        or (FaultKind.RESET in kinds and can_proxy and _starts_all(scenario))
    )


def _starts_all(scenario: Scenario) -> bool:
    """Whether the run starts all processes that connect to the server for its tasks."""
    is_served_by_others = scenario.is_observed and scenario.worker_command is None
    return not scenario.external_workers and not is_served_by_others


class RunNetwork:
    """The network of one run, and the measurement of what it adds."""

    def __init__(self, proxy: NetworkProxy, asked: Network, url: str) -> None:
        self.control = proxy
        self._asked = asked
        self._use = NetworkUse(asked=asked)
        self._url = url

    def set_up(self) -> None:
        """Be what was asked, but for resets, and find out whether anything gets through it.

        Raises MeasurementError and ServerUnreachable.
        """
        if self._asked.is_black_hole:
            return
        with self._ends() as both:
            self.control.set_network(self._calm)
            self._use = self._measured(both, _TRY_S)

    def begin(self) -> None:
        """Be what was asked, now that everything is connected, and measure that before.

        Only now is the machine as quiet as it is in the run: what the proxy adds while other
        processes start would be taken for its own cost, and round trips would be too short by it.
        Raises MeasurementError and ServerUnreachable.
        """
        if not self._asked.is_black_hole:
            with self._ends() as both:
                if self._asked.round_trip_s:
                    self._correct(both)
                self.control.set_network(self._calm)
                self._use = self._measured(both, _MEASURE_S)
        self.control.set_network(self._asked)

    def _correct(self, both: Ends) -> None:
        """Correct what the proxy itself adds by what its round trips are off, more than once."""
        control = self.control
        short = Network(round_trip_s=min(self._asked.round_trip_s, _SHORT_S))
        for _ in range(_CORRECTIONS):
            control.set_network(short)
            direct, through = both.measure(_CORRECT_S, self._timeout_s)
            off_s = through.p50_s - direct.p50_s - short.round_trip_s
            control.own_cost_s = min(max(control.own_cost_s + off_s, 0.0), _MOST_OWN_COST_S)

    def _measured(self, both: Ends, seconds: float) -> NetworkUse:
        direct, through = both.measure(seconds, self._timeout_s)
        return NetworkUse(
            asked=self._asked, direct=direct, through=through, own_cost_s=self.control.own_cost_s
        )

    def _ends(self) -> contextlib.AbstractContextManager[Ends]:
        return round_trips.ends(self._url, self.control.leads_to(self._url))

    @property
    def _calm(self) -> Network:
        return msgspec.structs.replace(self._asked, resets_per_s=0.0)

    @property
    def _timeout_s(self) -> float:
        return _TIMEOUT_S + 2 * (self._asked.round_trip_s + self._asked.jitter_s)

    @property
    def round_trip_s(self) -> float | None:
        """What a round trip took in the median; None where that was not measured."""
        through = self._use.through
        return None if through is None else through.p50_s

    @property
    def use(self) -> NetworkUse:
        """What it was, for the record."""
        counts = self.control.newest_counts()
        return msgspec.structs.replace(self._use, connections=counts.accepted, resets=counts.resets)


@contextlib.contextmanager
def network_of(request: RunRequest) -> Iterator[tuple[RunRequest, RunNetwork | None]]:
    """The network that a request needs, and the request with the URLs that lead through it.

    Without a network in its scenario there is no proxy, and the request is as it was. Raises
    UsageError where some of its tasks would not go through the network.
    """
    scenario = request.scenario
    is_single = parse(request.url).topology is Topology.SINGLE
    if not needs_proxy(scenario, can_proxy=is_single):
        yield request, None
        return
    if not is_single:
        raise UsageError(
            "network: the nodes of a cluster and the masters of Sentinels tell their own "
            "addresses, to which connections go directly: measure a network with a single server"
        )
    _require_own_processes(scenario)
    with proxied(request.url, scenario.seed) as proxy:
        network = RunNetwork(proxy, scenario.network, request.url)
        network.set_up()
        open_url = None
        if scenario.worker_command is not None:
            open_url = url_for_others(proxy.leads_to(request.open_url or request.url))
        yield (
            dataclasses.replace(
                request,
                through_url=proxy.leads_to(request.url),
                open_url=open_url,
            ),
            network,
        )


def _require_own_processes(scenario: Scenario) -> None:
    if not _starts_all(scenario):
        raise UsageError(
            "network: workers that the run does not start connect to the server by themselves, and "
            "not through this network: use workers, or worker_command"
        )


def url_for_others(url: str) -> str:
    """The URL for programs of others, which know no option that names the server behind a proxy."""
    server = parse(url)
    if SERVER_NAME not in server.tls:
        return url
    checks = server.tls.get("ssl_check_hostname") != "false"
    if checks and server.tls.get("ssl_cert_reqs") != "none":
        raise UsageError(
            "network: an external worker would take the proxy for the wrong server, as it checks "
            "the host name over TLS: add ssl_check_hostname=false to the Redis URL"
        )
    tls = {name: value for name, value in server.tls.items() if name != SERVER_NAME}
    moved = dataclasses.replace(server, tls=tls)
    return moved.moved(host=moved.host, port=moved.port)
