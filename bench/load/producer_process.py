"""``python -m bench.load.producer_process``: a producer as a process that a run starts."""

import sys

from bench.clock import RunClock
from bench.load.child import Control, run_child
from bench.load.orders import Order, ProducerTask
from bench.load.producer import Producer
from bench.load.sinks import make_sink


def serve(task: Order, control: Control) -> None:
    """Connect, wait for the run to begin, produce, and send the final report."""
    if not isinstance(task, ProducerTask):
        return
    clock = RunClock(task.offset_us)
    sink = make_sink(task.url, task.scenario, task.run, task.number, clock)
    begin = control.await_begin()
    if begin is not None:
        control.tell(Producer(task, sink, begin.line, clock, control).run())
    sink.close()


if __name__ == "__main__":
    sys.exit(run_child(serve))
