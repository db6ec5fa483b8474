"""``bench``, ``bench-LAYOUT``: this project's producer, as ``bench run --rate max`` uses it.

Its payloads carry the two time stamps of a run in front of their content.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.clients import program
from bench.clients.catalogue import own_name
from bench.clients.program import ProgramArguments
from bench.clients.result import ClientResult
from bench.clock import RunClock
from bench.ipc.channel import Reader, Writer
from bench.ipc.child import Control
from bench.ipc.messages import ParentMessage, StartProducer
from bench.layouts import registry
from bench.measure.histogram import Histogram, highest_equivalent, merged
from bench.measure.recorder import Interval, by_queue
from bench.measure.reports import ProducerReport
from bench.measure.window import time_line
from bench.producer.make_sink import make_sink
from bench.producer.producer import Producer
from bench.redisio.connection import open_client
from bench.run.cleanup import Cleanup
from bench.wire import ids
from bench.workload.scenario import Scenario


def main() -> int:
    """Enqueue as the arguments say, and print the result line."""
    arguments = program.read_arguments()
    _prepare_server(arguments)
    with tempfile.TemporaryDirectory() as folder:
        report = _produce(arguments, _scenario(arguments, Path(folder) / "payloads.jsonl"))
    error = report.error or report.first_error
    if error or report.enqueued != arguments.tasks:
        sys.stderr.write(f"{report.enqueued} of {arguments.tasks} tasks were enqueued: {error}\n")
        return 1
    program.write(_result(arguments, report))
    return 0


def _prepare_server(arguments: ProgramArguments) -> None:
    """Register the queue where the layout has a set of queues: once a process, not a task."""
    with open_client(arguments.url) as client:
        layout = registry.get(arguments.layout).layout
        Cleanup(client, layout, [arguments.queue]).prepare(int(time.time()))


def _scenario(arguments: ProgramArguments, payloads: Path) -> Scenario:
    """A closed loop over the payloads of a file. Task and line have the same number."""
    texts = (json.dumps(program.payload(number)) for number in range(arguments.tasks))
    payloads.write_text("".join(f"{text}\n" for text in texts))
    return Scenario(
        queues={arguments.queue: 1.0},
        layout=arguments.layout,
        arrivals="max",
        tasks=arguments.tasks,
        payload_file=str(payloads),
        pipeline=arguments.batch,
        workers=0,
        warmup_s=0.0,
    )


def _produce(arguments: ProgramArguments, scenario: Scenario) -> ProducerReport:
    # A run's stamps are in the server's time. No worker reads these stamps, so this host's time is
    # good enough, and the server is not asked for its own.
    offset_us = (time.time_ns() - time.monotonic_ns()) // 1000
    clock = RunClock(offset_us)
    task = StartProducer(arguments.url, scenario, ids.new_run(), 0, offset_us)
    sink = make_sink(arguments.url, scenario, task.run, task.number, clock)
    # No parent sends messages here or reads reports.
    messages, _kept_open = os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    reader: Reader[ParentMessage] = Reader(messages, ParentMessage)  # type: ignore[arg-type]
    line = time_line(clock.now_us(), scenario.warmup_s, 0.0)
    report = Producer(task, sink, line, clock, Control(reader, Writer(nowhere))).run()
    sink.close()
    return report


def _result(arguments: ProgramArguments, report: ProducerReport) -> ClientResult:
    enqueue = merged(by_queue(report.measured.parts, Interval.ENQUEUE, 1, 0))
    return ClientResult(
        client=own_name(arguments.layout),
        tasks=arguments.tasks,
        elapsed_s=report.elapsed_s,
        cpu_s=report.cpu_s,
        latency_us=_pairs(enqueue),
    )


def _pairs(histogram: Histogram) -> list[tuple[int, int]]:
    filled = histogram.filled()
    counted = enumerate(histogram.counts[filled].tolist(), filled.start or 0)
    return [(highest_equivalent(index), count) for index, count in counted if count]


if __name__ == "__main__":
    sys.exit(main())
