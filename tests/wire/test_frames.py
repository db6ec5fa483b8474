"""Frames against the plain encoder, and against what a real server then holds."""

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.layouts.asynq.layout import ASYNQ, ASYNQ_UNIQUE
from bench.layouts.runqy.layout import RUNQY
from bench.wire import frame_renderer, ids, resp, stamps
from bench.wire.frame_renderer import FrameRenderer
from bench.wire.frames import Batch, Bodies
from bench.wire.ids import TaskId
from bench.wire.layout_contract import Command, Layout
from bench.wire.task import Task, decode
from tests.layouts.third.layout import THIRD
from tests.talk import talk, talk_raw

T = TypeVar("T")

LAYOUTS: list[Layout] = [RUNQY, ASYNQ, ASYNQ_UNIQUE, THIRD]

VECTOR_FROM = frame_renderer._VECTOR_FROM
MOMENTS = st.integers(stamps.MIN_US, stamps.MAX_US)
QUEUE_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12)
DUE_US = 1_700_000_000_000_000
SENT_US = 1_700_000_000_123_456


def make_batch(
    sequence: Sequence[int], due_us: Sequence[int], queue: Sequence[int], bodies: Bodies
) -> Batch:
    return Batch(
        np.array(sequence, np.int64), np.array(due_us, np.int64), np.array(queue, np.int64), bodies
    )


def simple_batch(count: int, bodies: Bodies, queues: int = 1) -> Batch:
    """Tasks 0, 1, 2, … a microsecond apart, dealt to the queues in turn."""
    numbers = range(count)
    return make_batch(numbers, [DUE_US + n for n in numbers], [n % queues for n in numbers], bodies)


def exactly(count: int, items: st.SearchStrategy[T]) -> st.SearchStrategy[list[T]]:
    return st.lists(items, min_size=count, max_size=count)


def equal_bodies(count: int, text: bytes = b',"data":"x"}') -> Bodies:
    return np.tile(np.frombuffer(text, np.uint8), (count, 1))


def body_of(bodies: Bodies, index: int) -> bytes:
    body = bodies[index]
    return body if isinstance(body, bytes) else body.tobytes()


def tasks_of(
    batch: Batch, queues: Sequence[str], run: int, producer: int, max_retry: int, sent_us: int
) -> list[Task]:
    """The batch in its order, as the slow way makes it."""
    return [
        Task(
            id=ids.format_id(TaskId(run, producer, int(batch.sequence[index]))),
            queue=queues[int(batch.queue[index])],
            payload=stamps.head(int(batch.due_us[index]), sent_us) + body_of(batch.bodies, index),
            max_retry=max_retry,
            sent_us=sent_us,
        )
        for index in range(len(batch))
    ]


def encode_plainly(
    tasks: Sequence[Task],
    queues: Sequence[str] = (),
    layout: Layout = RUNQY,
) -> bytes:
    """Task by task; with ``queues`` by queue, in their order, and then by command."""
    if not queues:
        return b"".join(resp.encode(layout.enqueue(task)) for task in tasks)
    commands: list[Command] = []
    for queue in queues:
        of_queue = [layout.enqueue(task) for task in tasks if task.queue == queue]
        commands += itertools.chain.from_iterable(zip(*of_queue, strict=True))
    return resp.encode(commands)


@st.composite
def batches(draw: st.DrawFn, queues: int) -> Batch:
    count = draw(st.integers(1, 3 * VECTOR_FROM))
    bodies: Bodies
    if draw(st.booleans()):
        length = draw(st.integers(0, 40))
        flat = draw(st.binary(min_size=count * length, max_size=count * length))
        bodies = np.frombuffer(flat, np.uint8).reshape(count, length)
    else:
        bodies = draw(exactly(count, st.binary(max_size=12)))
    return make_batch(
        sorted(draw(exactly(count, st.integers(0, ids.MAX_SEQUENCE - 1)))),
        sorted(draw(exactly(count, MOMENTS))),
        draw(exactly(count, st.integers(0, queues - 1))),
        bodies,
    )


