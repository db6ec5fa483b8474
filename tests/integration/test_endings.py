"""How tasks ended, as the record says and as the worker itself counted, in a table of cases.

Either both agree to the task, or the worker's count lies within the bounds that the record states.
"""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.measure.ledger import Counts
from bench.records.run_record import RunRecord
from bench.redisio.embedded import EmbeddedServer
from tests.integration.conftest import run
from tests.peers.build import asynq_peer
from tests.peers.runqy_worker import read_log

pytestmark = pytest.mark.slow

WORKER = Path(__file__).parents[1] / "peers" / "runqy_worker.py"
QUEUE = "inference.default"
TASKS = 80
FAST = (
    *("--poll", "0.05", "--forward-every", "0.05", "--lease", "0.4", "--recover-every", "0.1"),
    *("--recover-slack", "0.1", "--recover-delay", "0.1"),
)


@dataclass(frozen=True)
class Own:
    """What the worker counted itself."""

    succeeded: int
    failed: int


def require_agreement(counts: Counts, own: Own, *, is_exact: bool) -> None:
    """The worker's counts are the record's, or lie within its bounds."""
    assert counts.completed <= own.succeeded <= counts.completed + counts.outcome_unknown
    assert counts.failed <= own.failed <= counts.failed + counts.outcome_unknown
    assert (counts.outcome_unknown == 0) == is_exact


def run_with(embedded: EmbeddedServer, command: Sequence[str], **fields: object) -> RunRecord:
    return run(
        embedded.url,
        {
            "layout": "asynq",
            "queues": {QUEUE: 1},
            "rate": 400,
            "tasks": TASKS,
            "worker_command": shlex.join(command),
            **fields,
        },
    )


BOTH, ON, OFF = ("on", "off"), ("on",), ("off",)
CASES: list[tuple[str, Sequence[str], list[str], dict[str, object]]] = [
    ("all-succeed", BOTH, [], {}),
    ("failures-for-good", BOTH, ["--fail-every", "10"], {}),
    ("retries", BOTH, ["--retry-every", "7"], {}),
    ("retries-exhausted", BOTH, ["--retry-every", "7", "--fail-attempts", "2"], {"max_retry": 1}),
    ("pending-time-out", BOTH, ["--pending-timeout", "0.15", "--work", "0.01"], {}),
    ("killed-while-active", BOTH, ["--supervised", "--kill-active", "20"], {}),
    ("killed-without-retries", BOTH, ["--supervised", "--kill-active", "20"], {"max_retry": 0}),
    ("died-before-it-counted", BOTH, ["--supervised", "--die-after-end", "20"], {}),
    ("expired", ON, ["--fail-every", "10", "--ttl", "0.1", "--ttl-archived", "0.1"], {}),
    ("closed-loop", OFF, ["--fail-every", "9", "--retry-every", "5"], {"rate": "max"}),
    ("activate-reply-lost", OFF, ["--lose-activate-every", "20"], {}),
    ("told-what-is-counted", OFF, ["--fail-every", "10"], {"counters": "tasks"}),
]


@pytest.mark.parametrize(
    ("storage", "words", "fields"),
    [
        pytest.param(storage, words, fields, id=f"{name}-{storage}")
        for name, storages, words, fields in CASES
        for storage in storages
    ],
)
def test_a_runqy_worker_s_own_count_is_the_record_s(
    embedded: EmbeddedServer,
    tmp_path: Path,
    storage: str,
    words: list[str],
    fields: dict[str, object],
) -> None:
    summary = tmp_path / "summary.json"
    command = (sys.executable, str(WORKER), str(summary), f"{QUEUE}=1", "--storage", storage)
    record = run_with(embedded, [*command, *FAST, *words], **fields)
    own = read_log(Path(f"{summary}.log"))
    is_exact = not ("--die-after-end" in words and storage == "off")
    require_agreement(record.counts, Own(own["succeeded"], own["failed"]), is_exact=is_exact)
    assert record.counts.ended == TASKS
    assert record.counts.lost == 0
    assert record.verdict not in ("incomplete", "lossy"), record.warnings


