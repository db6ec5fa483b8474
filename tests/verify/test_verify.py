"""Looking at real queues: each fault is found, nothing else is, and nothing is ever written."""

import time
from collections.abc import Callable, Iterator

import pytest
import redis

from bench.errors import NothingToVerify
from bench.redisio import embedded as embedded_server
from bench.redisio.embedded import EmbeddedServer
from tests.talk import as_user
from tests.verify.verify_server import TASKS, Ground, lease_ends, look, rewrite


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedServer]:
    with embedded_server.running() as running:
        yield running


@pytest.fixture(autouse=True)
def empty(embedded: EmbeddedServer) -> None:
    """The server is this module's own."""
    with redis.Redis.from_url(embedded.url) as client:
        client.flushall()


@pytest.fixture
def runqy(embedded: EmbeddedServer) -> Ground:
    return Ground(embedded, "runqy")


@pytest.fixture
def asynq(embedded: EmbeddedServer) -> Ground:
    return Ground(embedded, "asynq")


@pytest.fixture(params=["runqy", "asynq"])
def ground(embedded: EmbeddedServer, request: pytest.FixtureRequest) -> Ground:
    return Ground(embedded, request.param)


def test_a_healthy_queue_has_no_findings(ground: Ground) -> None:
    for answer in (ground.look(), ground.look(ground.queue, ground.other), ground.look(sample=1)):
        assert answer.follows
        assert (answer.findings, answer.notes, answer.moved_on) == ([], [], 0)
    rows = {(row.queue, row.place): (row.ids, row.looked_at) for row in ground.look().places}
    for queue in (ground.queue, ground.other):
        assert rows[queue, "pending"] == (TASKS - 2, TASKS - 2)
        assert rows[queue, "active"] == (2, 2)


def forget_lease(ground: Ground) -> None:
    ground.client.zrem(ground.key("lease"), ground.id(0))


Plant = Callable[[Ground], object]

RUNQY_FAULTS: dict[str, tuple[Plant, str]] = {
    "missing-hash": (lambda g: g.client.delete(g.task(5)), "orders_high-5"),
    "task-for-id": (lambda g: g.client.lpush(g.key("pending"), '{"a":1}'), '{"a":1}'),
    "unusable-id": (lambda g: g.client.lpush(g.key("pending"), ""), "(empty)"),
    "task-type": (
        lambda g: (g.client.delete(g.task(5)), g.client.set(g.task(5), "x")),
        "orders_high-5",
    ),
    "missing-field": (lambda g: g.client.hdel(g.task(5), "max_retry"), "orders_high-5"),
    "not-a-number": (lambda g: g.client.hset(g.task(5), "retry", "none"), "orders_high-5"),
    "payload": (lambda g: g.client.hset(g.task(0), "payload", "{'a': 1}"), "orders_high-0"),
    "empty-queue-field": (lambda g: g.client.hset(g.task(5), "queue", ""), "orders_high-5"),
    "other-queue": (lambda g: g.client.hset(g.task(5), "queue", "orders"), "orders_high-5"),
    "state": (lambda g: g.client.hset(g.task(5), "state", "completed"), "orders_high-5"),
    "too-many-retries": (lambda g: g.client.hset(g.task(5), "retry", "4"), "orders_high-5"),
    "twice-on-a-list": (lambda g: g.client.lpush(g.key("pending"), g.id(5)), "orders_high-5"),
    "in-two-places": (lambda g: g.client.lpush(g.key("active"), g.id(5)), "orders_high-5"),
    "place-type": (
        lambda g: (g.client.delete(g.key("active")), g.client.set(g.key("active"), "x")),
        "asynq:orders_high:active",
    ),
    "no-worker": (lambda g: g.client.hset("asynq:workers:w", "queue", "others"), "orders_high"),
    "no-parent": (lambda g: g.fill("orders"), "orders"),
    "other-separator": (lambda g: g.fill("orders.high"), "orders.high"),
}

ASYNQ_FAULTS: dict[str, tuple[Plant, str]] = {
    "missing-hash": (lambda g: g.client.delete(g.task(5)), "orders.high-5"),
    "task-type": (
        lambda g: (g.client.delete(g.task(5)), g.client.set(g.task(5), "x")),
        "orders.high-5",
    ),
    "missing-field": (lambda g: g.client.hdel(g.task(5), "msg"), "orders.high-5"),
    "message": (lambda g: g.client.hset(g.task(5), "msg", b"\xff"), "orders.high-5"),
    "other-id": (lambda g: rewrite(g, 5, id="y"), "orders.high-5"),
    "other-queue": (lambda g: rewrite(g, 5, queue="y"), "orders.high-5"),
    "empty-queue-field": (lambda g: rewrite(g, 5, queue=""), "orders.high-5"),
    "state": (lambda g: g.client.hset(g.task(5), "state", "retry"), "orders.high-5"),
    "no-pending-since": (lambda g: g.client.hdel(g.task(5), "pending_since"), "orders.high-5"),
    "pending-since-on-active": (
        lambda g: g.client.hset(g.task(0), "pending_since", "1"),
        "orders.high-0",
    ),
    "no-lease": (forget_lease, "orders.high-0"),
    "expired-lease": (lambda g: lease_ends(g, 0, -5), "orders.high-0"),
    "too-many-retries": (lambda g: rewrite(g, 5, retried=4), "orders.high-5"),
    "twice-on-a-list": (lambda g: g.client.lpush(g.key("pending"), g.id(5)), "orders.high-5"),
    "in-two-places": (lambda g: g.client.zadd(g.key("retry"), {g.id(5): 1}), "orders.high-5"),
    "place-type": (lambda g: g.client.set(g.key("retry"), "x"), "asynq:{orders.high}:retry"),
    "unregistered-queue": (lambda g: g.client.srem("asynq:queues", g.queue), "orders.high"),
    "no-worker": (lambda g: g.client.hset("asynq:workers:w", "queue", "x"), "orders.high"),
}


