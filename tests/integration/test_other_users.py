"""A server that others use, too: what befalls it during a run is told apart from what does not."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis

from bench.errors import MeasurementError, with_notes
from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.other_clients import poppers
from bench.wire.ids import run_text
from tests.integration.conftest import QUEUE, run
from tests.talk import as_user

pytestmark = pytest.mark.slow

OPEN: dict[str, object] = {"rate": 1000, "duration": 1, "workers": 1}
IDLE: dict[str, object] = {"rate": 1000, "duration": 1, "workers": 0}


@pytest.fixture
def other(embedded: EmbeddedServer) -> Iterator[Any]:
    """Somebody else's connection."""
    with redis.Redis.from_url(embedded.url, protocol=2) as opened:
        yield opened


def once(when: Callable[[], bool], action: Callable[[], object]) -> Callable[[], bool]:
    """A ``should_stop`` that never is, and that acts once as soon as the condition holds."""
    done: list[bool] = []

    def should_stop() -> bool:
        if not done and when():
            done.append(True)
            action()
        return False

    return should_stop


def warnings_of(record: Any) -> dict[str, str]:
    return {warning.code: warning.message for warning in record.warnings}


def is_enqueueing(client: Any) -> bool:
    return int(client.info("commandstats").get("cmdstat_hset", {}).get("calls", 0)) > 200


def forget(client: Any) -> None:
    client.flushall()
    client.config_resetstat()


@pytest.mark.parametrize("fields", [OPEN, IDLE])
def test_a_flush_is_told_even_where_the_statistics_were_reset_after_it(
    embedded: EmbeddedServer, other: Any, fields: dict[str, object]
) -> None:
    stop = once(lambda: is_enqueueing(other), lambda: forget(other))
    record = run(embedded.url, fields, owns_server=False, should_stop=stop)
    assert record.verdict == "incomplete"
    assert "lost the data of the run's database" in warnings_of(record)["server_lost_data"]
    assert "statistics were reset" in warnings_of(record)["costs_unknown"]
    costs = record.resources
    assert costs.server_commands_per_task is None
    assert costs.server_bytes_per_task is None
    assert costs.server_memory_bytes_per_task is None
    assert costs.server_cpu_us_per_task is not None


def test_a_flush_of_another_database_is_nothing_to_a_run(
    embedded: EmbeddedServer, other: Any
) -> None:
    other.execute_command("SELECT", 5)
    stop = once(lambda: is_enqueueing(other), other.flushdb)
    record = run(embedded.url, OPEN, owns_server=False, should_stop=stop)
    assert "server_lost_data" not in warnings_of(record)
    assert record.counts.completed == record.counts.due == 1000
    assert record.resources.server_commands_per_task is not None


def test_ids_whose_tasks_were_deleted_are_lost_and_not_pending(
    embedded: EmbeddedServer, other: Any
) -> None:
    def delete_some() -> None:
        for key in other.scan_iter("asynq:t:*", count=500):
            other.delete(key)

    stop = once(lambda: other.llen(f"asynq:{QUEUE}:pending") > 300, delete_some)
    record = run(embedded.url, IDLE, owns_server=False, should_stop=stop)
    assert record.counts.lost >= 300
    assert record.counts.pending + record.counts.lost == record.counts.enqueued == 1000
    assert record.verdict == "lossy"


def test_ids_of_others_on_a_run_s_queue_are_counted(embedded: EmbeddedServer, other: Any) -> None:
    def push() -> None:
        other.lpush(f"asynq:{QUEUE}:pending", "theirs", b"\xff\xfe")

    stop = once(lambda: is_enqueueing(other), push)
    record = run(embedded.url, IDLE, owns_server=False, should_stop=stop)
    assert "2 ids that the run did not enqueue" in warnings_of(record)["other_tasks"]
    assert other.llen(f"asynq:{QUEUE}:pending") == 2  # theirs stay


def test_ids_of_others_that_have_no_task_are_told_where_a_worker_takes_them(
    embedded: EmbeddedServer, other: Any
) -> None:
    stop = once(
        lambda: is_enqueueing(other), lambda: other.rpush(f"asynq:{QUEUE}:pending", "a", "b")
    )
    record = run(embedded.url, {**OPEN, "workers": 1}, owns_server=False, should_stop=stop)
    assert "2 ids that the run did not enqueue" in warnings_of(record)["other_tasks"]
    assert record.counts.lost == 0


def test_another_client_that_takes_the_run_s_tasks_is_named(
    embedded: EmbeddedServer, other: Any
) -> None:
    other.client_setname("importer")

    def take() -> None:
        other.brpop(f"asynq:{QUEUE}:pending", 1)

    # Only that the statistics are read by a second connection: the last command must be the pop.
    with redis.Redis(port=embedded.port, protocol=2) as reader:
        slow = {**OPEN, "workers": 1, "prefetch": 1, "concurrency": 1, "service_time": "5ms"}
        stop = once(lambda: reader.llen(f"asynq:{QUEUE}:pending") > 20, take)
        record = run(embedded.url, {**slow, "tasks": 300}, owns_server=False, should_stop=stop)
    assert record.counts.lost == 1
    assert "(importer)" in warnings_of(record)["lost"]


def test_a_run_leaves_no_key_of_its_own_behind(embedded: EmbeddedServer, other: Any) -> None:
    record = run(embedded.url, OPEN, owns_server=False)
    assert record.counts.completed == 1000
    assert other.keys(f"*{run_text(int(record.id, 16))}*") == []
    assert other.dbsize() == 0


def test_takers_of_another_database_are_none_of_a_run_s(embedded: EmbeddedServer) -> None:
    with (
        redis.Redis(port=embedded.port, db=5, protocol=2) as elsewhere,
        redis.Redis(port=embedded.port, protocol=2) as here,
    ):
        for client in (elsewhere, here):
            client.client_setname("importer")
            client.rpop("a list")
        with open_client(embedded.url) as reader:
            assert [each.partition(" ")[2] for each in poppers(reader)] == ["(importer)"]


def test_a_run_that_fails_tells_what_it_could_not_remove(
    embedded: EmbeddedServer, other: Any
) -> None:
    with redis.Redis.from_url(embedded.url) as admin:
        rules = ("on", ">secret", "~*", "&*", "+@all", "-unlink", "-del")
        admin.execute_command("ACL", "SETUSER", "poor", *rules)

    def fail() -> None:
        raise MeasurementError("something went wrong")

    stop = once(lambda: is_enqueueing(other), fail)
    url = as_user(embedded.url, "poor", "secret")
    with pytest.raises(MeasurementError) as failed:
        run(url, IDLE, owns_server=False, should_stop=stop)
    assert other.dbsize() > 10
    message = with_notes(str(failed.value), failed.value)
    assert message.startswith("something went wrong; not everything that the run wrote could be")
    assert "'unlink' command" in message or "'del' command" in message
