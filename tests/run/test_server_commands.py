"""What is said of a server's commands, from its readings before and after a run."""

from dataclasses import replace
from typing import Any

import pytest

from bench.measure.server_commands import ServerCommands
from bench.redisio.command_latencies import CommandLatencies, SlowEntry
from bench.run.build_record import build_record
from tests.run.values import QUEUE, START_US, collected, scenario, usage

NOTHING = CommandLatencies()
BEFORE = usage(
    calls={"hset": 10, "lpush": 10, "info": 3},
    command_us={"hset": 20, "lpush": 10, "info": 500},
    latencies=CommandLatencies({"hset": {2: 10}, "lpush": {1: 10}}),
)
AFTER = usage(
    calls={"hset": 310, "lpush": 110, "info": 9, "exec": 4},
    command_us={"hset": 820, "lpush": 110, "info": 9_000, "exec": 77},
    latencies=CommandLatencies({"hset": {2: 300, 33: 310}, "lpush": {1: 110}}),
)


def found(**changes: Any) -> ServerCommands:
    run = collected(**{"usage_before": BEFORE, "usage_after": AFTER, **changes})
    commands = build_record(run).resources.server_commands
    assert commands is not None
    return commands


def slow(number: int, duration_us: int = 20_000, key: bytes = b"secret") -> SlowEntry:
    return SlowEntry(number, START_US // 1_000_000 + 3, duration_us, "lpush", [key])


def test_each_command_is_counted_per_task_and_the_harness_is_left_out() -> None:
    commands = found()
    hset, lpush = commands.commands
    assert (hset.command, hset.calls_per_task, hset.us_per_task) == ("hset", 3, 8)
    assert (hset.p50_at_most_us, hset.p99_at_most_us, hset.max_at_most_us) == (2, 33, 33)
    assert (lpush.command, lpush.us_per_task, lpush.p99_at_most_us) == ("lpush", 1, 1)
    assert (commands.us_per_task, commands.least_us_per_task) == (9, 9)
    assert (commands.latencies, commands.unknown) == ("of the run", "")


def test_what_scripts_call_is_in_their_time_too_so_only_bounds_are_known() -> None:
    after = replace(
        AFTER,
        calls={**AFTER.calls, "evalsha": 100},
        command_us={**AFTER.command_us, "evalsha": 2_000},
    )
    asynq = scenario(layout="asynq", queues={QUEUE: 1})
    commands = found(chosen=asynq, usage_after=after)
    assert (commands.least_us_per_task, commands.us_per_task) == (20, 29)


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (None, "did not answer"),
        (replace(AFTER, run_id="b"), "restarted"),
        (replace(AFTER, calls={**AFTER.calls, "hset": 9}), "statistics were reset"),
        (replace(AFTER, calls={**AFTER.calls, "config|resetstat": 1}), "statistics were reset"),
        (replace(AFTER, command_us={}), "does not show statistics"),
    ],
    ids=["silent", "restarted", "went back", "reset", "hidden"],
)
def test_counters_that_do_not_belong_together_give_no_figure(after: Any, reason: str) -> None:
    before = BEFORE if after is None or after.command_us else replace(BEFORE, calls={})
    commands = found(usage_before=before, usage_after=after)
    assert reason in commands.unknown
    assert (commands.us_per_task, commands.commands, commands.slow_count) == (None, [], None)


def test_a_server_without_histograms_gives_percentiles_since_its_start_and_says_so() -> None:
    reason = "the server does not know LATENCY HISTOGRAM"
    old = CommandLatencies(since_start={"hset": {"p50": 2.0, "p99": 9.0}}, unknown=reason)
    commands = found(usage_after=replace(AFTER, latencies=old))
    assert (commands.latencies, commands.latencies_unknown) == ("since the server's start", reason)
    assert commands.commands[0].p99_at_most_us == 9
    none = found(usage_after=replace(AFTER, latencies=CommandLatencies(unknown=reason)))
    assert (none.latencies, none.commands[0].p99_at_most_us) == ("", None)


def test_the_slow_log_is_that_of_the_run_without_arguments() -> None:
    key = f"asynq:{QUEUE}:pending".encode()
    entries = [slow(8, 50_000, key), slow(7), slow(6, 90_000)]
    before = replace(BEFORE, latencies=replace(BEFORE.latencies, slow=[slow(6, 90_000)]))
    after = replace(AFTER, latencies=replace(AFTER.latencies, slow=entries))
    commands = found(usage_before=before, usage_after=after)
    assert (commands.slow_count, commands.slow_is_least) == (2, False)
    assert [(each.of, each.duration_s, each.at_s) for each in commands.slow] == [
        (f"pending of {QUEUE}", 0.05, 3.0),
        ("", 0.02, 3.0),
    ]
    assert "secret" not in repr(commands)


def test_a_slow_log_that_was_emptied_or_overflowed_has_at_least_what_is_left() -> None:
    before = replace(BEFORE, latencies=replace(BEFORE.latencies, slow=[slow(6)]))
    after = replace(AFTER, latencies=replace(AFTER.latencies, slow=[slow(12)]))
    commands = found(usage_before=before, usage_after=after)
    assert (commands.slow_count, commands.slow_is_least) == (1, True)


def test_a_slow_log_that_may_not_be_read_is_not_taken_for_an_empty_one() -> None:
    after = replace(AFTER, latencies=replace(AFTER.latencies, slow_unknown="forbidden"))
    commands = found(usage_after=after)
    assert (commands.slow_count, commands.slow_unknown) == (None, "forbidden")
