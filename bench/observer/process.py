"""``python -m bench.observer.process``: an observer as a process of a run."""

import sys
from pathlib import Path

from bench.clock import RunClock
from bench.ipc.child import Control, run_child
from bench.ipc.messages import ParentMessage, StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.observer.observer import Observer, connect
from bench.workload.feed import read_trace_of


def serve(message: ParentMessage, control: Control) -> None:
    """Wait for the run to begin, watch until told to stop, and send the final report."""
    if not isinstance(message, StartObserver):
        return
    clock = RunClock(message.offset_us)
    read_trace_of(message.scenario)
    progress_board = ProgressBoard(Path(message.progress_board), message.scenario.producers)
    begin = control.await_begin()
    if begin is not None:
        parts = connect(message, begin.line, clock, progress_board)
        control.send(Observer(message.name, clock, control, parts).run())


def main() -> int:
    """Be the process that a run has started; its exit code."""
    return run_child(serve)


if __name__ == "__main__":
    sys.exit(main())
