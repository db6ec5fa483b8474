"""What reports say of where the latency went, and of the server's commands."""

from typing import Any

import msgspec
import pytest

from bench.measure.breakdown import LatencyBreakdown, PercentileBreakdown
from bench.measure.server_commands import CommandCost, ServerCommands, SlowCommand
from bench.records.run_record import ClockInfo, RunRecord
from bench.reports import breakdown_text
from bench.reports.html import run_page
from bench.reports.markdown.run import markdown
from bench.reports.run import render
from bench.run.build_record import build_record
from tests.run.values import collected

PARTS = {
    "schedule_lag": 0.000_02,
    "slot_wait": 0.0172,
    "blocked": 0.0001,
    "delivery": 0.0001,
    "service_time": 0.0006,
    "commands": 0.0001,
    "retries": 0.0,
}
P99 = PercentileBreakdown(
    percentile="p99", value_s=0.018, from_s=0.0174, to_s=0.019, tasks=212, parts_s=PARTS
)
COMMANDS = ServerCommands(
    us_per_task=9.0,
    least_us_per_task=9.0,
    commands=[
        CommandCost(command="hset", calls_per_task=3, us_per_task=8, p99_at_most_us=33),
        CommandCost(command="expire", calls_per_task=0.001, us_per_task=0.001),
    ],
    latencies="of the run",
    slow_count=0,
)


def record(commands: ServerCommands | None = COMMANDS, **changes: Any) -> RunRecord:
    made = build_record(collected())
    resources = msgspec.structs.replace(made.resources, server_commands=commands)
    fields = {"breakdown": LatencyBreakdown(percentiles=[P99]), "resources": resources, **changes}
    return msgspec.structs.replace(made, **fields)


def test_the_largest_part_comes_first_and_what_is_small_is_the_rest() -> None:
    assert breakdown_text.sentence(record()) == (
        "e2e p99 18.0 ms: 17.2 ms waiting for a slot, 600 µs of service time, 300 µs in the "
        "worker's round trips and code, 20 µs the rest (means of the 212 tasks from 17.4 ms to "
        "19.0 ms, together 18.1 ms); Redis itself took 9.0 µs per task on average"
    )


def test_an_error_of_the_clocks_that_matters_is_said() -> None:
    text = breakdown_text.sentence(record(clock=ClockInfo("server", 0.0005)))
    assert "together 18.1 ms, and the clocks differ by up to 500 µs)" in text


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"breakdown": None}, ""),
        (
            {"breakdown": LatencyBreakdown(unknown="workers of others do not tell")},
            "e2e cannot be split: workers of others do not tell",
        ),
        ({"commands": None}, "19.0 ms, together 18.1 ms)"),
        (
            {"commands": ServerCommands(unknown="it was restarted")},
            "; Redis's own part is not known: it was restarted",
        ),
        (
            {"commands": ServerCommands(us_per_task=12.34, least_us_per_task=9.1)},
            "; Redis itself took 9.1 to 12.3 µs per task on average",
        ),
    ],
    ids=["older record", "observed", "no commands", "restarted", "scripts"],
)
def test_what_is_not_known_is_said(changes: dict[str, Any], text: str) -> None:
    assert breakdown_text.sentence(record(**changes)).endswith(text)


def test_commands_and_the_slow_log_have_a_line_each() -> None:
    slow = SlowCommand(at_s=3.2, command="lrem", of="active of q", duration_s=0.012)
    noted = msgspec.structs.replace(COMMANDS, slow=[slow], slow_count=7, slow_is_least=True)
    assert [*breakdown_text.server_lines(record(noted))] == [
        "Redis by command, per task (p99 of a call): HSET 8.0 µs (≤ 33 µs), and 1 more",
        "slow log: at least 7 entries during the run, the slowest LREM on active of q, 12.0 ms, "
        "3 s after the start",
    ]


def test_a_server_that_does_not_tell_is_one_line_and_no_failure() -> None:
    old = msgspec.structs.replace(
        COMMANDS,
        latencies="",
        latencies_unknown="the server does not know LATENCY HISTOGRAM",
        slow_count=None,
        slow_unknown="the user may not send SLOWLOG GET",
    )
    first, second = breakdown_text.server_lines(record(old))
    assert first.endswith(
        "; the latencies of calls are not known: the server does not know LATENCY HISTOGRAM"
    )
    assert second == "slow log not read: the user may not send SLOWLOG GET"


def test_every_report_of_a_run_has_it() -> None:
    made = record()
    sentence = breakdown_text.sentence(made)
    assert sentence in markdown(made)
    assert sentence in [str(part) for part in render(made, None, 120)]
    view = run_page.section(made).view
    assert view["split"] == sentence
    assert breakdown_text.rows(made)[0][:4] == ["p99", "18.0 ms", "212", "20 µs"]
    assert "retries" not in breakdown_text.headings(made)
