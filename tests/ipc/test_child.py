"""A process that a run starts tells how it has ended through its channel."""

import os
import subprocess
import sys

from bench.ipc.channel import Reader, Writer
from bench.ipc.child import Control
from bench.ipc.messages import ChildMessage, Failed, ParentMessage, SendReport, Stop
from bench.processes.start import pipe

FULL = """
import errno, os
from bench.ipc.child import run_child

def serve(message, control):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

run_child(serve)
"""


def test_a_full_disk_is_told_where_standard_error_has_no_place_either() -> None:
    source, to_child = pipe()
    from_child, target = pipe()
    with subprocess.Popen(
        [sys.executable, "-c", FULL, str(source), str(target)], pass_fds=(source, target)
    ) as process:
        os.close(source)
        os.close(target)
        Writer(to_child).write(Stop())
        reader: Reader[ChildMessage] = Reader(from_child, ChildMessage)  # type: ignore[arg-type]
        message = reader.read_one()
    assert isinstance(message, Failed)
    assert message.message.startswith("a file cannot be written: No space left on device: free ")
    assert process.returncode == 0


def test_a_child_learns_that_a_report_is_asked_for_until_it_takes_note() -> None:
    source, to_child = pipe()
    reader: Reader[ParentMessage] = Reader(source, ParentMessage)  # type: ignore[arg-type]
    writer = Writer(to_child)
    control = Control(reader, writer)
    writer.write(SendReport())
    control.read()
    assert (control.is_report_asked, control.stopped) == (True, False)
    control.is_report_asked = False
    writer.write(Stop())
    control.read()
    assert (control.is_report_asked, control.stopped) == (False, True)
    for end in (reader, writer):
        end.close()
