"""The asynq layout: keys against literals, messages against the wire format, moves on a server."""

import datetime
import re
from collections.abc import Sequence

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from bench.layouts.asynq import codec
from bench.layouts.asynq.layout import ASYNQ, ASYNQ_UNIQUE, LEASE_S, RETENTION_S
from bench.names import LONGEST
from bench.wire import ids, stamps
from bench.wire.layout_contract import Command, KeyRole, Layout, QueueKey, Reservation
from bench.wire.task import Task
from tests.talk import talk

QUEUE = "inference.default"
ID = "my-task-id"
NOW_S = 1_800_000_000
DAY = "2027-01-15"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize(
    ("key", "literal"),
    [
        (ASYNQ.task(QUEUE, ID), "asynq:{inference.default}:t:my-task-id"),
        (ASYNQ.pending(QUEUE), "asynq:{inference.default}:pending"),
        (ASYNQ.active(QUEUE), "asynq:{inference.default}:active"),
        (ASYNQ.worker("w1"), "asynq:workers:w1"),
        (ASYNQ.registry(), "asynq:queues"),
    ],
)
def test_keys_have_the_hash_tag_of_their_queue(key: str, literal: str) -> None:
    assert key == literal


def test_places_and_counters_are_asynqs() -> None:
    names = {place.key.removeprefix("asynq:{q}:"): place for place in ASYNQ.queue_keys("q")}
    assert {name for name, place in names.items() if not place.is_sorted_set} == {
        "pending",
        "active",
    }
    assert set(names) == {
        *("pending", "active", "scheduled", "retry", "lease", "completed", "archived"),
    }
    assert ASYNQ.counters("q", NOW_S).keys == (
        "asynq:{q}:processed",
        f"asynq:{{q}}:processed:{DAY}",
        "asynq:{q}:failed",
        f"asynq:{{q}}:failed:{DAY}",
    )
    assert datetime.datetime.fromtimestamp(NOW_S, datetime.UTC).strftime("%Y-%m-%d") == DAY


def test_a_message_has_the_field_numbers_of_asynqs_protobuf() -> None:
    """Written out by hand: tag (field << 3 | wire type), length, value."""
    task = Task("id", "q", b"\x00\xff{}", max_retry=3, retry=2)
    assert codec.encode(task) == (
        b"\x0a\x04task"  # 1 type
        b"\x12\x04\x00\xff{}"  # 2 payload
        b"\x1a\x02id"  # 3 id
        b"\x22\x01q"  # 4 queue
        b"\x28\x03"  # 5 retry: the maximum
        b"\x30\x02"  # 6 retried
        b"\x40\x88\x0e"  # 8 timeout: 1800 s
    )


@given(
    payload=st.binary(max_size=300),
    task_id=TEXTS,
    queue=TEXTS,
    max_retry=st.integers(0, 1000),
    retry=st.integers(0, 1000),
)
def test_a_task_comes_back_from_its_message(
    payload: bytes, task_id: str, queue: str, max_retry: int, retry: int
) -> None:
    task = Task(task_id, queue, payload, max_retry=max_retry, retry=retry)
    fields = {b"msg": codec.encode(task), b"state": b"pending"}
    assert codec.read(task_id, fields) == task


def test_the_seeds_plain_fields_are_read_in_place_of_a_message() -> None:
    task = Task(ID, QUEUE, b'{"a":1}', retry=1)
    fields = {name.encode(): value for name, value in task.fields()}
    assert codec.read(ID, fields) == task


@pytest.mark.parametrize("fields", [{}, {b"msg": b"\xff\xff"}, {b"state": b"active"}])
def test_a_hash_without_a_task_is_refused(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="task x"):
        codec.read("x", fields)


@pytest.mark.parametrize(("retried", "expected"), [(True, 3), (False, 2)])
def test_a_failed_attempt_leaves_its_reason_and_moment(retried: bool, expected: int) -> None:
    text = codec.encode(Task(ID, QUEUE, b"{}", retry=2))
    failed = codec.failed(ID, text, "boom", NOW_S, retried=retried)
    message = codec.parse(ID, failed)
    assert (message.retried, message.error_msg, message.last_failed_at) == (expected, "boom", NOW_S)
    assert message.payload == b"{}"


def test_a_message_made_of_plain_fields_has_its_tasks_id_once_it_is_written() -> None:
    plain = Task("that was popped", QUEUE, b"{}")
    text = codec.failed(ID, codec.encode(plain), "boom", NOW_S, retried=True)
    assert codec.parse(ID, text).id == ID


