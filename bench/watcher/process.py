"""``python -m bench.watcher.process``: watches the machine while a run lasts.

Its arguments are the file descriptors from which it reads and to which it writes. It is a process
of its own because a thread of the run would wait for the interpreter's lock, and would take that
for the machine.
"""

import contextlib
import gc
import signal
import sys
import time
from collections import deque

from bench.ipc.channel import ChannelClosed, Reader, Writer
from bench.measure.hiccups import HiccupRecorder, HiccupReport
from bench.punctual import collect_little, wake_on_time
from bench.usage import peak_memory_bytes
from bench.watcher.messages import BeginTrace, CanaryTimed, TimeCanary, ToWatcher
from bench.watcher.pieces import timed
from bench.watcher.sleeper import Sleeper


def _traced(sleeper: Sleeper, message: BeginTrace, *, is_over: bool) -> HiccupReport:
    """Trace until a message comes, unless it ``is_over`` already; returns what was seen."""
    recorder = HiccupRecorder(message.line.edges_us, sleeper.interval_ms * 1_000)
    cpu_s, began_s = time.process_time(), time.monotonic()
    if not is_over:
        sleeper.trace(recorder, message.line.start_us - message.offset_us)
    cpu_s, elapsed_s = time.process_time() - cpu_s, time.monotonic() - began_s
    return HiccupReport(
        interval_us=sleeper.interval_ms * 1_000,
        slices=recorder.slices(),
        cpu_s=cpu_s,
        elapsed_s=elapsed_s,
        peak_memory_bytes=peak_memory_bytes(),
    )


def _serve(reader: Reader[ToWatcher], writer: Writer) -> None:
    """Do what the run asks for, one message after the other. Raises ChannelClosed when it ends."""
    sleeper = Sleeper(reader.fileno()).fitting()
    waiting: deque[ToWatcher] = deque()
    while True:
        waiting.extend(reader.ready() if waiting else reader.read())
        message = waiting.popleft()
        if isinstance(message, TimeCanary):
            writer.write(CanaryTimed(timed(message.seconds)))
        elif isinstance(message, BeginTrace):
            writer.write(_traced(sleeper, message, is_over=bool(waiting)))


def main() -> int:
    """Serve the run until it ends. Returns the exit code, which is always 0."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the run gets it
    wake_on_time()
    collect_little()
    gc.disable()  # nothing here makes cycles, and a collection would be taken for the machine
    reader: Reader[ToWatcher] = Reader(int(sys.argv[1]), ToWatcher)  # type: ignore[arg-type]
    with contextlib.suppress(ChannelClosed, OSError):
        _serve(reader, Writer(int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
