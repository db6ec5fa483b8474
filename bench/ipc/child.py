"""What producers and workers share as processes that a run starts: orders in, reports out."""

import contextlib
import select
import signal
import sys
from collections.abc import Callable, Sequence

from bench.errors import BenchError
from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.ipc.messages import Begin, ChildMessage, Failed, ParentMessage, Ready, Stop
from bench.redisio.polling import wake_on_time


class Control:
    """The child's end of the channel to the run."""

    def __init__(self, reader: Reader[ParentMessage], writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self.stopped = False

    def fileno(self) -> int:
        """For ``select``: readable when an order came, or the run is gone."""
        return self._reader.fileno()

    def read(self) -> None:
        """Take the orders that came. Raises ChannelClosed when the run is gone."""
        self._take(self._reader.read())

    def wait(self, seconds: float) -> None:
        """Let time pass, unless an order comes."""
        if select.select([self], [], [], seconds)[0]:
            self.read()

    def send(self, message: ChildMessage) -> None:
        """Tell the run. Raises ChannelClosed when it is gone."""
        self._writer.write(message)

    def await_begin(self) -> Begin | None:
        """Say that we are ready, and wait for the run's time line; None to stop instead."""
        self.send(Ready())
        order = self._reader.read_one()
        self._take(self._reader.ready())
        return order if isinstance(order, Begin) else None

    def _take(self, orders: Sequence[ParentMessage]) -> None:
        self.stopped = self.stopped or any(isinstance(order, Stop) for order in orders)


def run_child(serve: Callable[[ParentMessage, Control], None]) -> int:
    """Take the first order from standard input and serve it, reporting to standard output.

    The exit code is for the run alone: errors are told through the channel.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run hears it, and tells us what to do
    wake_on_time()
    reader: Reader[ParentMessage] = Reader(sys.stdin.fileno(), ParentMessage)  # type: ignore[arg-type]
    control = Control(reader, Writer(sys.stdout.fileno()))
    with contextlib.suppress(ChannelClosed):
        try:
            serve(reader.read_one(), control)
        except BenchError as error:
            control.send(Failed(str(error), int(error.exit_code)))
    return 0
