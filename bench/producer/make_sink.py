"""The sink that a scenario asks for."""

from typing import Any

from bench.clock import Clock
from bench.producer.client_sinks import PipelineSink, SnippetSink
from bench.producer.cluster_sink import ClusterSink
from bench.producer.durable_sink import DurableSink
from bench.producer.sinks import FrameSink, Sink
from bench.redisio.url import Topology, parse
from bench.workload.scenario import Scenario


def make_sink(url: str, scenario: Scenario, run: int, number: int, clock: Clock) -> Sink[Any]:
    """The sink that the scenario asks for, connected. Raises ServerUnreachable."""
    if scenario.ack is not None:
        return DurableSink(url, scenario, run, number, clock, scenario.ack)
    match scenario.producer:
        case "frames" if parse(url).topology is Topology.CLUSTER:
            return ClusterSink(url, scenario, run, number, clock)
        case "frames":
            return FrameSink(url, scenario, run, number, clock)
        case "redis-py":
            return PipelineSink(url, scenario, run, number, clock)
        case "snippet":
            return SnippetSink(url, scenario, run, number, clock)
