"""Messages between a Locust test's coordinator and its processes, inside Locust's own messages.

Locust carries MessagePack maps between a master and its workers, and calls listeners directly
where there is only one process. Our messages travel as bytes within, so that they are the same
values that ``bench run`` and its own processes exchange.
"""

from typing import TypeVar

import msgspec

from bench.ipc.messages import Begin, Failed, Ready, StartProducer, Stop
from bench.measure.reports import ProducerReport

TO_PROCESS = "bench_coordinator"
"""Locust's name for messages from the coordinator."""
TO_COORDINATOR = "bench_worker"
"""Locust's name for messages to the coordinator."""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """Tells the coordinator that a process has its first user, and can be a producer."""

    test: int
    """Number of the test since Locust was started: late messages of an earlier one are ignored."""
    host: str


class Assignment(msgspec.Struct, frozen=True, tag="assignment"):
    """Makes a process one of the run's producers."""

    start: StartProducer
    host: str
    """Identity of the coordinator's host: a process on the same host shares its clock."""
    is_same_process: bool = False
    """Whether the process is the coordinator, so that there is no doubt about the clock."""


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Tells a process that its final report has arrived."""


class ProcessMessage(msgspec.Struct, frozen=True):
    """A message of a process, with the number of the test that it belongs to."""

    test: int
    message: Hello | Ready | Failed | ProducerReport


class CoordinatorMessage(msgspec.Struct, frozen=True):
    """A message of the coordinator, with the number of the test that it belongs to."""

    test: int
    message: Assignment | Begin | Stop | Ack


MessageT = TypeVar("MessageT", ProcessMessage, CoordinatorMessage)


def pack(message: ProcessMessage | CoordinatorMessage) -> bytes:
    """A message as bytes."""
    return msgspec.msgpack.encode(message)


def unpack(data: bytes, kind: type[MessageT]) -> MessageT:
    """The message of this kind in bytes. Raises msgspec's errors."""
    return msgspec.msgpack.decode(data, type=kind)
