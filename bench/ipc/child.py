"""The main loop of a process that a run starts: messages in, reports out."""

import contextlib
import select
import signal
import sys
from collections.abc import Callable, Sequence

from bench.errors import BenchError, ExitCode, of_full_disk
from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.ipc.messages import (
    Begin,
    ChildMessage,
    Failed,
    ParentMessage,
    Ready,
    SendReport,
    Stop,
)
from bench.punctual import collect_little, wake_on_time


class Control:
    """The child's end of the channel to the run."""

    def __init__(self, reader: Reader[ParentMessage], writer: Writer) -> None:
        self._reader = reader
        self._writer = writer
        self.stopped = False
        self.is_report_asked = False
        """Whether the run waits for a report; whoever sends one takes the mark away."""

    def fileno(self) -> int:
        """File descriptor that is readable when a message has arrived or the run has ended."""
        return self._reader.fileno()

    def read(self) -> None:
        """Read the messages that have arrived. Raises ChannelClosed when the run has ended."""
        self._take(self._reader.read())

    def wait(self, seconds: float) -> None:
        """Wait for a message for at most ``seconds``. Raises ChannelClosed."""
        if select.select([self], [], [], seconds)[0]:
            self.read()

    def send(self, message: ChildMessage) -> None:
        """Send a message to the run. Raises ChannelClosed when it has ended."""
        self._writer.write(message)

    def await_begin(self) -> Begin | None:
        """Report that this process is ready, and wait for the run's time line.

        Returns None when the run ends before it begins. Raises ChannelClosed.
        """
        collect_little()
        self.send(Ready())
        message = self._reader.read_one()
        self._take(self._reader.ready())
        return message if isinstance(message, Begin) else None

    def _take(self, messages: Sequence[ParentMessage]) -> None:
        for message in messages:
            self.stopped = self.stopped or isinstance(message, Stop)
            self.is_report_asked = self.is_report_asked or isinstance(message, SendReport)


def run_child(serve: Callable[[ParentMessage, Control], None]) -> int:
    """Serve the first message of the run, and report to it.

    The process's arguments are the file descriptors from which it reads and to which it writes.
    Returns the exit code, which is always 0: an error is reported as a ``Failed`` message.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run gets it, and sends Stop
    wake_on_time()
    source, target = map(int, sys.argv[1:3])
    reader: Reader[ParentMessage] = Reader(source, ParentMessage)  # type: ignore[arg-type]
    control = Control(reader, Writer(target))
    with contextlib.suppress(ChannelClosed):
        try:
            serve(reader.read_one(), control)
        except BenchError as error:
            control.send(Failed(str(error), int(error.exit_code)))
        except OSError as error:
            # On a full disk the run could not read it from standard error either.
            full = of_full_disk(error)
            control.send(Failed(str(full or error), int(ExitCode.INVALID)))
    return 0
