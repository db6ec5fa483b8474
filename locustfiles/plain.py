"""The baseline: a plain Locust user that sends a task a call through redis-py, in two round trips.

    locust -f locustfiles/plain.py --headless -u 20 -r 20 -t 30s --host redis://127.0.0.1:6379/0

This is what a home-made locustfile does, and what faster users are compared with. Locust measures
from the send and rounds response times to whole milliseconds.
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
    """Enqueues one task after another. ``--host`` is the URL of the server."""

    def on_start(self) -> None:
        """Open a connection of this user's own, without retries: no command is sent twice."""
        url = self.host or "redis://127.0.0.1:6379/0"
        self.client = redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))

    @task
    def enqueue(self) -> None:
        """Send HSET, then LPUSH, as the guide's Python example does."""
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
