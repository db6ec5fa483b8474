"""What queues count themselves, and which workers say that they keep the counts."""

from typing import Any

from bench.layouts.asynq.layout import ASYNQ
from bench.layouts.runqy.layout import RUNQY
from bench.measure.endings import CountedEnds
from bench.redisio.end_counters import EndCounters
from bench.redisio.registrations import registered_rules

QUEUE, OTHER = "inference.default", "inference.low"


def test_counters_are_those_since_the_run_began(client: Any) -> None:
    client.set(f"asynq:{{{QUEUE}}}:processed", 40)
    counters = EndCounters(client, ASYNQ, [QUEUE, OTHER])
    client.incrby(f"asynq:{{{QUEUE}}}:processed", 7)
    client.incrby(f"asynq:{{{OTHER}}}:failed", 2)
    assert counters.gained() == {QUEUE: CountedEnds(7, 0), OTHER: CountedEnds(0, 2)}


def test_counters_that_went_back_have_gained_nothing_that_is_known(client: Any) -> None:
    client.set(f"asynq:{{{QUEUE}}}:processed", 40)
    counters = EndCounters(client, ASYNQ, [QUEUE, OTHER])
    client.delete(f"asynq:{{{QUEUE}}}:processed")
    assert counters.gained() == {OTHER: CountedEnds(0, 0)}


def test_a_layout_without_counters_has_none(client: Any) -> None:
    assert EndCounters(client, RUNQY, ["inference_default"]).gained() == {}


def register_asynq(client: Any, queue: str, key: str = "asynq:servers:{host:1:a}") -> None:
    """As asynq's server does: the member is the key of a message that names its queues."""
    client.zadd("asynq:servers", {key: 2_000_000_000})
    name = queue.encode()
    client.set(key, b"\x0a\x04host\x10\x01\x2a\x15\x0a" + bytes([len(name)]) + name + b"\x10\x01")


def register_runqy(client: Any, queue: str, worker: str = "host:1") -> None:
    """As runqy-worker does: the member is the id of a heartbeat that names its queues."""
    client.zadd("asynq:workers", {worker: 2_000_000_000})
    client.hset(f"asynq:workers:{worker}", "queues", f"map[{queue}:1]")


def test_who_keeps_the_counters_is_told_by_who_is_registered_for_the_queues(client: Any) -> None:
    assert registered_rules(client, ASYNQ, [QUEUE]).rules == frozenset()
    register_asynq(client, OTHER)
    assert registered_rules(client, ASYNQ, [QUEUE]).rules == frozenset()
    register_runqy(client, QUEUE)
    assert registered_rules(client, ASYNQ, [QUEUE]).rules == {"tasks"}
    register_asynq(client, QUEUE, "asynq:servers:{host:2:b}")
    assert registered_rules(client, ASYNQ, [QUEUE]).rules == {"tasks", "attempts"}


def test_a_queue_whose_name_is_part_of_another_s_is_not_served_by_it(client: Any) -> None:
    register_runqy(client, f"{QUEUE}.more")
    register_asynq(client, f"more.{QUEUE}")
    assert registered_rules(client, ASYNQ, [QUEUE]).rules == frozenset()


def test_members_that_are_no_text_are_workers_that_are_gone(client: Any) -> None:
    client.zadd("asynq:workers", {b"\xff\xfe": 1})
    assert registered_rules(client, ASYNQ, [QUEUE]).rules == frozenset()


def test_a_worker_that_is_gone_keeps_nothing(client: Any) -> None:
    """Its entry in the set stays for a while, its heartbeat does not."""
    register_runqy(client, QUEUE)
    client.delete("asynq:workers:host:1")
    assert registered_rules(client, ASYNQ, [QUEUE]).rules == frozenset()
