"""What is read of a real server: which queues, which layout, and how much of it."""

from typing import Any

import pytest
import redis

from bench.errors import UsageError
from bench.layouts.registry import get
from bench.redisio.connection import open_client
from bench.survey.observed import Survey
from bench.survey.reader import SurveyRequest, survey
from bench.wire.layout_contract import Reservation
from bench.wire.task import Task

NO_TIME_S = 0.001


def fill(client: redis.Redis, layout: str, queue: str, count: int, size: int = 500) -> None:
    made = get(layout).layout
    for script in made.scripts:
        client.script_load(script)
    if (registry := made.registry()) is not None:
        client.sadd(registry, queue)
    with client.pipeline(transaction=False) as pipeline:
        for number in range(count):
            payload = b'{"x":"%b"}' % (b"x" * (size - 8))
            for command in made.enqueue(Task(f"id-{number}", queue, payload, max_retry=4)):
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
        pipeline.execute()


def read(url: str, layout: str | None = None, sample: int = 50) -> Survey:
    with open_client(url) as client:
        return survey(client, SurveyRequest(url, layout, sample, NO_TIME_S))


@pytest.mark.parametrize(
    ("layout", "queue"), [("runqy", "a_high"), ("asynq", "crit"), ("runqy-server", "a.high")]
)
def test_the_layout_is_found_with_its_queues_sizes_and_retries(
    client: Any, url: str, layout: str, queue: str
) -> None:
    fill(client, layout, queue, 30)
    found = read(url)
    assert (found.layout.name, found.queues, len(found.tasks)) == (layout, [queue], 30)
    assert {task.size for task in found.tasks} == {500}
    assert {(task.max_retry, task.is_json, task.queue) for task in found.tasks} == {
        (4, True, queue)
    }
    assert found.readings[-1].queues[queue].waiting == 30


@pytest.mark.parametrize("layout", ["runqy", "runqy-server"])
def test_completed_tasks_are_sampled_where_the_lists_are_empty(
    client: Any, url: str, layout: str
) -> None:
    fill(client, layout, "a_high", 1)
    made = get(layout).layout
    client.delete(made.pending("a_high"))
    reservation = Reservation("a_high", "id-0", 1_700_000_000)
    for command in (*made.start(reservation), *made.complete(reservation, b"1")):
        client.execute_command(*command)
    found = read(url)
    assert (found.queues, len(found.tasks)) == (["a_high"], 1)
    assert (found.tasks[0].state, found.tasks[0].has_result) == ("completed", True)


def test_the_layout_with_more_tasks_is_read_and_the_other_is_named(client: Any, url: str) -> None:
    fill(client, "runqy", "a_high", 3)
    fill(client, "asynq", "crit", 9)
    found = read(url)
    assert (found.layout.name, found.others) == ("asynq", ["runqy"])
    assert read(url, "runqy").others == ["asynq"]


def test_a_requested_layout_that_is_not_there_is_told_with_the_one_that_is(
    client: Any, url: str
) -> None:
    fill(client, "asynq", "crit", 3)
    with pytest.raises(UsageError, match="it has queues of the layout asynq"):
        read(url, "runqy")


def test_an_empty_server_is_told(client: Any, url: str) -> None:
    with pytest.raises(UsageError, match="no queue of a known layout"):
        read(url)


def test_ids_without_a_task_are_counted(client: Any, url: str) -> None:
    fill(client, "runqy", "a_high", 4)
    client.delete("asynq:t:id-1", "asynq:t:id-2")
    found = read(url)
    assert (len(found.tasks), found.unreadable) == (2, 2)


def test_long_lists_and_large_tasks_are_read_in_bounded_pieces(client: Any, url: str) -> None:
    fill(client, "runqy", "a_low", 5000)
    fill(client, "runqy", "a_high", 4, size=3_000_000)
    before = client.info("stats")["total_net_output_bytes"]
    found = read(url)
    sent = client.info("stats")["total_net_output_bytes"] - before
    assert max(task.size for task in found.tasks) == 3_000_000
    assert sent < 200_000
    assert found.commands < 400
