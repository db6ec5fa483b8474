"""What the server's log of commands says of a worker's tasks."""

import pytest

from bench.redisio.connection import open_client
from bench.redisio.embedded import EmbeddedServer
from bench.selftest.witness import SeenCommand, known_latencies, witnessed

_ID = "00000000-0000-8000-8000-000000000001"
_STAMPED = '{\\"due_us\\":1700000000000000,\\"sent_us\\":1700000000000100}'


def log(*entries: tuple[int, str, str]) -> list[SeenCommand]:
    """Commands at a time in µs after the due time, of a connection, with ID for the task's id."""
    return [
        SeenCommand(1.7e15 + time_us, address, text.replace("ID", _ID))
        for time_us, address, text in entries
    ]


def test_each_moment_of_a_task_lies_between_two_commands_of_its_worker() -> None:
    commands = log(
        (150, "p", f"HSET asynq:t:ID type task payload {_STAMPED} retry 0"),
        (160, "p", "LPUSH asynq:q:pending ID"),
        (50, "w", "BRPOP asynq:q:pending 2"),
        (400, "w", "HGETALL asynq:t:ID"),
        (500, "w", "LPUSH asynq:q:active ID"),
        (600, "w", "HSET asynq:t:ID state active"),
        (9000, "w", "LREM asynq:q:active 1 ID"),
        (9100, "w", "HSET asynq:t:ID state completed"),
        (9200, "other", "PING"),
        (9300, "w", "BRPOP asynq:q:pending 2"),
    )
    found = known_latencies(commands)
    bounds = {name: (each.low_s[0], each.high_s[0]) for name, each in found.items()}
    assert bounds["queue_wait"] == pytest.approx((60e-6, 300e-6))
    assert bounds["service"] == pytest.approx((8700e-6, 9140e-6))
    assert bounds["e2e"] == pytest.approx((9100e-6, 9300e-6))


def test_a_task_that_was_not_completed_has_no_latency() -> None:
    commands = log(
        (150, "p", f"HSET asynq:t:ID type task payload {_STAMPED} retry 0"),
        (400, "w", "HGETALL asynq:t:ID"),
    )
    assert all(len(each.low_s) == 0 for each in known_latencies(commands).values())
    assert all(len(each.low_s) == 0 for each in known_latencies([]).values())


def test_the_log_holds_what_was_executed_in_the_block_in_order(embedded: EmbeddedServer) -> None:
    client = open_client(embedded.url)
    client.set("before", "1")
    with witnessed(embedded.url) as commands:
        client.set("one", "1")
        client.lpush("two", "a", "b")
    client.set("after", "1")
    texts = [each.text for each in commands if not each.text.startswith(("CLIENT", "PING"))]
    assert texts == ["SET one 1", "LPUSH two a b"]
    assert commands[0].time_us <= commands[-1].time_us
    assert len({each.address for each in commands if each.text in texts}) == 1
