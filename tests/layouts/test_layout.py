"""Keys against the strings in runqy's documentation; commands as tables, then on a server."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.layouts.runqy.layout import RUNQY, RunqyLayout
from bench.wire import ids
from bench.wire.layout_contract import Command, Reservation, split_queue
from bench.wire.task import Task
from tests.talk import talk

QUEUE = "inference_default"
ID = "my-task-id"
HASH = "asynq:t:my-task-id"
PENDING = "asynq:inference_default:pending"
ACTIVE = "asynq:inference_default:active"
TAKEN = Reservation(QUEUE, ID)


@pytest.mark.parametrize(
    ("key", "literal"),
    [
        (RUNQY.task(QUEUE, ID), "asynq:t:my-task-id"),
        (RUNQY.pending(QUEUE), "asynq:inference_default:pending"),
        (RUNQY.pending("inference_high"), "asynq:inference_high:pending"),
        (RUNQY.active(QUEUE), "asynq:inference_default:active"),
        (RUNQY.result_key(ID), "asynq:result:my-task-id"),
        (RUNQY.worker("w1"), "asynq:workers:w1"),
    ],
)
def test_keys_are_those_of_the_seed_document(key: str, literal: str) -> None:
    assert key == literal


def test_enqueue_is_the_redis_cli_example_of_the_seed_document() -> None:
    task = Task(ID, QUEUE, b'{"input": "hello world"}')
    assert [tuple(command) for command in RUNQY.enqueue(task)] == [
        (
            *("HSET", "asynq:t:my-task-id"),
            *("type", b"task"),
            *("payload", b'{"input": "hello world"}'),
            *("retry", b"0"),
            *("max_retry", b"3"),
            *("queue", b"inference_default"),
        ),
        ("LPUSH", "asynq:inference_default:pending", "my-task-id"),
    ]


@pytest.mark.parametrize(
    ("commands", "expected"),
    [
        ([RUNQY.load(QUEUE, ID)], [("HGETALL", HASH)]),
        (
            RUNQY.start(TAKEN),
            [("LPUSH", ACTIVE, ID), ("HSET", HASH, "state", "active")],
        ),
        (
            RUNQY.complete(TAKEN, None),
            [("LREM", ACTIVE, "1", ID), ("HSET", HASH, "state", "completed")],
        ),
        (
            RUNQY.complete(TAKEN, b"{}"),
            [
                ("SET", "asynq:result:my-task-id", b"{}"),
                ("LREM", ACTIVE, "1", ID),
                ("HSET", HASH, "state", "completed"),
            ],
        ),
        (
            RUNQY.retry(TAKEN, 1.0, "boom"),
            [
                ("LREM", ACTIVE, "1", ID),
                ("HINCRBY", HASH, "retry", "1"),
                ("HSET", HASH, "state", "retry"),
            ],
        ),
        (
            RUNQY.requeue(TAKEN),
            [("HSET", HASH, "state", "pending"), ("LPUSH", PENDING, ID)],
        ),
        (
            RUNQY.archive(TAKEN, "boom"),
            [
                ("LREM", ACTIVE, "1", ID),
                ("HSET", HASH, "state", "archived"),
                ("HSET", HASH, "error", "boom"),
            ],
        ),
        (
            RUNQY.put_back(TAKEN),
            [
                ("LREM", ACTIVE, "1", ID),
                ("HSET", HASH, "state", "pending"),
                ("RPUSH", PENDING, ID),
            ],
        ),
    ],
    ids=[
        "load",
        "start",
        "complete",
        "complete-stored",
        "retry",
        "requeue",
        "archive",
        "put-back",
    ],
)
def test_commands_are_those_of_the_documented_worker_in_its_order(
    commands: Sequence[Command], expected: list[Command]
) -> None:
    assert list(commands) == expected


def test_the_separator_is_the_underscore_of_the_seed_document_unless_set() -> None:
    assert RUNQY.separator == "_"
    assert RunqyLayout(separator=".").separator == "."


@pytest.mark.parametrize(
    ("name", "separator", "parts"),
    [
        ("inference_high", "_", ("inference", "high")),
        ("simple_default", "_", ("simple", "default")),
        ("my_app_high", "_", ("my_app", "high")),
        ("inference.high", ".", ("inference", "high")),
        ("inference.high", "_", ("", "inference.high")),
        ("inference", "_", ("", "inference")),
        ("inference_", "_", ("inference", "")),
        ("_high", "_", ("", "high")),
        ("", "_", ("", "")),
    ],
)
def test_a_queue_name_splits_at_its_last_separator(
    name: str, separator: str, parts: tuple[str, str]
) -> None:
    assert split_queue(name, separator) == parts


@given(parent=st.text(), sub_queue=st.text(), separator=st.sampled_from(["_", ".", ":"]))
def test_parent_and_sub_queue_come_back_from_the_name(
    parent: str, sub_queue: str, separator: str
) -> None:
    """As long as the sub-queue does not hold the separator; the parent may."""
    sub_queue = sub_queue.replace(separator, "")
    assert split_queue(f"{parent}{separator}{sub_queue}", separator) == (parent, sub_queue)


class Queue:
    """A queue of its own on the server, with two tasks in it, the first of which was taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.layout = RUNQY
        run = ids.new_run()
        self.name = f"{ids.run_text(run)}_default"
        self.first, self.second = (
            ids.format_id(ids.TaskId(run, 0, sequence)) for sequence in range(2)
        )
        for task_id in (self.first, self.second):
            self.do(self.layout.enqueue(Task(task_id, self.name, b"{}")))
        assert self.pop() == self.first
        self.do(self.layout.start(self.reservation))

    @property
    def reservation(self) -> Reservation:
        """The first task, as its worker has it."""
        return Reservation(self.name, self.first)

    def do(self, commands: Sequence[Command]) -> list[object]:
        """Send the commands; no reply may be an error."""
        replies = talk(self.port, commands)
        assert not [reply for reply in replies if isinstance(reply, Exception)]
        return replies

    def pop(self) -> str | None:
        """The id that a worker gets next."""
        (popped,) = self.do([("RPOP", self.layout.pending(self.name))])
        return popped.decode() if isinstance(popped, bytes) else None

    def active(self) -> object:
        """The ids that workers have."""
        return self.do([("LRANGE", self.layout.active(self.name), "0", "-1")])[0]

    def first_task(self, field: str) -> object:
        """A field of the first task's hash."""
        return self.do([("HGET", self.layout.task(self.name, self.first), field)])[0]


