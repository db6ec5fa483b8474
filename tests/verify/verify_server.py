"""Queues as their layouts want them, on a server of a test's own, and looks at them."""

import time
from typing import Any

import redis

from bench.layouts import registry
from bench.layouts.asynq import codec
from bench.layouts.asynq.layout import ASYNQ
from bench.redisio.embedded import EmbeddedServer
from bench.verify.verification import Verification
from bench.verify.verify import VerifyRequest, verify
from bench.wire.layout_contract import Layout, Reservation
from bench.wire.task import Task

TASKS = 12
"""On each queue: the first two are being worked on."""


class Ground:
    """A server with a healthy queue of one layout."""

    def __init__(self, embedded: EmbeddedServer, layout_name: str) -> None:
        self.url = embedded.url
        self.layout: Layout = registry.get(layout_name).layout
        self.client: Any = redis.Redis.from_url(embedded.url, protocol=2)
        self.queue = f"orders{self.layout.separator}high"
        self.other = f"orders{self.layout.separator}low"
        for text in self.layout.scripts:
            self.client.script_load(text)
        for queue in (self.queue, self.other):
            self.fill(queue)
        self.client.hset(self.layout.worker("w"), mapping={"queue": "orders", "healthy": "1"})

    def fill(self, queue: str) -> None:
        registry = self.layout.registry()
        if registry is not None:
            self.client.sadd(registry, queue)
        for number in range(TASKS):
            self.enqueue(queue, f"{queue}-{number}")
        for _ in range(2):
            popped = self.client.rpop(self.layout.pending(queue))
            assert isinstance(popped, bytes)
            taken = Reservation(queue, popped.decode(), int(time.time()))
            for command in self.layout.start(taken):
                self.client.execute_command(*command)

    def enqueue(self, queue: str, task_id: str) -> None:
        task = Task(task_id, queue, b'{"n":1}', sent_us=time.time_ns() // 1000)
        for command in self.layout.enqueue(task):
            self.client.execute_command(*command)

    def id(self, number: int) -> str:
        """0 and 1 are active."""
        return f"{self.queue}-{number}"

    def task(self, number: int) -> str:
        """The key of a task's hash."""
        return self.layout.task(self.queue, self.id(number))

    def key(self, name: str) -> str:
        """Of a place."""
        return self.layout.pending(self.queue).removesuffix("pending") + name

    def look(self, *queues: str, sample: int = 1000) -> Verification:
        """What ``bench verify`` finds, where nothing moves that a second look had to wait for."""
        request = VerifyRequest(self.url, self.layout.name, queues, sample)
        return verify(self.client, request, sleep=lambda _: None)


def look(url: str, layout: str, *queues: str, sample: int = 1000) -> Verification:
    """What ``bench verify`` finds there."""
    with redis.Redis.from_url(url, protocol=2) as client:
        return verify(client, VerifyRequest(url, layout, queues, sample))


def rewrite(ground: Ground, number: int, **fields: object) -> None:
    """Change fields of an asynq task's message."""
    text = ground.client.hget(ground.task(number), "msg")
    assert isinstance(text, bytes)
    message = codec.parse("", text)
    for name, value in fields.items():
        setattr(message, name, value)
    ground.client.hset(ground.task(number), "msg", message.SerializeToString())


def lease_ends(ground: Ground, number: int, in_s: float) -> None:
    """Give a task's lease another end."""
    assert ground.layout is ASYNQ
    ground.client.zadd(ground.key("lease"), {ground.id(number): time.time() + in_s})