@given(
    data=st.data(),
    queues=st.lists(QUEUE_NAMES, min_size=1, max_size=4, unique=True),
    run=st.integers(0, 2**60 - 1),
    producer=st.integers(0, ids.MAX_PRODUCERS - 1),
    max_retry=st.integers(0, 1000),
    sent_us=MOMENTS,
    by_command=st.booleans(),
    layout=st.sampled_from(LAYOUTS),
)
def test_a_frame_is_what_the_plain_encoder_makes_of_its_tasks(
    data: st.DataObject,
    queues: list[str],
    run: int,
    producer: int,
    max_retry: int,
    sent_us: int,
    by_command: bool,
    layout: Layout,
) -> None:
    """In the order of the batch, or by queue, in the order of the queues, and then by command."""
    batch = data.draw(batches(len(queues)))
    renderer = FrameRenderer(layout, queues, run, producer, max_retry, by_command)
    rendered = renderer.render(batch).stamped(sent_us)
    tasks = tasks_of(batch, queues, run, producer, max_retry, sent_us)
    by_queue = queues if by_command else ()
    assert rendered.tobytes() == encode_plainly(tasks, by_queue, layout)


@pytest.mark.parametrize("layout", LAYOUTS, ids=["runqy", "asynq", "asynq-unique", "third"])
@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "ragged"])
@pytest.mark.parametrize("queues", [1, 3])
@pytest.mark.parametrize(
    "count", [1, 2, VECTOR_FROM - 1, VECTOR_FROM, VECTOR_FROM + 1, 4 * VECTOR_FROM, 500]
)
def test_both_sides_of_the_vector_threshold_give_the_same_bytes(
    count: int, queues: int, ragged: bool, layout: Layout
) -> None:
    names = [f"inference_{number}" for number in range(queues)]
    texts = [b',"n":"%0*d"}' % (1 + n % 5 if ragged else 5, n) for n in range(count)]
    bodies = texts if ragged else np.frombuffer(b"".join(texts), np.uint8).reshape(count, -1)
    batch = simple_batch(count, bodies, queues)
    rendered = FrameRenderer(layout, names, 7, 3, 3).render(batch).stamped(SENT_US)
    tasks = tasks_of(batch, names, 7, 3, 3, SENT_US)
    assert rendered.tobytes() == encode_plainly(tasks, layout=layout)


@pytest.mark.parametrize("by_command", [False, True])
def test_a_crowded_queue_and_a_sparse_one_share_a_frame(by_command: bool) -> None:
    """One queue's tasks are filled in by vectors, the other's by templates."""
    names = ["inference_high", "inference_low"]
    count = VECTOR_FROM + 2
    queue = [1 if n in (3, 9) else 0 for n in range(count)]
    batch = make_batch(range(count), [DUE_US + n for n in range(count)], queue, equal_bodies(count))
    frame = FrameRenderer(RUNQY, names, 7, 3, 3, by_command).render(batch)
    assert frame.queue_sizes == ([VECTOR_FROM, 2] if by_command else None)
    plain = encode_plainly(tasks_of(batch, names, 7, 3, 3, SENT_US), names if by_command else ())
    assert frame.stamped(SENT_US).tobytes() == plain


@given(data=st.data(), queues=st.integers(1, 4), by_command=st.booleans())
def test_a_frame_says_which_tasks_are_answered_in_which_order(
    data: st.DataObject, queues: int, by_command: bool
) -> None:
    batch = data.draw(batches(queues))
    names = [f"inference_{number}" for number in range(queues)]
    frame = FrameRenderer(RUNQY, names, 1, 2, 3, by_command).render(batch)
    order = np.argsort(batch.queue, kind="stable") if by_command else np.arange(len(batch))
    assert frame.tasks.sequence.tolist() == batch.sequence[order].tolist()
    assert frame.tasks.due_us.tolist() == batch.due_us[order].tolist()
    assert frame.tasks.queue.tolist() == batch.queue[order].tolist()
    by_queue = [int((batch.queue == queue).sum()) for queue in sorted(set(batch.queue.tolist()))]
    assert frame.queue_sizes == (by_queue if by_command else None)


@given(data=st.data(), queues=st.integers(1, 3), layout=st.sampled_from(LAYOUTS))
def test_parts_of_a_frame_are_the_frames_of_its_parts(
    data: st.DataObject, queues: int, layout: Layout
) -> None:
    """Each with its own time of sending, whatever was sent before or after."""
    batch = data.draw(batches(queues))
    names = [f"inference_{number}" for number in range(queues)]
    frame = FrameRenderer(layout, names, 1, 2, 3).render(batch)
    cuts = sorted({0, len(batch), *data.draw(st.lists(st.integers(0, len(batch)), max_size=6))})
    for start, stop in itertools.pairwise(cuts):
        sent_us = data.draw(MOMENTS)
        tasks = tasks_of(batch.part(start, stop), names, 1, 2, 3, sent_us)
        plain = encode_plainly(tasks, layout=layout)
        assert frame.stamped(sent_us, start, stop).tobytes() == plain
        assert frame.tasks.part(start, stop).sequence.tolist() == [*batch.sequence[start:stop]]