class Queue:
    """A queue of its own on the server, with two tasks in it, the first of which was taken."""

    def __init__(self, port: int, layout: Layout) -> None:
        self.port = port
        self.layout = layout
        run = ids.new_run()
        self.name = f"{ids.run_text(run)}.default"
        self.do([("SCRIPT", "LOAD", text) for text in layout.scripts])
        self.first, self.second = (
            ids.format_id(ids.TaskId(run, 0, sequence)) for sequence in range(2)
        )
        self.sent_us = stamps.MIN_US
        for task_id in (self.first, self.second):
            self.do(self.layout.enqueue(self.task(task_id)))
        self.since = self.field("pending_since")
        assert self.pop() == self.first
        self.message = codec.encode(self.task(self.first))
        self.do(self.layout.start(self.reservation))

    def task(self, task_id: str) -> Task:
        return Task(task_id, self.name, b'{"n":1}', sent_us=self.sent_us)

    @property
    def reservation(self) -> Reservation:
        """The first task, as its worker has it."""
        return Reservation(self.name, self.first, NOW_S, self.message)

    def do(self, commands: Sequence[Command]) -> list[object]:
        """Send the commands; no reply may be an error."""
        replies = talk(self.port, commands)
        assert not [reply for reply in replies if isinstance(reply, Exception)]
        return replies

    def pop(self) -> str | None:
        """The id that a worker gets next."""
        (popped,) = self.do([("RPOP", self.layout.pending(self.name))])
        return popped.decode() if isinstance(popped, bytes) else None

    def field(self, name: str) -> object:
        """A field of the first task's hash."""
        return self.do([("HGET", self.layout.task(self.name, self.first), name)])[0]

    def where(self) -> set[str]:
        """The names of the places that hold the first task's id."""
        return {
            place.key.rpartition(":")[2]
            for place in self.layout.queue_keys(self.name)
            if self.first.encode() in self.ids(place)
        }

    def ids(self, place: QueueKey) -> list[object]:
        command = "ZRANGE" if place.is_sorted_set else "LRANGE"
        (held,) = self.do([(command, place.key, "0", "-1")])
        assert isinstance(held, list)
        return held

    def score(self, name: str) -> int:
        """The first task's score in a sorted set."""
        (score,) = self.do([("ZSCORE", f"asynq:{{{self.name}}}:{name}", self.first)])
        return int(float(score))  # type: ignore[arg-type]

    def counted(self, name: str) -> tuple[object, object]:
        """A total and that of the day."""
        key = f"asynq:{{{self.name}}}:{name}"
        total, day = self.do([("GET", key), ("GET", f"{key}:{DAY}")])
        return total, day


@pytest.fixture(params=[ASYNQ, ASYNQ_UNIQUE], ids=["plain", "duplicate-check"])
def queue(server_port: int, request: pytest.FixtureRequest) -> Queue:
    """A queue whose first task is being processed."""
    return Queue(server_port, request.param)


def test_an_enqueued_task_says_since_when_it_is_pending(queue: Queue) -> None:
    assert queue.since == b"%d000" % queue.sent_us


def test_a_started_task_is_active_and_leased(queue: Queue) -> None:
    assert queue.where() == {"active", "lease"}
    assert queue.score("lease") == NOW_S + LEASE_S
    assert (queue.field("state"), queue.field("pending_since")) == (b"active", None)


def test_a_completed_task_is_gone_and_counted(queue: Queue) -> None:
    queue.do(queue.layout.complete(queue.reservation, None))
    assert queue.where() == set()
    assert queue.do([("EXISTS", queue.layout.task(queue.name, queue.first))]) == [0]
    assert queue.counted("processed") == (b"1", b"1")
    assert queue.counted("failed") == (None, None)


def test_a_counter_of_a_day_expires_and_the_total_does_not(queue: Queue) -> None:
    queue.do(queue.layout.complete(queue.reservation, None))
    key = f"asynq:{{{queue.name}}}:processed"
    total, day = queue.do([("EXPIRETIME", key), ("EXPIRETIME", f"{key}:{DAY}")])
    assert (total, day) == (-1, NOW_S + 90 * 24 * 3600)


