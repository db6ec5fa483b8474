"""``bench``, ``bench-asynq``: this project's own producer, that of ``bench run --rate max``.

Its payloads carry the two stamps of a run in front of their content, as those of all its tasks do.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.clients import program
from bench.clients.line import Line
from bench.clients.program import Order
from bench.clock import RunClock
from bench.load.channel import Reader, Writer
from bench.load.child import Control
from bench.load.connection import open_client
from bench.load.footprint import Footprint
from bench.load.orders import Order as RunOrder
from bench.load.orders import ProducerTask
from bench.load.producer import Producer
from bench.load.sinks import make_sink
from bench.measure.histogram import Histogram, highest_equivalent, merged
from bench.measure.recorder import Stage, by_queue, time_line
from bench.measure.reports import ProducerReport
from bench.wire import ids
from bench.wire.layouts import LAYOUTS
from bench.workload.scenario import Scenario


def main() -> int:
    """Enqueue as the order says, and print the line."""
    order = program.read_order()
    _lay_ground(order)
    with tempfile.TemporaryDirectory() as folder:
        report = _produce(order, _scenario(order, Path(folder) / "payloads.jsonl"))
    wrong = report.error or report.first_error
    if wrong or report.enqueued != order.tasks:
        sys.stderr.write(f"{report.enqueued} of {order.tasks} tasks were enqueued: {wrong}\n")
        return 1
    program.write(_line(order, report))
    return 0


def _lay_ground(order: Order) -> None:
    """What is done once a process and not a task: the queue is made known, where that is usual."""
    with open_client(order.url) as client:
        Footprint(client, LAYOUTS[order.layout], [order.queue]).lay(int(time.time()))


def _scenario(order: Order, payloads: Path) -> Scenario:
    """A closed loop over payloads from a file, in which task and line have the same number."""
    texts = (json.dumps(program.payload(number)) for number in range(order.tasks))
    payloads.write_text("".join(f"{text}\n" for text in texts))
    return Scenario(
        queues={order.queue: 1.0},
        layout=order.layout,
        arrivals="max",
        tasks=order.tasks,
        payload_file=str(payloads),
        pipeline=order.batch,
        workers=0,
        warmup_s=0.0,
    )


def _produce(order: Order, scenario: Scenario) -> ProducerReport:
    # A run's stamps are in the server's time. No worker reads these, so that of this host will do,
    # and the server need not be asked for its own.
    offset_us = (time.time_ns() - time.monotonic_ns()) // 1000
    clock = RunClock(offset_us)
    task = ProducerTask(order.url, scenario, ids.new_run(), 0, offset_us)
    sink = make_sink(order.url, scenario, task.run, task.number, clock)
    # Nobody gives orders here, and nobody hears reports.
    orders, _kept_open = os.pipe()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    reader: Reader[RunOrder] = Reader(orders, RunOrder)  # type: ignore[arg-type]
    line = time_line(clock.now_us(), scenario.warmup_s, 0.0)
    report = Producer(task, sink, line, clock, Control(reader, Writer(nowhere))).run()
    sink.close()
    return report


def _line(order: Order, report: ProducerReport) -> Line:
    enqueue = merged(by_queue(report.measured.parts, Stage.ENQUEUE, 1, 0))
    return Line(
        client="bench" if order.layout == "runqy" else "bench-asynq",
        tasks=order.tasks,
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
