"""``python -m bench.producer.process``: a producer as a process that a run starts."""

import sys

from bench.clock import RunClock
from bench.ipc.child import Control, run_child
from bench.ipc.messages import ParentMessage, StartProducer
from bench.producer.make_sink import make_sink
from bench.producer.producer import Producer
from bench.workload.feed import read_trace_of


def serve(message: ParentMessage, control: Control) -> None:
    """Connect, wait for the run to begin, produce, and send the final report."""
    if not isinstance(message, StartProducer):
        return
    clock = RunClock(message.offset_us)
    read_trace_of(message.scenario)
    sink = make_sink(message.url, message.scenario, message.run, message.number, clock)
    begin = control.await_begin()
    if begin is not None:
        control.send(Producer(message, sink, begin.line, clock, control).run())
    sink.close()


def main() -> int:
    """Be the process that a run has started; its exit code."""
    return run_child(serve)


if __name__ == "__main__":
    sys.exit(main())
