"""The layout contract on values: entries, keys, and the bytes of commands."""

import fnmatch
from collections.abc import Sequence

import numpy as np
import pytest

from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.wire import ids, resp, stamps
from bench.wire.frame_renderer import FrameRenderer
from bench.wire.frames import Batch
from bench.wire.layout_contract import Command, KeyRole, Layout, Reservation, pending_key
from bench.wire.pops import PopRenderer
from bench.wire.task import Task
from bench.wire.transitions import Transitions
from tests.layouts.contract import (
    ENTRIES,
    ERROR,
    RESULT,
    VARIANT_IDS,
    VARIANTS,
    names_of,
    of_same_keys,
)

COUNT = 40
"""Tasks of a batch: enough for the vector paths."""

pytestmark = pytest.mark.usefixtures("third_installed")

each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
each_layout = pytest.mark.parametrize("layout", [layout for _, layout in VARIANTS], ids=VARIANT_IDS)


# The entry.


@each_entry
def test_an_entry_is_found_under_its_layouts_name(entry: LayoutEntry) -> None:
    assert registry.get(entry.name) is entry
    assert entry.name == entry.layout.name
    assert entry.variant(duplicate_check=False) is entry.layout
    unique = entry.unique_layout
    assert entry.variant(duplicate_check=True) is (entry.layout if unique is None else unique)


@each_entry
def test_rules_read_no_field_that_they_do_not_name(entry: LayoutEntry) -> None:
    assert set(entry.ruleset.large) <= set(entry.ruleset.fields)
    rules = [check.rule for step in entry.ruleset.steps for check in step]
    rules += [each.rule for each in entry.ruleset.names]
    for rule in rules:
        assert rule.title.format(detail="x")
        for sentence in (rule.cause, rule.cure):
            assert sentence == sentence.strip().rstrip(".")


# Keys.


@each_layout
def test_every_key_has_its_own_role_and_name(layout: Layout) -> None:
    queue, _ = names_of(layout)
    keys = layout.queue_keys(queue)
    assert len({key.key for key in keys}) == len({key.name for key in keys}) == len(keys)
    by_name = {key.name: key for key in keys}
    pending, active = by_name["pending"], by_name["active"]
    assert (pending.key, pending.role) == (layout.pending(queue), KeyRole.PENDING)
    assert (active.key, active.role) == (layout.active(queue), KeyRole.ACTIVE)
    assert pending_key(layout, queue) is not None
    leases = layout.leases(queue)
    assert leases is None or next(each for each in keys if each.key == leases).is_sorted_set


@each_layout
def test_all_keys_match_the_layouts_pattern(layout: Layout) -> None:
    for key in all_keys(layout):
        assert fnmatch.fnmatchcase(key, layout.key_pattern), key


@each_layout
def test_a_tasks_own_keys_end_with_its_id(layout: Layout) -> None:
    """Keyspace events are subscribed to by patterns that end with the ids of a run."""
    keys = layout.keys_of(names_of(layout)[0], "some-id")
    assert layout.task(names_of(layout)[0], "some-id") in keys
    assert all(key.endswith("some-id") for key in keys)


@each_layout
def test_only_the_keys_of_pending_and_active_ids_belong_to_a_queue(layout: Layout) -> None:
    for queue in names_of(layout):
        own = (layout.pending(queue), layout.active(queue))
        assert [layout.queue_of(key) for key in own] == [queue, queue]
        for key in own:
            assert any(fnmatch.fnmatchcase(key, each) for each in layout.queue_patterns)
    others = {
        key for name in names_of(layout) for key in (layout.pending(name), layout.active(name))
    }
    # Ids are arbitrary, so a task's key may look like a queue's.
    lookalikes = {key for name in ("x:pending", "x:active") for key in task_keys(layout, name)}
    for key in (all_keys(layout) | lookalikes) - others:
        assert layout.queue_of(key) is None, key


def task_keys(layout: Layout, task_id: str) -> Sequence[str]:
    return layout.keys_of(names_of(layout)[0], task_id)


def all_keys(layout: Layout) -> set[str]:
    queue, _ = names_of(layout)
    found = {key.key for key in layout.queue_keys(queue)}
    found |= {*layout.keys_of(queue, "some-id"), layout.worker("w")}
    found |= set(layout.counters(queue, 1_800_000_000).keys)
    found |= {key for key in (layout.registry(), layout.servers()) if key is not None}
    return found


@each_entry
def test_a_queue_belongs_to_no_layout_with_other_keys(entry: LayoutEntry) -> None:
    queue, _ = names_of(entry.layout)
    for other in ENTRIES:
        if other not in of_same_keys(entry):
            assert other.layout.queue_of(entry.layout.pending(queue)) is None
            assert other.layout.queue_of(entry.layout.active(queue)) is None


