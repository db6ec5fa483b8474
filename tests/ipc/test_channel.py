"""Messages between a run and its processes."""

import os

from bench.ipc.channel import Reader, Writer


def test_messages_that_arrive_together_are_all_read() -> None:
    ours, theirs = os.pipe()
    try:
        writer, reader = Writer(theirs), Reader(ours, int)
        for number in (1, 2, 3):
            writer.write(number)
        os.set_blocking(ours, False)  # a lost message is an error here, not a test that hangs
        assert [reader.read_one(), reader.read_one(), *reader.read()] == [1, 2, 3]
    finally:
        os.close(ours)
        os.close(theirs)
