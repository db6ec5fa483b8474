"""What a Locust test's coordinator and its processes say to each other, inside Locust's messages.

Locust carries MessagePack maps between a master and its workers, and calls listeners directly
where there is one process only. Ours are sent as bytes within, so that they are the same values
that ``bench run`` and its own processes exchange.
"""

from typing import TypeVar

import msgspec

from bench.ipc.messages import Begin, Failed, Ready, StartProducer, Stop
from bench.measure.reports import ProducerReport

TO_PROCESS = "bench_coordinator"
TO_COORDINATOR = "bench_worker"


class Hello(msgspec.Struct, frozen=True, tag="present"):
    """A process has its first user, and can be a producer."""

    test: int
    """Which of the tests since Locust was started: what is late from the one before is ignored."""
    host: str


class Assignment(msgspec.Struct, frozen=True, tag="task"):
    """Be this producer."""

    task: StartProducer
    host: str
    """Identity of the coordinator's host: a process on the same one shares its clock."""


class Ack(msgspec.Struct, frozen=True, tag="thanks"):
    """The final report has come."""


class WorkerMessage(msgspec.Struct, frozen=True):
    """A process's message, with the test that it belongs to."""

    test: int
    message: Hello | Ready | Failed | ProducerReport


class CoordinatorMessage(msgspec.Struct, frozen=True):
    """The coordinator's message."""

    test: int
    message: Assignment | Begin | Stop | Ack


MessageT = TypeVar("MessageT", WorkerMessage, CoordinatorMessage)


def pack(message: WorkerMessage | CoordinatorMessage) -> bytes:
    """As bytes."""
    return msgspec.msgpack.encode(message)


def unpack(data: bytes, kind: type[MessageT]) -> MessageT:
    """Back from bytes."""
    return msgspec.msgpack.decode(data, type=kind)