def test_a_frame_by_command_is_sent_as_a_whole() -> None:
    frame = FrameRenderer(RUNQY, ["a_b"], 1, 2, 3, by_command=True).render(
        simple_batch(5, equal_bodies(5))
    )
    assert frame.stamped(SENT_US, 0, 5) == frame.stamped(SENT_US)
    for start, stop in ((0, 4), (1, 5), (1, None)):
        with pytest.raises(ValueError, match="only be sent as a whole"):
            frame.stamped(SENT_US, start, stop)


@pytest.mark.parametrize("count", [VECTOR_FROM - 1, VECTOR_FROM])
@pytest.mark.parametrize("queues", [1, 2])
def test_a_frame_can_be_stamped_again(count: int, queues: int) -> None:
    """Only the moment of sending changes."""
    names = [f"inference_{number}" for number in range(queues)]
    batch = simple_batch(count, equal_bodies(count), queues)
    frame = FrameRenderer(RUNQY, names, 7, 3, 3).render(batch)
    for sent_us in (SENT_US, SENT_US + 1, stamps.MAX_US, stamps.MIN_US):
        plain = encode_plainly(tasks_of(batch, names, 7, 3, 3, sent_us))
        assert frame.stamped(sent_us).tobytes() == plain


def test_batches_of_one_renderer_do_not_touch_each_other() -> None:
    renderer = FrameRenderer(RUNQY, ["inference_default"], 7, 3, 3)
    batch = [simple_batch(count, equal_bodies(count)) for count in (30, 40)]
    rendered = [renderer.render(each) for each in batch]
    sent = [frame.stamped(SENT_US + n) for n, frame in enumerate(rendered)]
    for n, each in enumerate(batch):
        tasks = tasks_of(each, ["inference_default"], 7, 3, 3, SENT_US + n)
        assert sent[n].tobytes() == encode_plainly(tasks)


@pytest.mark.parametrize("count", [1, VECTOR_FROM, 4 * VECTOR_FROM])
@pytest.mark.parametrize("by_command", [False, True])
def test_bodies_may_be_empty(count: int, by_command: bool) -> None:
    batch = simple_batch(count, np.empty((count, 0), np.uint8))
    names = ["inference_default"]
    frame = FrameRenderer(RUNQY, names, 7, 3, 3, by_command).render(batch)
    as_list = FrameRenderer(RUNQY, names, 7, 3, 3, by_command).render(
        simple_batch(count, [b""] * count)
    )
    assert frame.stamped(SENT_US).tobytes() == as_list.stamped(SENT_US).tobytes()


def test_more_lengths_than_a_renderer_keeps_shapes_of() -> None:
    names = ["inference_default"]
    count = frame_renderer._SHAPES_KEPT + 10
    bodies = [b" " * (n % count) + b"}" for n in range(count)]
    batch = simple_batch(count, [*bodies])
    renderer = FrameRenderer(RUNQY, names, 7, 3, 3)
    rendered = renderer.render(batch).stamped(SENT_US)
    assert rendered.tobytes() == encode_plainly(tasks_of(batch, names, 7, 3, 3, SENT_US))


def test_an_empty_batch_is_no_bytes() -> None:
    frame = FrameRenderer(RUNQY, ["inference_default"], 7, 3, 3).render(simple_batch(0, []))
    assert frame.stamped(SENT_US).tobytes() == b""
    assert len(frame.tasks) == 0


@pytest.mark.parametrize("wrong_us", [0, stamps.MIN_US - 1, stamps.MAX_US + 1])
@pytest.mark.parametrize("at", [0, -1])
def test_a_due_time_without_sixteen_digits_is_refused(at: int, wrong_us: int) -> None:
    count = 30
    due_us = [DUE_US] * count
    due_us[at] = wrong_us
    batch = make_batch(range(count), due_us, [0] * count, equal_bodies(count))
    with pytest.raises(ValueError, match=f"stamp {wrong_us} does not have 16 digits"):
        FrameRenderer(RUNQY, ["inference_default"], 7, 3, 3).render(batch)


