"""The layout contract against a real server: what every registry entry promises.

``test_contract_values.py`` has the part that needs no server.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bench.layouts import registry
from bench.layouts.entry import LayoutEntry
from bench.measure.ledger import Counts
from bench.redisio import client_tasks
from bench.redisio.client_tasks import ExpectedTasks
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.queue_keys import lengths, load_scripts
from bench.run.cleanup import Cleanup
from bench.run.removal import CleanupScope, Removal, worker_name
from bench.verify import discovery
from bench.verify.verify import VerifyRequest, verify
from bench.wire import ids, stamps
from bench.wire.layout_contract import (
    Command,
    KeyRole,
    Reservation,
    TaskOutcome,
    outcome_of,
    pending_key,
)
from bench.worker.process import settings_of
from bench.workload.override import override
from bench.workload.resolve import parent_queue, resolve
from tests.layouts.contract import (
    ENTRIES,
    ERROR,
    RESULT,
    VARIANT_IDS,
    VARIANTS,
    ContractQueue,
    names_of,
    of_same_keys,
)
from tests.talk import talk

pytestmark = pytest.mark.usefixtures("third_installed")


def _no_wait(_seconds: float) -> None:
    """Nothing moves here that a second look would have to wait for."""


each_entry = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


@pytest.fixture(params=VARIANTS, ids=VARIANT_IDS)
def queue(server: EmbeddedServer, client: Any, request: pytest.FixtureRequest) -> ContractQueue:
    """An empty queue of each layout in turn."""
    return ContractQueue(server.port, *request.param)


# A task's way through a queue.


def test_an_enqueued_task_waits_and_can_be_read(queue: ContractQueue) -> None:
    assert [queue.enqueue(1), queue.enqueue(2)] == [1, 2]
    assert queue.where(1) == {KeyRole.PENDING}
    assert queue.state(1) == "pending"
    layout = queue.layout
    assert queue.ask(pending_key(layout, queue.name).length) == 2
    hashes = layout.read([queue.ask(layout.load(queue.name, "id-1"))])
    assert stamps.read(hashes.payloads[0]) is not None
    assert hashes.payloads[0].endswith(b'"input": "hello 1"}')
    assert (hashes.retries, hashes.limits) == ([0], [3])
    assert queue.keys() <= queue.expected_keys(1, 2)


def test_what_is_not_there_is_read_as_nothing(queue: ContractQueue) -> None:
    layout = queue.layout
    assert not queue.ask(layout.load(queue.name, "none"))
    assert queue.state(0) is None
    assert outcome_of(queue.ask(layout.state(queue.name, "none"))) is TaskOutcome.GONE
    assert queue.ask(layout.has_result(queue.name, "none")) == 0
    assert queue.ask(layout.result(queue.name, "none")) is None
    assert queue.pop() is None
    assert not queue.ask(layout.pop_more(queue.name, 2))


@pytest.mark.parametrize("field", ["x", "payload", "msg", "job"])
def test_a_hash_that_is_no_task_is_refused_or_read_without_a_payload(
    queue: ContractQueue, field: str
) -> None:
    """A worker counts what it cannot read, rather than end with a traceback."""
    try:
        hashes = queue.layout.read([[field.encode(), b"\xff"]])
    except ValueError:
        return
    assert len(hashes.payloads) == len(hashes.retries) == len(hashes.limits) == 1


def test_ids_are_popped_in_turn_from_the_first_queue_that_has_any(queue: ContractQueue) -> None:
    queue.enqueue(1, 2)
    queue.enqueue(3, queue=queue.other)
    both = (queue.name, queue.other)
    first, second = (queue.layout.pending(each).encode() for each in both)
    assert queue.pop(*both) == (first, [b"id-1"])
    assert queue.pop(*both) == (first, [b"id-2"])
    assert queue.pop(*both) == (second, [b"id-3"])
    assert queue.pop(*both) is None


def test_many_ids_are_popped_in_turn(queue: ContractQueue) -> None:
    if queue.layout.pop_many_command is None:
        pytest.skip("the layout pops one id, then more")
    queue.enqueue(1, 2, 3, 4, 5)
    pending = queue.layout.pending(queue.name).encode()
    assert queue.pop_many(2, queue.other, queue.name) == (pending, [b"id-1", b"id-2"])
    assert queue.ask(queue.layout.pop_more(queue.name, 2)) == [b"id-3", b"id-4"]
    assert queue.ask(queue.layout.pop_more(queue.name, 2)) == [b"id-5"]
    assert queue.pop_many(2) is None


def test_inspection_counts_from_the_end_that_is_popped(queue: ContractQueue) -> None:
    queue.enqueue(1, 2, 3, 4)
    key = pending_key(queue.layout, queue.name)
    assert key.in_turn(queue.ask(key.next_popped(0, 2))) == [b"id-1", b"id-2"]
    assert key.in_turn(queue.ask(key.next_popped(2, 9))) == [b"id-3", b"id-4"]


def test_a_started_task_is_active(queue: ContractQueue) -> None:
    queue.enqueue(1)
    assert queue.take().id == "id-1"
    assert KeyRole.ACTIVE in queue.where(1)
    assert KeyRole.PENDING not in queue.where(1)
    assert queue.state(1) == "active"
    assert outcome_of(queue.ask(queue.layout.state(queue.name, "id-1"))) is None
    leases = queue.layout.leases(queue.name)
    if leases is not None:
        assert float(queue.ask(("ZSCORE", leases, "id-1"))) > queue.now_s


@pytest.mark.parametrize("result", [None, RESULT])
def test_a_completed_task_is_counted_and_has_its_result(
    queue: ContractQueue, result: bytes | None
) -> None:
    queue.enqueue(1)
    queue.do(queue.layout.complete(queue.take(), result))
    assert queue.where(1) <= {KeyRole.ELSEWHERE}
    outcome = outcome_of(queue.ask(queue.layout.state(queue.name, "id-1")))
    assert outcome in (TaskOutcome.COMPLETED, TaskOutcome.GONE)
    assert queue.ask(queue.layout.has_result(queue.name, "id-1")) == (result is not None)
    assert queue.ask(queue.layout.result(queue.name, "id-1")) == result
    assert queue.successes() in (None, 1)
    assert queue.keys() <= queue.expected_keys(1)


def test_a_retried_task_is_hidden_until_it_is_requeued_and_then_counts_its_retry(
    queue: ContractQueue,
) -> None:
    queue.enqueue(1)
    reservation = queue.take()
    queue.do(queue.layout.retry(reservation, 5.0, ERROR))
    assert KeyRole.ACTIVE not in queue.where(1)
    assert outcome_of(queue.ask(queue.layout.state(queue.name, "id-1"))) is None
    assert queue.pop() is None
    assert queue.keys() <= queue.expected_keys(1)
    queue.do(queue.layout.requeue(reservation))
    assert queue.where(1) == {KeyRole.PENDING}
    assert (queue.state(1), queue.retries(1)) == ("pending", 1)
    again = queue.take()
    queue.do(queue.layout.complete(again, None))
    assert queue.successes() in (None, 1)


def test_an_archived_task_has_ended_and_is_not_popped_again(queue: ContractQueue) -> None:
    queue.enqueue(1)
    queue.do(queue.layout.archive(queue.take(), ERROR))
    assert queue.where(1) <= {KeyRole.ELSEWHERE}
    outcome = outcome_of(queue.ask(queue.layout.state(queue.name, "id-1")))
    assert outcome is TaskOutcome.ARCHIVED
    assert queue.pop() is None
    assert queue.successes() in (None, 0)
    assert queue.keys() <= queue.expected_keys(1)


def test_a_task_that_is_put_back_keeps_its_turn(queue: ContractQueue) -> None:
    queue.enqueue(1, 2)
    queue.do(queue.layout.put_back(queue.take()))
    assert queue.where(1) == {KeyRole.PENDING}
    assert queue.state(1) == "pending"
    assert queue.take().id == "id-1"


@pytest.mark.parametrize(
    "entry", [each for each in ENTRIES if each.refuses_duplicates], ids=lambda entry: entry.name
)
def test_a_variant_that_refuses_duplicates_leaves_the_first_task_alone(
    server: EmbeddedServer, client: Any, entry: LayoutEntry
) -> None:
    queue = ContractQueue(server.port, entry, entry.variant(duplicate_check=True))
    assert queue.enqueue(1) == 1
    before = client.dump(queue.layout.task(queue.name, "id-1"))
    replies = talk(server.port, queue.layout.enqueue(queue.task(1)))
    assert isinstance(replies[-1], Exception)
    assert queue.ask(pending_key(queue.layout, queue.name).length) == 1
    assert client.dump(queue.layout.task(queue.name, "id-1")) == before


# What other rooms do with a layout.


def test_lengths_are_counted_by_role(queue: ContractQueue, client: Any) -> None:
    queue.enqueue(1, 2, 3)
    queue.take()
    held = lengths(client, queue.layout, [queue.name, queue.other])
    assert held == {KeyRole.PENDING: 2, KeyRole.ACTIVE: 1}


Ending = Callable[[ContractQueue, Reservation], Sequence[Command]]
ENDINGS: dict[str, tuple[Ending, Counts]] = {
    "completed": (lambda q, r: q.layout.complete(r, None), Counts(completed=1)),
    "kept": (lambda q, r: q.layout.complete(r, RESULT), Counts(completed=1)),
    "retried": (lambda q, r: q.layout.retry(r, 5.0, ERROR), Counts(retried=1)),
    "archived": (lambda q, r: q.layout.archive(r, ERROR), Counts(failed=1)),
    "active": (lambda _q, _r: [], Counts()),
}


@pytest.mark.parametrize("is_sent_known", [True, False])
@pytest.mark.parametrize("ending", ENDINGS)
def test_clean_up_removes_all_that_a_run_wrote(
    queue: ContractQueue, client: Any, ending: str, is_sent_known: bool
) -> None:
    """By id, and by a search of the server where it is not known how much was sent."""
    client.flushall()
    end, counts = ENDINGS[ending]
    sent = {0: 2} if is_sent_known else None
    cleanup = Cleanup(client, queue.layout, [queue.name])
    cleanup.prepare(queue.now_s)
    run = ids.new_run()
    names = [ids.format_id(ids.TaskId(run, 0, number)) for number in range(2)]
    for name in names:
        queue.do(queue.layout.enqueue(dataclasses.replace(queue.task(1), id=name)))
    queue.do(end(queue, queue.take()))
    client.hset(queue.layout.worker(worker_name(run, 0)), "healthy", "1")  # it was killed
    scope = CleanupScope(run, sent, workers=1, counts={queue.name: counts})
    cleanup.remove(scope, queue.now_s, Removal())
    assert queue.keys() == set()


def healthy(server: EmbeddedServer, client: Any, entry: LayoutEntry) -> ContractQueue:
    """A queue with numbered tasks, one of them active, and a worker."""
    queue = ContractQueue(server.port, entry, entry.layout)
    queue.enqueue(*range(6))
    queue.take()
    client.hset(entry.layout.worker("w"), "queue", parent_of(entry, queue.name))
    return queue


def parent_of(entry: LayoutEntry, queue: str) -> str:
    return parent_queue(
        resolve({"layout": entry.name, "queues": queue, "rate": 1, "duration": "1s"})
    )


@each_entry
def test_discovery_assigns_a_queue_to_its_layout(
    server: EmbeddedServer, client: Any, entry: LayoutEntry
) -> None:
    """Layouts of the same keys each find it; to all others the first of them is named."""
    queue = healthy(server, client, entry)
    own = of_same_keys(entry)
    registry.get("third")  # a layout of another package is known once it was asked for
    for other in ENTRIES:
        found = discovery.find_queues(client, other.layout)
        assert found.names == ([queue.name] if other in own else [])
        assert found.others == ([] if other in own else [own[0].name])
        assert found.is_whole


@each_entry
def test_a_healthy_queue_keeps_all_rules(
    server: EmbeddedServer, client: Any, entry: LayoutEntry
) -> None:
    queue = healthy(server, client, entry)
    before = {key: client.dump(key) for key in client.scan_iter()}
    answer = verify(client, VerifyRequest(server.url, entry.name, [], 1000), sleep=_no_wait)
    assert (answer.findings, answer.notes, answer.moved_on) == ([], [], 0)
    rows = {row.place: (row.queue, row.ids, row.looked_at) for row in answer.places}
    assert rows["pending"] == (queue.name, 5, 5)
    assert rows["active"] == (queue.name, 1, 1)
    assert {key: client.dump(key) for key in client.scan_iter()} == before


@each_entry
def test_a_lost_task_and_a_repeated_id_are_found(
    server: EmbeddedServer, client: Any, entry: LayoutEntry
) -> None:
    queue = healthy(server, client, entry)
    client.delete(entry.layout.task(queue.name, "id-2"))
    client.lpush(entry.layout.pending(queue.name), "id-3")
    answer = verify(
        client, VerifyRequest(server.url, entry.name, [queue.name], 1000), sleep=_no_wait
    )
    found = {finding.code: finding.examples for finding in answer.findings}
    assert found == {"missing-hash": ["id-2"], "twice-on-a-list": ["id-3"]}


@each_entry
def test_a_queue_without_a_worker_or_its_registration_is_reported(
    server: EmbeddedServer, client: Any, entry: LayoutEntry
) -> None:
    queue = healthy(server, client, entry)
    client.delete(entry.layout.worker("w"))
    expected = {"no-worker"}
    if (key := entry.layout.registry()) is not None:
        client.srem(key, queue.name)
        expected.add("unregistered-queue")
    answer = verify(
        client, VerifyRequest(server.url, entry.name, [queue.name], 1000), sleep=_no_wait
    )
    assert {finding.code for finding in answer.findings} == expected
    assert all(key in each.cure for each in answer.findings if key and each.code != "no-worker")


@each_entry
@pytest.mark.parametrize("is_stamped", [False, True])
def test_the_client_check_accepts_what_enqueue_writes(
    server: EmbeddedServer, client: Any, entry: LayoutEntry, is_stamped: bool
) -> None:
    layout, queue = entry.layout, names_of(entry.layout)[0]
    checked = client_tasks.begin(client, entry, queue)
    load_scripts(client, layout)
    source = ContractQueue(server.port, entry, layout)
    for number in range(5):
        task = source.task(number)
        if not is_stamped:
            plain = b'{"input": "hello %d"}' % number
            task = dataclasses.replace(task, payload=plain)
        source.do(layout.enqueue(task))
    expected = ExpectedTasks(5, is_ordered=True, is_stamped=is_stamped)
    found = client_tasks.inspect(client, checked, expected, owns_server=True)
    assert found.fault == ""
    assert list(found.own) == [f"id-{number}" for number in range(5)]
    assert client_tasks.remove(client, checked, found) == ""
    assert client.dbsize() == 0


@each_entry
def test_the_client_check_refuses_a_task_with_another_payload(
    server: EmbeddedServer, client: Any, entry: LayoutEntry
) -> None:
    queue = ContractQueue(server.port, entry, entry.layout)
    checked = client_tasks.begin(client, entry, queue.name)
    queue.do(entry.layout.enqueue(dataclasses.replace(queue.task(0), payload=b'{"input": 1}')))
    found = client_tasks.inspect(client, checked, ExpectedTasks(1), owns_server=True)
    assert found.fault.startswith("task id-0: ")
    assert "payload" in found.fault


@each_entry
def test_a_scenario_and_a_worker_take_the_layout(
    server: EmbeddedServer, entry: LayoutEntry
) -> None:
    queues = {"orders_high": 2, "orders_low": 1}
    base = {"queues": queues, "rate": "max", "duration": "1s"}
    scenario = resolve(override(base, {"layout": entry.name}))
    assert tuple(scenario.queues) == names_of(entry.layout)
    assert parent_queue(scenario) == "orders"
    settings = settings_of(scenario)
    assert settings.layout is entry.layout