@pytest.mark.parametrize("storage", ["on", "off"])
def test_a_task_whose_worker_died_between_taking_and_marking_it_is_lost(
    embedded: EmbeddedServer, tmp_path: Path, storage: str
) -> None:
    summary = tmp_path / "summary.json"
    command = (sys.executable, str(WORKER), str(summary), f"{QUEUE}=1", "--storage", storage)
    kill = ("--supervised", "--kill-between", "20")
    # Few tasks: the drain lasts its whole time, and the worker has to begin again within it.
    record = run_with(embedded, [*command, *FAST, *kill], tasks=30, drain_timeout="5s")
    own = read_log(Path(f"{summary}.log"))
    assert record.counts.lost == 1
    messages = {each.code: each.message for each in record.warnings}
    assert (
        "that no list holds (states in the task hashes: pending 1)" in messages["drain_timed_out"]
    )
    assert "1 enqueued task disappeared" in messages["lost"]
    require_agreement(record.counts, Own(own["succeeded"], own["failed"]), is_exact=True)


def test_a_drain_that_is_too_short_for_a_lease_says_until_when_it_lasts(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    """The task is neither lost nor unknown: its worker died, and nobody may take it yet."""
    summary = tmp_path / "summary.json"
    command = (sys.executable, str(WORKER), str(summary), f"{QUEUE}=1", "--poll", "0.05")
    kill = ("--supervised", "--kill-active", "20", "--lease", "60")
    record = run_with(embedded, [*command, *kill], drain_timeout="6s")
    assert (record.counts.active, record.counts.lost, record.counts.outcome_unknown) == (1, 0, 0)
    assert record.counts.completed == TASKS - 1
    (message,) = [each.message for each in record.warnings if each.code == "drain_timed_out"]
    assert "when the drain timed out, 1 task is leased until" in message
    assert 180 < int(message.split("--drain-timeout to ")[1].partition("s")[0]) < 220


def test_a_task_that_ran_again_after_its_lease_is_counted(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.json"
    command = (sys.executable, str(WORKER), str(summary), f"{QUEUE}=1", "--storage", "on")
    kill = ("--supervised", "--kill-active", "20", "--lease", "0.3", "--recover-slack", "4")
    record = run_with(embedded, [*command, *FAST[:4], *kill, *FAST[6:8], *FAST[10:]])
    assert record.observation is not None
    assert (record.observation.leases_expired, record.observation.ended_after_lease) == (1, 1)
    assert record.counts.completed == TASKS


def test_without_counters_what_is_gone_stays_unknown(
    embedded: EmbeddedServer, tmp_path: Path
) -> None:
    summary = tmp_path / "summary.json"
    command = (sys.executable, str(WORKER), str(summary), f"{QUEUE}=1", *FAST)
    record = run_with(
        embedded,
        [*command, "--fail-every", "10"],
        counters="none",
        slo=["failed == 0", "completed <= 80"],
    )
    own = read_log(Path(f"{summary}.log"))
    require_agreement(record.counts, Own(own["succeeded"], own["failed"]), is_exact=False)
    assert record.counts.outcome_unknown == TASKS
    assert [each.passed for each in record.slo] == [False, True]
    (message,) = [each.message for each in record.warnings if each.code == "outcome_unknown"]
    assert "at least 0 and at most 80 completed" in message


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        pytest.param([], {}, id="all-succeed"),
        pytest.param(["-fail-every", "10"], {}, id="failures-for-good"),
        pytest.param(["-retry-every", "7"], {}, id="retries"),
        pytest.param(
            ["-retry-every", "7", "-fail-attempts", "2"], {"max_retry": 1}, id="retries-exhausted"
        ),
        pytest.param(["-fail-every", "10"], {"counters": "attempts"}, id="told-what-is-counted"),
        pytest.param(
            ["-fail-every", "1"], {"tasks": 10_100, "rate": "max"}, id="more-than-an-archive-holds"
        ),
    ],
)
def test_an_asynq_server_s_own_count_is_the_record_s(
    embedded: EmbeddedServer, tmp_path: Path, words: list[str], fields: dict[str, object]
) -> None:
    summary = tmp_path / "summary.json"
    serve = shlex.join([str(asynq_peer()), "serve", "-queues", f"{QUEUE}=1", *words])
    command = ("env", "BENCH_REDIS_ADDR={host}:{port}", "sh", "-c", f"exec {serve} > {summary}")
    record = run_with(embedded, command, **fields)
    own = json.loads(summary.read_text())
    require_agreement(record.counts, Own(own["succeeded"], own["failed"]), is_exact=True)
    assert record.counts.retried == own["retried"]
    assert record.counts.ended == record.counts.enqueued