@pytest.mark.parametrize("count", [1, VECTOR_FROM - 1, VECTOR_FROM, 3 * VECTOR_FROM])
@pytest.mark.parametrize("wrong", [ids.MAX_SEQUENCE, 2**62])
def test_a_sequence_that_does_not_fit_an_id_is_refused(wrong: int, count: int) -> None:
    """Rather than cut to its last digits, which would be another task's."""
    sequence = [*range(count - 1), wrong]
    batch = make_batch(sequence, [DUE_US] * count, [0] * count, equal_bodies(count))
    with pytest.raises(ValueError, match=f"sequence {wrong} does not fit into 48 bits"):
        FrameRenderer(RUNQY, ["inference_default"], 7, 3, 3).render(batch)


@pytest.mark.parametrize("count", [1, VECTOR_FROM])
def test_the_last_sequence_that_fits_an_id_is_rendered(count: int) -> None:
    first = ids.MAX_SEQUENCE - count
    batch = make_batch(
        range(first, ids.MAX_SEQUENCE), [DUE_US] * count, [0] * count, equal_bodies(count)
    )
    names = ["inference_default"]
    rendered = FrameRenderer(RUNQY, names, 7, 3, 3).render(batch).stamped(SENT_US)
    assert rendered.tobytes() == encode_plainly(tasks_of(batch, names, 7, 3, 3, SENT_US))


@pytest.mark.parametrize("wrong_us", [0, stamps.MIN_US - 1, stamps.MAX_US + 1])
@pytest.mark.parametrize("count", [0, 1, VECTOR_FROM])
def test_a_moment_of_sending_without_sixteen_digits_is_refused(count: int, wrong_us: int) -> None:
    batch = simple_batch(count, equal_bodies(count))
    frame = FrameRenderer(RUNQY, ["inference_default"], 7, 3, 3).render(batch)
    with pytest.raises(ValueError, match=f"stamp {wrong_us} does not have 16 digits"):
        frame.stamped(wrong_us)


@pytest.mark.parametrize(
    ("run", "producer", "message"),
    [(2**60, 0, "does not fit into 60 bits"), (0, 2**12, "does not fit into 12 bits")],
)
def test_a_renderer_refuses_what_does_not_fit_an_id(run: int, producer: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FrameRenderer(RUNQY, ["inference_default"], run, producer, 3)


@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "ragged"])
@pytest.mark.parametrize("count", [5, VECTOR_FROM * 3, 2000])
def test_a_server_holds_exactly_the_tasks_of_the_frame(
    server_port: int, count: int, ragged: bool
) -> None:
    """Every field of every hash; each list first in, first out; two replies a task."""
    run = ids.new_run()
    queues = [f"{ids.run_text(run)}_{name}" for name in ("high", "default", "low")]
    texts = [b',"data":"%0*d"}' % (1 + n % 9 if ragged else 9, n) for n in range(count)]
    bodies = texts if ragged else np.frombuffer(b"".join(texts), np.uint8).reshape(count, -1)
    batch = simple_batch(count, bodies, len(queues))
    renderer = FrameRenderer(RUNQY, queues, run, 5, 4)
    assert renderer.replies_per_task == 2
    request = renderer.render(batch).stamped(SENT_US)
    expected = tasks_of(batch, queues, run, 5, 4, SENT_US)

    replies = talk_raw(server_port, request, 2 * count)
    assert replies[::2] == [5] * count  # five new fields in each hash
    for queue in queues:
        in_order = [task.id.encode() for task in expected if task.queue == queue]
        popped = talk(server_port, [("RPOP", RUNQY.pending(queue))] * len(in_order))
        assert popped == in_order
        assert talk(server_port, [("LLEN", RUNQY.pending(queue))]) == [0]
    held = talk(server_port, [("HGETALL", f"asynq:t:{task.id}") for task in expected])
    for task, flat in zip(expected, held, strict=True):
        assert isinstance(flat, list)
        fields = dict(zip(flat[::2], flat[1::2], strict=True))
        assert fields == {
            b"type": b"task",
            b"payload": task.payload,
            b"retry": b"0",
            b"max_retry": b"4",
            b"queue": task.queue.encode(),
        }
        assert decode(task.id, fields) == replace(task, sent_us=0)  # this layout notes none
        assert json.loads(task.payload)["sent_us"] == SENT_US
