"""``python -m bench.load.observing.observer_process``: an observer as a process of a run."""

import sys
from pathlib import Path

from bench.clock import RunClock
from bench.load.child import Control, run_child
from bench.load.observing.board import Board
from bench.load.observing.observer import Observer
from bench.load.orders import ObserverTask, Order


def serve(task: Order, control: Control) -> None:
    """Wait for the run to begin, watch until told to stop, and send the final report."""
    if not isinstance(task, ObserverTask):
        return
    clock = RunClock(task.offset_us)
    board = Board(Path(task.board), task.scenario.producers)
    begin = control.await_begin()
    if begin is not None:
        control.tell(Observer(task, begin.line, clock, control, board).run())


if __name__ == "__main__":
    sys.exit(run_child(serve))
