"""A worker's first connections, where the server is away just then."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from bench.errors import ServerUnreachable
from bench.ipc.channel import Reader, Writer
from bench.ipc.child import Control
from bench.ipc.messages import ParentMessage
from bench.worker.process import patiently


@pytest.fixture
def control() -> Iterator[Control]:
    """The control of a worker that nobody tells anything."""
    (from_read, from_write), (to_read, to_write) = os.pipe(), os.pipe()
    reader: Reader[ParentMessage] = Reader(from_read, ParentMessage)  # type: ignore[arg-type]
    yield Control(reader, Writer(to_write))
    for each in (from_write, to_read):
        os.close(each)


def away(times: int, loop: Any) -> Any:
    left = iter([ServerUnreachable("no server at that address")] * times)

    def connected() -> Any:
        for error in left:
            raise error
        return loop

    return connected


def test_a_worker_that_starts_while_the_server_is_away_connects_when_it_is_back(
    control: Control,
) -> None:
    loop: Any = object()
    assert patiently(away(2, loop), control, 60.0) is loop


def test_without_patience_the_first_failure_is_the_last(control: Control) -> None:
    with pytest.raises(ServerUnreachable):
        patiently(away(1, None), control, 0.0)
