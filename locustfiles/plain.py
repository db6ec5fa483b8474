"""The baseline: a plain Locust user, one task a call through redis-py, two round trips each.

    locust -f locustfiles/plain.py --headless -u 20 -r 20 -t 30s --host redis://127.0.0.1:6379/0

What a home-made locustfile does, and what faster users are to be compared with. Locust rounds
response times to whole milliseconds, and measures from the send.
"""

import json
import time
import uuid

import redis
from locust import User, task
from redis.backoff import NoBackoff
from redis.retry import Retry

from bench.layouts.runqy.layout import RUNQY
from bench.wire.task import Task

QUEUE = "inference_default"


class PlainUser(User):
    """Enqueues one task after the other. ``--host`` is the Redis URL."""

    def on_start(self) -> None:
        """Connect, each user for itself; a command is never sent twice."""
        url = self.host or "redis://127.0.0.1:6379/0"
        self.client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))

    @task
    def enqueue(self) -> None:
        """HSET, then LPUSH, as the seed's Python example does."""
        payload = json.dumps({"input": "hello"}).encode()
        made = Task(str(uuid.uuid4()), QUEUE, payload)
        began_s = time.perf_counter()
        failure = None
        try:
            self.client.hset(RUNQY.task(QUEUE, made.id), mapping=dict(made.fields()))
            self.client.lpush(RUNQY.pending(QUEUE), made.id)
        except redis.RedisError as error:
            failure = error
        self.environment.events.request.fire(
            request_type="enqueue",
            name=QUEUE,
            response_time=(time.perf_counter() - began_s) * 1e3,
            response_length=len(payload),
            exception=failure,
            context={},
        )
