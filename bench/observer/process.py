"""``python -m bench.observer.process``: an observer as a process of a run."""

import sys
from pathlib import Path

from bench.clock import RunClock
from bench.ipc.child import Control, run_child
from bench.ipc.messages import ParentMessage, StartObserver
from bench.ipc.progress_board import ProgressBoard
from bench.observer.observer import Observer


def serve(task: ParentMessage, control: Control) -> None:
    """Wait for the run to begin, watch until told to stop, and send the final report."""
    if not isinstance(task, StartObserver):
        return
    clock = RunClock(task.offset_us)
    progress_board = ProgressBoard(Path(task.progress_board), task.scenario.producers)
    begin = control.await_begin()
    if begin is not None:
        control.send(Observer(task, begin.line, clock, control, progress_board).run())


if __name__ == "__main__":
    sys.exit(run_child(serve))
