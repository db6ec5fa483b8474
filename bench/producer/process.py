"""``python -m bench.producer.process``: a producer as a process that a run starts."""

import sys

from bench.clock import RunClock
from bench.ipc.child import Control, run_child
from bench.ipc.messages import ParentMessage, StartProducer
from bench.producer.producer import Producer
from bench.producer.sinks import make_sink


def serve(task: ParentMessage, control: Control) -> None:
    """Connect, wait for the run to begin, produce, and send the final report."""
    if not isinstance(task, StartProducer):
        return
    clock = RunClock(task.offset_us)
    sink = make_sink(task.url, task.scenario, task.run, task.number, clock)
    begin = control.await_begin()
    if begin is not None:
        control.send(Producer(task, sink, begin.line, clock, control).run())
    sink.close()


if __name__ == "__main__":
    sys.exit(run_child(serve))
