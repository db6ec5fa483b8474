"""Whose acknowledgement a task needs, as users write it."""

import pytest

from bench.errors import ScenarioError, UsageError
from bench.workload.acknowledgement import ACKNOWLEDGEMENT
from bench.workload.resolve import resolve

FIELDS = {"queues": {"a_b": 1}, "rate": "10/s", "duration": "20s"}


@pytest.mark.parametrize(
    ("written", "command", "kept"),
    [
        ("wait:1", ("WAIT", "1", "1000"), "wait:1,1000ms"),
        ("wait:2,100ms", ("WAIT", "2", "100"), "wait:2,100ms"),
        ("waitaof:1,0", ("WAITAOF", "1", "0", "1000"), "waitaof:1,0,1000ms"),
        ("waitaof:0,2,50ms", ("WAITAOF", "0", "2", "50"), "waitaof:0,2,50ms"),
    ],
)
def test_what_is_waited_for_is_read_and_written_back(
    written: str, command: tuple[str, ...], kept: str
) -> None:
    found = resolve({**FIELDS, "ack": written}).ack
    assert found is not None
    assert (found.command, ACKNOWLEDGEMENT.write(found)) == (command, kept)
    assert ACKNOWLEDGEMENT.read(kept) == found


@pytest.mark.parametrize(
    "written",
    [
        "",
        "wait",
        "wait:0",
        "wait:1,2",
        "wait:1,0ms",
        "wait:1,2m",
        "waitaof:1",
        "waitaof:2,0",
        "waitaof:0,0",
        "wait:-1",
    ],
)
def test_anything_else_is_refused_in_one_line(written: str) -> None:
    with pytest.raises(UsageError) as raised:
        ACKNOWLEDGEMENT.read(written)
    assert "\n" not in str(raised.value)


def test_only_frames_wait_for_it() -> None:
    with pytest.raises(ScenarioError, match="ack: only the producer frames waits for it"):
        resolve({**FIELDS, "ack": "wait:1", "producer": "redis-py"})


@pytest.mark.parametrize("objective", ["durable.p99 < 5ms", "not_replicated == 0"])
def test_an_objective_on_it_needs_it(objective: str) -> None:
    with pytest.raises(ScenarioError, match="set ack, as in --ack wait:1"):
        resolve({**FIELDS, "slo": [objective]})
    assert resolve({**FIELDS, "slo": [objective], "ack": "wait:1"}).slo == (objective,)
