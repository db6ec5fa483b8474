"""Each rule about tasks, in tables: what a healthy task is, and the one thing that is wrong."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.layouts import rules
from bench.layouts.asynq import codec
from bench.layouts.inspected import InspectedTask
from bench.layouts.registry import get, loaded
from bench.layouts.rules import Ruleset
from bench.wire.task import Task

RUNQY = get("runqy").ruleset
ASYNQ = get("asynq").ruleset
KEYS = {
    queue: {each.name: each for each in get(layout).layout.queue_keys(queue)}
    for queue, layout in (("a_high", "runqy"), ("a.high", "asynq"))
}

PLAIN = {
    "type": b"task",
    "payload": b'{"input": "hello"}',
    "retry": b"0",
    "max_retry": b"3",
    "queue": b"a_high",
}
RUNQY_TASK = InspectedTask(
    id=b"x",
    queue="a_high",
    found_under=KEYS["a_high"]["pending"],
    key="asynq:t:x",
    kind="hash",
    fields=PLAIN,
)


def message(**fields: object) -> bytes:
    base = Task(id="x", queue="a.high", payload=b"\xff\x00")
    return codec.encode(replace(base, **fields))  # type: ignore[arg-type]


ASYNQ_TASK = InspectedTask(
    id=b"x",
    queue="a.high",
    found_under=KEYS["a.high"]["pending"],
    key="asynq:{a.high}:t:x",
    kind="hash",
    fields={"msg": message(), "state": b"pending", "pending_since": b"1"},
)


def with_fields(task: InspectedTask, **fields: bytes | None) -> InspectedTask:
    """The task with these fields in place of its own; None takes one away."""
    changed = {**task.fields, **fields}
    return replace(
        task, fields={name: value for name, value in changed.items() if value is not None}
    )


def under(task: InspectedTask, name: str, **fields: bytes | None) -> InspectedTask:
    """The task as if its id had been found under the key of that name."""
    return with_fields(replace(task, found_under=KEYS[task.queue][name]), **fields)


def broken(ruleset: Ruleset, task: InspectedTask) -> list[tuple[str, str]]:
    return [(fault.rule.code, fault.detail) for fault in rules.faults(ruleset, task)]


ASYNQ_ACTIVE = under(ASYNQ_TASK, "active", state=b"active", pending_since=None)
ASYNQ_PLAIN = replace(ASYNQ_TASK, fields={**PLAIN, "queue": b"a.high"})


@pytest.mark.parametrize(
    "task",
    [
        RUNQY_TASK,
        with_fields(RUNQY_TASK, state=b"pending"),
        under(RUNQY_TASK, "active", state=b"active"),
        with_fields(RUNQY_TASK, type=b"", payload=b"[1, null]", error=b"boom", retry=b"3"),
    ],
)
def test_a_healthy_runqy_task_breaks_no_rule(task: InspectedTask) -> None:
    assert broken(RUNQY, task) == []


@pytest.mark.parametrize(
    "task",
    [
        ASYNQ_TASK,
        ASYNQ_ACTIVE,
        replace(ASYNQ_ACTIVE, lease_left_s=20.0),
        *(under(ASYNQ_TASK, name, state=name.encode()) for name in ("retry", "archived")),
        under(ASYNQ_TASK, "scheduled", state=b"scheduled", pending_since=None),
        under(ASYNQ_TASK, "completed", state=b"completed"),
        # It expires before its id is cleared away.
        replace(under(ASYNQ_TASK, "completed"), kind="none", fields={}),
    ],
)
def test_a_healthy_asynq_task_breaks_no_rule(task: InspectedTask) -> None:
    assert broken(ASYNQ, task) == []


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (replace(RUNQY_TASK, id=b"", kind="none", fields={}), [("unusable-id", "empty")]),
        (replace(RUNQY_TASK, id=b"\xff", kind="none", fields={}), [("unusable-id", "not UTF-8")]),
        (replace(RUNQY_TASK, id=b'{"a":1}', kind="none", fields={}), [("task-for-id", "")]),
        (replace(RUNQY_TASK, kind="none", fields={}), [("missing-hash", "")]),
        (replace(RUNQY_TASK, kind="string", fields={}), [("task-type", "string")]),
        (with_fields(RUNQY_TASK, type=None), [("missing-field", "type")]),
        (with_fields(RUNQY_TASK, payload=None), [("missing-field", "payload")]),
        (with_fields(RUNQY_TASK, retry=None), [("missing-field", "retry")]),
        (with_fields(RUNQY_TASK, max_retry=None), [("missing-field", "max_retry")]),
        (
            with_fields(RUNQY_TASK, type=None, queue=None),
            [("missing-field", "type, queue")],
        ),
        (with_fields(RUNQY_TASK, retry=b"zero"), [("not-a-number", "retry")]),
        (with_fields(RUNQY_TASK, max_retry=b"3.0"), [("not-a-number", "max_retry")]),
        (with_fields(RUNQY_TASK, max_retry=b"-1"), [("not-a-number", "max_retry")]),
        (
            with_fields(RUNQY_TASK, retry=b"", max_retry=b"x"),
            [("not-a-number", "retry and max_retry")],
        ),
        (with_fields(RUNQY_TASK, payload=b"{'input': 1}"), [("payload", "")]),
        (with_fields(RUNQY_TASK, payload=b""), [("payload", "")]),
        (with_fields(RUNQY_TASK, payload=b'"\xff"'), [("payload", "")]),
        (with_fields(RUNQY_TASK, payload=b"[" * 100_000), [("payload", "")]),
        (with_fields(RUNQY_TASK, queue=b""), [("empty-queue-field", "")]),
        (with_fields(RUNQY_TASK, queue=b"a_low"), [("other-queue", "")]),
        (with_fields(RUNQY_TASK, state=b"completed"), [("state", "completed on pending")]),
        (under(RUNQY_TASK, "active"), [("state", "not set on active")]),
        (under(RUNQY_TASK, "active", state=b"\x1b[2J"), [("state", "\\x1b[2J on active")]),
        (with_fields(RUNQY_TASK, retry=b"4"), [("too-many-retries", "")]),
        (
            with_fields(RUNQY_TASK, retry=b"x", queue=b"a_low", payload=b"{"),
            [("not-a-number", "retry"), ("payload", ""), ("other-queue", "")],
        ),
    ],
)
def test_what_is_wrong_with_a_runqy_task_is_all_that_is_found(
    task: InspectedTask, expected: list[tuple[str, str]]
) -> None:
    assert broken(RUNQY, task) == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (replace(ASYNQ_TASK, id=b"", kind="none", fields={}), [("unusable-id", "empty")]),
        (replace(ASYNQ_TASK, kind="none", fields={}), [("missing-hash", "")]),
        (replace(ASYNQ_TASK, kind="list", fields={}), [("task-type", "list")]),
        (with_fields(ASYNQ_TASK, msg=None), [("missing-field", "msg")]),
        (with_fields(ASYNQ_TASK, msg=b"\xff\xff"), [("message", "")]),
        (with_fields(ASYNQ_TASK, msg=message(id="y")), [("other-id", "")]),
        (with_fields(ASYNQ_TASK, msg=message(queue="b")), [("other-queue", "")]),
        (with_fields(ASYNQ_TASK, msg=message(queue="")), [("empty-queue-field", "")]),
        (with_fields(ASYNQ_TASK, msg=message(retry=4)), [("too-many-retries", "")]),
        (with_fields(ASYNQ_TASK, state=b"completed"), [("state", "completed on pending")]),
        (with_fields(ASYNQ_TASK, state=None), [("state", "not set on pending")]),
        (with_fields(ASYNQ_TASK, pending_since=None), [("no-pending-since", "")]),
        (with_fields(ASYNQ_ACTIVE, pending_since=b"1"), [("pending-since-on-active", "")]),
        (replace(ASYNQ_ACTIVE, has_lease=False), [("no-lease", "")]),
        (replace(ASYNQ_ACTIVE, lease_left_s=-0.1), [("expired-lease", "")]),
        (under(ASYNQ_TASK, "retry"), [("state", "pending on retry")]),
        (ASYNQ_PLAIN, [("plain-fields", "")]),
        (
            with_fields(ASYNQ_PLAIN, retry=None),
            [("missing-field", "retry"), ("plain-fields", "")],
        ),
        (
            with_fields(ASYNQ_PLAIN, max_retry=b"x"),
            [("not-a-number", "max_retry"), ("plain-fields", "")],
        ),
        (with_fields(ASYNQ_PLAIN, queue=b""), [("plain-fields", ""), ("empty-queue-field", "")]),
        (with_fields(ASYNQ_PLAIN, queue=b"b"), [("plain-fields", ""), ("other-queue", "")]),
        (with_fields(ASYNQ_PLAIN, retry=b"4"), [("plain-fields", ""), ("too-many-retries", "")]),
        # A payload is any bytes here.
        (with_fields(ASYNQ_PLAIN, payload=b"\xff"), [("plain-fields", "")]),
    ],
)
def test_what_is_wrong_with_an_asynq_task_is_all_that_is_found(
    task: InspectedTask, expected: list[tuple[str, str]]
) -> None:
    assert broken(ASYNQ, task) == expected


@given(
    fields=st.dictionaries(
        st.sampled_from([*ASYNQ.fields, *RUNQY.fields]), st.binary(max_size=20), max_size=8
    ),
    task_id=st.binary(max_size=10),
    kind=st.sampled_from(["hash", "none", "string", "stream"]),
    name=st.sampled_from(["pending", "active"]),
)
def test_whatever_lies_there_is_judged_without_an_error(
    fields: dict[str, bytes], task_id: bytes, kind: str, name: str
) -> None:
    for entry in loaded():
        held = {field: value for field, value in fields.items() if field in entry.ruleset.fields}
        key = next(each for each in entry.layout.queue_keys("q") if each.name == name)
        task = InspectedTask(task_id, "q", key, "k", kind, held if kind == "hash" else {})
        found = list(rules.faults(entry.ruleset, task))
        assert found or kind == "hash"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"plain", "plain"),
        (b"", "(empty)"),
        (b"\x1b[31m\n", "\\x1b[31m\\n"),
        (b"\xff", "\\xff"),
        ("schön".encode(), "schön"),
        (b"x" * 61, "x" * 60 + "…"),
    ],
)
def test_an_id_is_shown_on_one_line_without_control_characters(text: bytes, expected: str) -> None:
    assert rules.shown(text) == expected