# Bytes.


@each_layout
def test_frames_are_the_plain_encoding_of_the_layouts_commands(layout: Layout) -> None:
    queue, _ = names_of(layout)
    due_us = np.arange(COUNT, dtype=np.int64) + stamps.MIN_US
    bodies = np.tile(np.frombuffer(b',"n":1}', np.uint8), (COUNT, 1))
    batch = Batch(np.arange(COUNT), due_us, np.zeros(COUNT, np.int64), bodies)
    frame = FrameRenderer(layout, [queue], 7, 3, 3).render(batch).stamped(stamps.MIN_US + 5)
    plain = [
        Task(
            ids.format_id(ids.TaskId(7, 3, number)),
            queue,
            stamps.head(stamps.MIN_US + number, stamps.MIN_US + 5) + b',"n":1}',
            sent_us=stamps.MIN_US + 5,
        )
        for number in range(COUNT)
    ]
    assert frame.tobytes() == b"".join(resp.encode(layout.enqueue(task)) for task in plain)


@each_layout
@pytest.mark.parametrize("result", [None, RESULT])
def test_a_move_has_as_many_commands_with_the_task_as_without(
    layout: Layout, result: bytes | None
) -> None:
    """A worker counts replies by templates that are laid out without a task's text."""
    queue, _ = names_of(layout)
    moves = Transitions(layout, queue, result, ERROR, 1.5)
    message = layout_message(layout, Task("some-id", queue, b"{}"))
    commands = moves_of(layout, Reservation(queue, "some-id", 5, message), result)
    for name, expected in commands.items():
        move = getattr(moves, name)
        assert move.replies_per_task == len(expected), name
        assert move.render([b"some-id"], 5, [message]) == resp.encode(expected), name


@each_layout
@pytest.mark.parametrize("result", [None, RESULT])
def test_a_batch_of_moves_is_the_plain_encoding_of_its_commands(
    layout: Layout, result: bytes | None
) -> None:
    queue, _ = names_of(layout)
    moves = Transitions(layout, queue, result, ERROR, 1.5)
    task_ids = [ids.format_id(ids.TaskId(7, 3, number)) for number in range(COUNT)]
    plain = [moves_of(layout, Reservation(queue, each, 5), result) for each in task_ids]
    for name in plain[0]:
        rendered = getattr(moves, name).render([each.encode() for each in task_ids], 5)
        assert rendered == b"".join(resp.encode(commands[name]) for commands in plain), name


def moves_of(
    layout: Layout, reservation: Reservation, result: bytes | None
) -> dict[str, Sequence[Command]]:
    """The commands of each move of a task, by the move's name in ``Transitions``."""
    return {
        "load": [layout.load(reservation.queue, reservation.id)],
        "start": layout.start(reservation),
        "complete": layout.complete(reservation, result),
        "retry": layout.retry(reservation, 1.5, ERROR),
        "requeue": layout.requeue(reservation),
        "archive": layout.archive(reservation, ERROR),
        "put_back": layout.put_back(reservation),
    }


def layout_message(layout: Layout, task: Task) -> bytes:
    """A task's text as a worker of that layout reads it; empty if the layout rewrites none."""
    writes = next(each for each in layout.enqueue(task) if b"{}" in b"".join(map(as_bytes, each)))
    fields = [as_bytes(each) for each in writes]
    return next((each for each in fields if b"{}" in each and each != b"{}"), b"")


def as_bytes(argument: str | bytes) -> bytes:
    return argument.encode() if isinstance(argument, str) else argument


@each_layout
def test_a_pop_is_rendered_once_and_read_back_to_its_queue(layout: Layout) -> None:
    queues = names_of(layout)
    pops = PopRenderer(layout, queues, 2)
    assert pops.one(queues) == resp.encode([layout.pop_one(queues, 2)])
    assert pops.one(queues) is pops.one(queues)
    assert pops.one(queues[::-1]) == resp.encode([layout.pop_one(queues[::-1], 2)])
    assert pops.more(queues[0], 3) == resp.encode([layout.pop_more(queues[0], 3)])
    assert pops.singly(queues[0], 3) == resp.encode([layout.pop_more(queues[0], 1)] * 3)
    assert pops.read(None) == ("", ())
    if layout.pop_many_command is not None:
        assert layout.pop_many(queues, 3, 2)[0] == layout.pop_many_command
        assert pops.many(queues, 3) == resp.encode([layout.pop_many(queues, 3, 2)])