def test_a_completed_task_is_kept_with_its_result_where_asked(queue: Queue) -> None:
    assert queue.do([queue.layout.has_result(queue.name, queue.first)]) == [0]
    queue.do(queue.layout.complete(queue.reservation, b'{"ok":true}'))
    assert queue.where() == {"completed"}
    assert queue.score("completed") == NOW_S + RETENTION_S
    assert queue.field("state") == b"completed"
    assert queue.field("completed_at") == b"%d" % NOW_S
    assert queue.field("result") == b'{"ok":true}'
    assert queue.do([queue.layout.has_result(queue.name, queue.first)]) == [1]


def test_a_retried_task_waits_in_its_set_until_it_is_requeued(queue: Queue) -> None:
    queue.do(queue.layout.retry(queue.reservation, 5.0, "boom"))
    assert queue.where() == {"retry"}
    assert queue.score("retry") == NOW_S + 5
    message = queue.field("msg")
    assert isinstance(message, bytes)
    assert codec.parse("", message).retried == 1
    assert queue.field("state") == b"retry"
    assert (queue.counted("processed"), queue.counted("failed")) == ((b"1", b"1"), (b"1", b"1"))
    queue.do(queue.layout.requeue(queue.reservation))
    assert queue.where() == {"pending"}
    assert queue.field("state") == b"pending"
    assert [queue.pop(), queue.pop(), queue.pop()] == [queue.second, queue.first, None]


def test_a_task_that_somebody_else_requeued_is_not_enqueued_twice(queue: Queue) -> None:
    queue.do(queue.layout.retry(queue.reservation, 5.0, "boom"))
    queue.do([*queue.layout.requeue(queue.reservation), *queue.layout.requeue(queue.reservation)])
    assert [queue.pop(), queue.pop(), queue.pop()] == [queue.second, queue.first, None]


def test_an_archived_task_keeps_its_reason_and_is_never_popped_again(queue: Queue) -> None:
    queue.do(queue.layout.archive(queue.reservation, "boom"))
    assert queue.where() == {"archived"}
    message = queue.field("msg")
    assert isinstance(message, bytes)
    assert codec.parse("", message).error_msg == "boom"
    assert queue.field("state") == b"archived"
    assert [queue.pop(), queue.pop()] == [queue.second, None]


def test_a_task_that_is_put_back_is_the_next_to_be_popped(queue: Queue) -> None:
    queue.do(queue.layout.put_back(queue.reservation))
    assert queue.where() == {"pending"}
    assert [queue.pop(), queue.pop(), queue.pop()] == [queue.first, queue.second, None]


def test_the_duplicate_check_refuses_an_id_that_is_there(server_port: int) -> None:
    queue = Queue(server_port, ASYNQ_UNIQUE)
    (reply,) = talk(server_port, queue.layout.enqueue(queue.task(queue.second)))
    assert isinstance(reply, Exception)
    assert str(reply).startswith("DUPLICATE")
    assert [queue.pop(), queue.pop()] == [queue.second, None]


def test_active_and_pending_ids_count_as_such() -> None:
    meanings = {place.key.rpartition(":")[2]: place.role for place in ASYNQ.queue_keys("q")}
    assert {name for name, where in meanings.items() if where is KeyRole.PENDING} == {
        *("pending", "scheduled", "retry"),
    }
    assert {name for name, where in meanings.items() if where is KeyRole.ACTIVE} == {"active"}


# Longer than names may be, and around the lengths from which a length takes two bytes.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=LONGEST) | (
    st.integers(120, LONGEST).map(lambda length: "q" * length)
)


@given(st.lists(NAMES, min_size=1, max_size=3, unique=True), NAMES)
def test_a_server_s_message_names_the_queues_of_its_map_and_no_other(
    names: list[str], other: str
) -> None:
    """A map's keys, as the protobuf library writes them; asynq's values are numbers."""
    message = Struct()
    entries = b""
    for name in names:
        message.Clear()
        message.fields[name].SetInParent()
        (entry,) = re.findall(
            rb"\A\x0a(?:[\x80-\xff]\x01|[\0-\x7f])(.*)\x12\0\Z", _bytes(message), re.S
        )
        entries += entry + b"\x10\x01"
    serves = ASYNQ.registrations()[0].serves
    assert all(serves(entries, name) for name in names)
    assert serves(entries, other) == any(_ends_with_entry(name, other) for name in names)


def _bytes(message: Struct) -> bytes:
    written: bytes = message.SerializeToString()
    return written


def _ends_with_entry(name: str, other: str) -> bool:
    """Whether a name holds, at its end, what looks like the entry of another one."""
    return (b"\x0a" + codec.map_key(name)[1:]).endswith(codec.map_key(other))
