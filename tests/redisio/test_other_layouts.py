"""A run or a check with a layout that is not the one that lives on the server says so."""

from collections.abc import Callable
from typing import Any

import pytest

from bench.layouts import registry
from bench.redisio.other_layouts import other_layout_note
from tests.redisio.test_end_counters import register_asynq, register_runqy

RUNQY, ASYNQ, RUNQY_SERVER = (
    registry.get(name).layout for name in ("runqy", "asynq", "runqy-server")
)
QUEUE = "inference.default"


def braced_queue(client: Any) -> None:
    client.sadd("asynq:queues", QUEUE)


def plain_queue(client: Any) -> None:
    client.lpush("asynq:inference_default:pending", "a")


def asynq_worker(client: Any) -> None:
    braced_queue(client)
    register_asynq(client, QUEUE)


def runqy_worker(client: Any) -> None:
    braced_queue(client)
    register_runqy(client, QUEUE)


def nothing(_: Any) -> None:
    """An empty server."""


@pytest.mark.parametrize(
    ("lives", "layout", "note"),
    [
        (nothing, RUNQY, ""),
        (nothing, ASYNQ, ""),
        (braced_queue, ASYNQ, ""),
        (braced_queue, RUNQY_SERVER, ""),
        (plain_queue, RUNQY, ""),
        (asynq_worker, ASYNQ, ""),
        (runqy_worker, RUNQY_SERVER, ""),
        (braced_queue, RUNQY, "this server has queues of the layout asynq or runqy-server"),
        (asynq_worker, RUNQY, "this server has workers of the layout asynq, and workers of that"),
        (runqy_worker, RUNQY, "use --layout runqy-server"),
        (runqy_worker, ASYNQ, "in which a task costs it other commands and bytes than in"),
        (asynq_worker, RUNQY_SERVER, "use --layout asynq"),
        (plain_queue, ASYNQ, "has queues of the layout runqy, and workers of that layout"),
    ],
)
def test_another_layout_that_lives_on_the_server_is_named(
    client: Any, lives: Callable[[Any], None], layout: Any, note: str
) -> None:
    lives(client)
    found = other_layout_note(client, layout)
    assert note in found
    assert bool(found) == bool(note)


def test_keys_of_another_type_are_no_sign(client: Any) -> None:
    client.set("asynq:queues", "what is this")
    client.set("asynq:workers", "what is this")
    assert other_layout_note(client, RUNQY) == ""