@pytest.mark.parametrize("code", RUNQY_FAULTS)
def test_a_fault_in_the_runqy_layout_is_found_and_nothing_else(runqy: Ground, code: str) -> None:
    require_alone(runqy, *RUNQY_FAULTS[code], code)


@pytest.mark.parametrize("code", ASYNQ_FAULTS)
def test_a_fault_in_the_asynq_layout_is_found_and_nothing_else(asynq: Ground, code: str) -> None:
    require_alone(asynq, *ASYNQ_FAULTS[code], code)


def require_alone(ground: Ground, plant: Plant, example: str, code: str) -> None:
    plant(ground)
    answer = ground.look()
    found = {finding.code: finding for finding in answer.findings}
    if code == "other-separator":  # nor has the worker registered for that parent
        del found["no-worker"]
    assert set(found) == {code}
    finding = found[code]
    assert finding.examples[0] == example
    assert answer.follows == (finding.severity == "warning")
    assert answer.moved_on == 0


def test_a_task_on_two_queues_lists_is_in_two_places(runqy: Ground) -> None:
    runqy.client.lpush(runqy.layout.pending(runqy.other), runqy.id(5))
    (finding,) = runqy.look().findings
    assert (finding.code, finding.examples) == ("in-two-places", ["orders_high-5"])


def test_two_queues_of_asynq_may_have_tasks_of_one_id(asynq: Ground) -> None:
    for queue in (asynq.queue, asynq.other):
        asynq.enqueue(queue, "same")
    assert asynq.look().findings == []


def test_asynqs_own_servers_are_workers_until_they_fall_silent(asynq: Ground) -> None:
    asynq.client.delete("asynq:workers:w")
    asynq.client.zadd("asynq:servers", {"s": time.time() - 1})
    assert [finding.code for finding in asynq.look().findings] == ["no-worker"]
    asynq.client.zadd("asynq:servers", {"s": time.time() + 5})
    assert asynq.look().findings == []


def test_nothing_to_look_at_is_told_with_where_there_is_something(asynq: Ground) -> None:
    with pytest.raises(NothingToVerify, match="say --layout asynq"):
        look(asynq.url, "runqy")
    with pytest.raises(NothingToVerify, match=r"no task on x\.y .* orders\.high, orders\.low"):
        asynq.look("x.y")
    asynq.client.flushall()
    with pytest.raises(NothingToVerify, match="no task in any queue of the asynq layout"):
        asynq.look()


def test_keys_of_the_other_layout_are_noted(runqy: Ground, asynq: Ground) -> None:
    for ground, other in ((runqy, "asynq"), (asynq, "runqy")):
        answer = ground.look()
        assert answer.findings == []
        assert answer.notes == [
            f"the server also has keys of the {other} layout: verify them with --layout {other}"
        ]


def test_task_ids_that_end_like_a_lists_key_are_no_queues(runqy: Ground) -> None:
    runqy.enqueue(runqy.queue, "x:pending")
    assert {row.queue for row in runqy.look().places} == {runqy.queue, runqy.other}


def test_a_user_who_may_only_read_may_verify_and_nothing_changes(ground: Ground) -> None:
    def snapshot() -> dict[object, object]:
        return {key: ground.client.dump(key) for key in ground.client.scan_iter()}

    ground.client.delete(ground.task(5))  # looking again is held to it as well
    before = snapshot()
    ground.client.acl_setuser(
        "reader",
        enabled=True,
        reset=True,
        passwords=["+pw"],
        keys=["asynq:*"],
        categories=["+@read"],
        commands=["+ping", "+time"],
    )
    url = as_user(ground.url, "reader", "pw")
    for queues in ((), (ground.queue,)):
        answer = look(url, ground.layout.name, *queues)
        assert [finding.code for finding in answer.findings] == ["missing-hash"]
        assert "pw" not in answer.address
    with pytest.raises(NothingToVerify):
        look(url, ground.layout.name, "none")
    ground.client.acl_deluser("reader")
    assert snapshot() == before
