"""Ids that are there too often, queues as a whole, and the answer that is made of it all."""

from dataclasses import replace

import pytest

from bench.errors import ExitCode
from bench.layouts import rules
from bench.layouts.entry import LayoutEntry
from bench.layouts.inspected import InspectedKey, InspectedQueue
from bench.layouts.registry import get
from bench.layouts.rules import Violation
from bench.verify import queue_rules
from bench.verify.queue_rules import key_faults, queue_faults
from bench.verify.repeats import repeats
from bench.verify.verification import InspectionResult, conclude

RUNQY, ASYNQ = get("runqy"), get("asynq")


def key(queue: str, name: str, kind: str = "list") -> InspectedKey:
    keys = {each.name: each for each in RUNQY.layout.queue_keys(queue)}
    return InspectedKey(queue, keys[name], kind, 10)


PENDING, ACTIVE, LOW = key("a_b", "pending"), key("a_b", "active"), key("a_low", "pending")


@pytest.mark.parametrize(
    ("entry", "held", "expected"),
    [
        (RUNQY, {PENDING: [b"1", b"2"], ACTIVE: [b"3"]}, []),
        (RUNQY, {PENDING: [b"1", b"2", b"1"]}, [("twice-on-a-list", "", b"1")]),
        (RUNQY, {PENDING: [b"1"], ACTIVE: [b"1"]}, [("in-two-places", "active and pending", b"1")]),
        (
            RUNQY,
            {PENDING: [b"1"], LOW: [b"1"]},
            [("in-two-places", "pending of 2 queues", b"1")],
        ),
        # There a task's key holds its queue: these are two tasks.
        (ASYNQ, {PENDING: [b"1"], LOW: [b"1"]}, []),
    ],
)
def test_an_id_that_is_there_too_often(
    entry: LayoutEntry,
    held: dict[InspectedKey, list[bytes]],
    expected: list[tuple[str, str, bytes]],
) -> None:
    found = [(fault.rule.code, fault.detail, fault.id) for fault in repeats(entry.layout, held)]
    assert found == expected


HEALTHY = InspectedQueue("a_b", pending=1)


@pytest.mark.parametrize(
    ("entry", "queue", "expected"),
    [
        (RUNQY, HEALTHY, []),
        (RUNQY, replace(HEALTHY, name="high"), ["no-parent"]),
        (RUNQY, replace(HEALTHY, name="_high"), ["no-parent"]),
        (RUNQY, replace(HEALTHY, name="{a.high}"), ["other-separator"]),
        (RUNQY, replace(HEALTHY, name="a.high"), ["other-separator"]),
        (RUNQY, replace(HEALTHY, name="a:high"), ["other-separator"]),
        (RUNQY, replace(HEALTHY, has_worker=False), ["no-worker"]),
        (RUNQY, replace(HEALTHY, has_worker=False, pending=0), []),
        (ASYNQ, replace(HEALTHY, name="critical"), []),
        (ASYNQ, replace(HEALTHY, is_registered=False), ["unregistered-queue"]),
    ],
)
def test_what_is_wrong_with_a_queue(
    entry: LayoutEntry, queue: InspectedQueue, expected: list[str]
) -> None:
    found = list(queue_faults(entry, [queue]))
    assert [fault.rule.code for fault in found] == expected
    assert all(fault.rule.severity == "warning" for fault in found)


@pytest.mark.parametrize(
    ("kind", "is_sorted_set", "detail"),
    [
        ("list", False, None),
        ("none", False, None),
        ("zset", True, None),
        ("string", False, "string instead of list"),
        ("zset", False, "zset instead of list"),
        ("list", True, "list instead of zset"),
    ],
)
def test_a_key_of_the_wrong_type(kind: str, is_sorted_set: bool, detail: str | None) -> None:
    queue_key = replace(PENDING.queue_key, is_sorted_set=is_sorted_set)
    inspected = replace(PENDING, queue_key=queue_key, kind=kind)
    found = [fault.detail for fault in key_faults([inspected])]
    assert found == ([] if detail is None else [detail])


def fault(rule: rules.Rule, task_id: bytes, *keys: InspectedKey, detail: str = "") -> Violation:
    return Violation(
        rule, detail, task_id, f"asynq:t:{task_id.decode()}", tuple(each.key for each in keys)
    )


def inspected(
    *faults: Violation, queue_faults: tuple[queue_rules.QueueFault, ...] = ()
) -> InspectionResult:
    return InspectionResult(
        layout="runqy",
        address="redis://host:1/0",
        held={PENDING: [b"%d" % number for number in range(8)], ACTIVE: [b"9", b"1"]},
        queues=1,
        keys=2,
        faults=frozenset(faults),
        queue_faults=queue_faults,
    )


def test_nothing_wrong_follows() -> None:
    answer = conclude(inspected())
    assert (answer.follows, answer.exit_code) == (True, ExitCode.PASSED)
    assert (answer.ids, answer.looked_at, answer.wrong) == (20, 10, 0)


def test_warnings_alone_follow() -> None:
    answer = conclude(
        inspected(
            fault(rules.TOO_MANY_RETRIES, b"1", PENDING),
            queue_faults=(queue_rules.QueueFault(queue_rules.NO_WORKER, "", "a_b"),),
        )
    )
    assert (answer.exit_code, answer.wrong) == (ExitCode.PASSED, 0)
    assert [(each.code, each.looked_at) for each in answer.findings] == [
        ("no-worker", 1),
        ("too-many-retries", 10),
    ]


def test_errors_come_first_then_the_most_frequent_with_three_examples() -> None:
    answer = conclude(
        inspected(
            *(fault(rules.TOO_MANY_RETRIES, b"%d" % number, PENDING) for number in range(7)),
            *(fault(rules.OTHER_QUEUE, b"%d" % number, PENDING) for number in range(4)),
            fault(rules.MISSING_FIELD, b"5", PENDING, detail="type"),
            fault(rules.MISSING_FIELD, b"6", PENDING, detail="queue"),
        )
    )
    assert [(each.title, each.count, each.examples) for each in answer.findings] == [
        ("task that names a different queue from the one it is on", 4, ["0", "1", "2"]),
        ("task without queue", 1, ["6"]),
        ("task without type", 1, ["5"]),
        ("task with more retries than its limit allows", 7, ["0", "1", "2"]),
    ]
    assert (answer.follows, answer.exit_code) == (False, ExitCode.INVALID)
    assert [(row.place, row.wrong) for row in answer.places] == [("pending", 6), ("active", 0)]


def test_a_task_under_two_keys_is_not_also_reported_as_disagreeing_with_one_of_them() -> None:
    (both,) = repeats(RUNQY.layout, {PENDING: [b"1"], ACTIVE: [b"1"]})
    answer = conclude(
        inspected(
            both,
            fault(rules.STATE, b"1", ACTIVE, detail="pending on active"),
            fault(rules.STATE, b"9", ACTIVE, detail="pending on active"),
        )
    )
    assert [(each.code, each.examples) for each in answer.findings] == [
        ("in-two-places", ["1"]),
        ("state", ["9"]),
    ]
    assert [row.wrong for row in answer.places] == [1, 2]


def test_a_key_of_the_wrong_type_alone_does_not_follow() -> None:
    wrong = queue_rules.QueueFault(
        queue_rules.KEY_TYPE, "string instead of list", "asynq:a_b:active"
    )
    answer = conclude(inspected(queue_faults=(wrong,)))
    (finding,) = answer.findings
    assert finding.title == "key of the wrong type (string instead of list)"
    assert (finding.looked_at, answer.exit_code) == (2, ExitCode.INVALID)
