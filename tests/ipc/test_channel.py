"""Messages between a run and its processes."""

import os
import threading

import pytest

from bench.ipc.channel import ChannelClosed, NewestWriter, Reader, Writer


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


def test_a_writer_that_never_waits_leaves_out_what_a_full_pipe_has_no_room_for() -> None:
    """And what it has sent in part arrives whole."""
    ours, theirs = os.pipe()
    try:
        writer, reader = NewestWriter(theirs), Reader(ours, bytes)
        sent = [bytes([number]) * 50_000 for number in range(4)]
        taken = [each for each in sent if writer.write(each)]
        assert 0 < len(taken) < len(sent)
        arrived = [reader.read_one()]
        assert writer.write(b"newest")
        while arrived[-1] != b"newest":
            arrived.append(reader.read_one())
        assert arrived == [*taken, b"newest"]
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_writer_that_never_waits_sends_its_last_message_behind_what_is_left() -> None:
    ours, theirs = os.pipe()
    writer, reader = NewestWriter(theirs), Reader(ours, bytes)
    large = bytes(100_000)
    assert writer.write(large)
    arrived: list[bytes] = []

    def read() -> None:
        arrived.extend([reader.read_one(), reader.read_one()])

    reading = threading.Thread(target=read)
    reading.start()
    writer.finish(b"last", 20)
    reading.join()
    assert arrived == [large, b"last"]
    reader.close()
    with pytest.raises(ChannelClosed):
        writer.write(b"nobody reads")
    writer.close()
