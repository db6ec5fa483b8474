"""What a Locust test's coordinator and its processes say to each other, inside Locust's messages.

Locust carries MessagePack maps between a master and its workers, and calls listeners directly
where there is one process only. Ours are sent as bytes within, so that they are the same values
that ``bench run`` and its own processes exchange.
"""

from typing import TypeVar

import msgspec

from bench.load.orders import Begin, Failed, ProducerTask, Ready, Stop
from bench.measure.reports import ProducerReport

TO_PROCESS = "bench_order"
TO_COORDINATOR = "bench_said"


class Present(msgspec.Struct, frozen=True, tag="present"):
    """A process has its first user, and can be a producer."""

    test: int
    """Which of the tests since Locust was started: what is late from the one before is ignored."""
    host: str


class Task(msgspec.Struct, frozen=True, tag="task"):
    """Be this producer."""

    task: ProducerTask
    host: str
    """Identity of the coordinator's host: a process on the same one shares its clock."""


class Thanks(msgspec.Struct, frozen=True, tag="thanks"):
    """The final report has come."""


class Said(msgspec.Struct, frozen=True):
    """A process's message, with the test that it belongs to."""

    test: int
    message: Present | Ready | Failed | ProducerReport


class Order(msgspec.Struct, frozen=True):
    """The coordinator's message."""

    test: int
    order: Task | Begin | Stop | Thanks


Kind = TypeVar("Kind", Said, Order)


def pack(message: Said | Order) -> bytes:
    """As bytes."""
    return msgspec.msgpack.encode(message)


def unpack(data: bytes, kind: type[Kind]) -> Kind:
    """Back from bytes."""
    return msgspec.msgpack.decode(data, type=kind)