@pytest.fixture
def queue(server_port: int) -> Queue:
    """A queue whose first task is being processed."""
    return Queue(server_port)


def test_a_started_task_is_on_the_active_list(queue: Queue) -> None:
    assert queue.active() == [queue.first.encode()]
    assert queue.first_task("state") == b"active"


def test_a_completed_task_leaves_the_active_list_and_stores_no_result(queue: Queue) -> None:
    queue.do(queue.layout.complete(queue.reservation, None))
    assert queue.active() == []
    assert queue.first_task("state") == b"completed"
    assert queue.do([queue.layout.has_result(queue.name, queue.first)]) == [0]


def test_a_completed_task_stores_its_result_where_asked(queue: Queue) -> None:
    queue.do(queue.layout.complete(queue.reservation, b'{"ok":true}'))
    assert queue.do([queue.layout.result(queue.name, queue.first)]) == [b'{"ok":true}']


def test_a_retried_task_waits_outside_both_lists_until_it_is_requeued(queue: Queue) -> None:
    queue.do(queue.layout.retry(queue.reservation, 1.0, "boom"))
    assert queue.active() == []
    assert (queue.first_task("state"), queue.first_task("retry")) == (b"retry", b"1")
    queue.do(queue.layout.requeue(queue.reservation))
    assert queue.first_task("state") == b"pending"
    assert [queue.pop(), queue.pop(), queue.pop()] == [queue.second, queue.first, None]


def test_an_archived_task_keeps_its_reason_and_is_never_popped_again(queue: Queue) -> None:
    queue.do(queue.layout.archive(queue.reservation, "boom"))
    assert queue.active() == []
    assert (queue.first_task("state"), queue.first_task("error")) == (b"archived", b"boom")
    assert [queue.pop(), queue.pop()] == [queue.second, None]


def test_a_task_that_is_put_back_is_the_next_to_be_popped(queue: Queue) -> None:
    queue.do(queue.layout.put_back(queue.reservation))
    assert queue.active() == []
    assert [queue.pop(), queue.pop(), queue.pop()] == [queue.first, queue.second, None]
