"""Locust runs from outside: what was sent is what is counted, and how they end."""

import os
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from bench.layouts.runqy.layout import RUNQY
from bench.records.run_record import RunRecord
from bench.redisio import embedded
from bench.redisio.embedded import EmbeddedServer
from bench.wire.ids import parse_id
from tests.locust.conftest import LocustProcess, Start
from tests.waiting import await_that

pytestmark = pytest.mark.slow

HEADLESS = ("--headless", "--only-summary", "--record", "record.json")
QUEUES = ("inference_high", "inference_default", "inference_low")
WRONG = "sesame-open"


def ids_in_redis(url: str) -> dict[str, list[str]]:
    """Ids of all tasks that have a hash, by the queue that it names."""
    with closing(redis.Redis.from_url(url, decode_responses=True)) as opened:
        client: Any = opened
        found: dict[str, list[str]] = {queue: [] for queue in QUEUES}
        for key in client.scan_iter("asynq:t:*", count=1000):
            found[client.hget(key, "queue")].append(key.removeprefix("asynq:t:"))
    return found


def require_that_redis_agrees(record: RunRecord, url: str, processes: int) -> None:
    """Every id once, in the queue that the record counts it for, from so many processes."""
    found = ids_in_redis(url)
    for queue, ids in found.items():
        counts = record.queues[queue]
        assert len(ids) == len(set(ids)) == counts.enqueued == counts.due
    parsed = [parse_id(each) for ids in found.values() for each in ids]
    assert all(each is not None for each in parsed)
    assert len({each.producer for each in parsed if each is not None}) == processes
    assert record.scenario.producers == processes


def table(printed: str) -> dict[tuple[str, str], list[str]]:
    """Locust's table of requests: (type, name) to the row's words."""
    rows = [line.split() for line in printed.splitlines() if " inference_" in line]
    return {(row[0], row[1]): row for row in rows if "(" in row[3]}


def on_processes(count: int, port: int) -> list[str]:
    """Words for Locust to fork so many workers, which meet their master on a port of their own."""
    if count == 1:
        return []
    ports = ["--master-bind-port", str(port), "--master-port", str(port)]
    return ["--processes", str(count), "--master-bind-host", "127.0.0.1", *ports]


LOOPS = {"open": ("--rate", "1500/s"), "closed": ("--pipeline", "32", "--max-backlog", "500")}


@pytest.mark.parametrize(("processes", "loop"), [(1, "closed"), (2, "open")])
def test_what_was_sent_is_what_is_counted(
    start: Start, embedded: EmbeddedServer, free_port: int, loop: str, processes: int
) -> None:
    """Local and with --processes, with tasks that finish late; the ids in Redis are the proof."""
    words = ["-u", "6", "-r", "6", "-t", "1s", "--keep", "--start-worker", "--service-time", "1ms"]
    words += ["--concurrency", "4", *LOOPS[loop], "--redis-url", embedded.url]
    words += on_processes(processes, free_port)
    process = start(*HEADLESS, *words)
    finished = process.finish()
    record = process.record()
    assert finished.code in (0, 4), finished.err
    assert record.counts.completed == record.counts.enqueued == record.counts.due > 0
    assert record.latency["e2e"]["all"].count <= record.counts.completed
    assert record.verdict in ("valid", "unstable", "generator_limited"), record.warnings
    require_that_redis_agrees(record, embedded.url, processes)
    for queue in QUEUES:  # Locust's own table has them all, too
        rows = {kind: row for (kind, name), row in table(finished.err).items() if name == queue}
        assert {kind: int(row[2]) for kind, row in rows.items()} == {
            "enqueue": record.queues[queue].enqueued,
            "e2e": record.queues[queue].completed,
        }


def cluster(
    start: Start, port: int, master: tuple[str, ...], worker: tuple[str, ...] = ()
) -> tuple[LocustProcess, list[LocustProcess]]:
    """A master and two workers."""
    where = ("--master-bind-host", "127.0.0.1", "--master-bind-port", str(port))
    leader = start(*HEADLESS, "--master", "--expect-workers", "2", *where, *master)
    reach = ("--master-host", "127.0.0.1", "--master-port", str(port))
    return leader, [start("--worker", *reach, *worker) for _ in range(2)]


def test_a_master_counts_what_its_workers_sent(
    start: Start, embedded: EmbeddedServer, free_port: int
) -> None:
    """With a stop time-out, and with workers that do not know the server but from the master."""
    master = ("-u", "6", "-r", "6", "-t", "1s", "-s", "2", "--keep", "--start-worker")
    url = ("--redis-url", embedded.url, "--rate", "1000/s")
    leader, workers = cluster(start, free_port, master + url)
    finished = leader.finish()
    record = leader.record()
    assert finished.code in (0, 4), finished.err
    assert record.counts.due == record.counts.completed == 1000
    require_that_redis_agrees(record, embedded.url, 2)
    assert [worker.finish().code for worker in workers] == [0, 0]


def test_a_worker_that_dies_makes_the_run_incomplete_and_is_named(
    start: Start, embedded: EmbeddedServer, free_port: int
) -> None:
    master = ("-u", "4", "-r", "4", "-t", "5s", "--enqueue-only", "--redis-url", embedded.url)
    leader, workers = cluster(start, free_port, (*master, "--rate", "200/s", "--keep"))
    with closing(redis.Redis.from_url(embedded.url)) as opened:
        client: Any = opened
        await_that(lambda: sum(client.llen(RUNQY.pending(queue)) for queue in QUEUES) > 100)
    os.kill(workers[1].process.pid, signal.SIGKILL)
    finished = leader.finish()
    record = leader.record()
    assert finished.code == 4
    assert record.verdict == "incomplete"
    assert any(
        each.code == "incomplete" and "went away before its final report" in each.message
        for each in record.warnings
    )
    assert record.counts.enqueued > 0


@pytest.mark.parametrize(("processes", "number"), [(1, signal.SIGTERM), (2, signal.SIGINT)])
def test_a_signal_leaves_the_record_so_far(
    start: Start,
    embedded: EmbeddedServer,
    free_port: int,
    number: signal.Signals,
    processes: int,
) -> None:
    """A run with a planned end is cut short: incomplete, and exit code 130."""
    words = ["-u", "4", "-r", "4", "-t", "60s", "--start-worker", "--redis-url", embedded.url]
    words += on_processes(processes, free_port)
    process = start(*HEADLESS, "--rate", "300/s", *words)
    with closing(redis.Redis.from_url(embedded.url)) as opened:
        client: Any = opened
        await_that(lambda: len(client.keys("asynq:t:*")) > 100)
        process.interrupt(number)
        finished = process.finish()
        assert finished.code == 130, finished.err
        record = process.record()
        assert record.verdict == "incomplete"
        assert record.counts.enqueued > 100
        assert record.counts.unknown == 0
        assert client.keys("asynq:*") == []  # what the run wrote is gone


def test_a_run_without_an_end_ends_when_it_is_told_to(
    start: Start, embedded: EmbeddedServer
) -> None:
    """Then an interrupt is no interruption."""
    words = ("-u", "2", "-r", "2", "--start-worker", "--redis-url", embedded.url)
    process = start(*HEADLESS, "--rate", "200/s", *words)
    with closing(redis.Redis.from_url(embedded.url)) as opened:
        client: Any = opened
        await_that(lambda: len(client.keys("asynq:t:*")) > 200)
    process.interrupt(signal.SIGINT)
    finished = process.finish()
    record = process.record()
    assert finished.code in (0, 4), finished.err
    assert record.verdict != "incomplete"
    assert record.counts.due == record.counts.completed > 200


def test_a_stall_shows_in_the_end_to_end_tail_and_pushes_nothing_twice(
    start: Start, embedded: EmbeddedServer
) -> None:
    """The server stands still for a second: few tasks are sent meanwhile, and all of them were
    due."""
    words = ("-u", "10", "-r", "10", "-t", "3s", "--rate", "500/s", "--keep", "--warmup", "0s")
    process = start(*HEADLESS, *words, "--start-worker", "--redis-url", embedded.url)
    with closing(redis.Redis.from_url(embedded.url)) as opened:
        client: Any = opened
        await_that(lambda: sum(1 for _ in client.scan_iter("asynq:t:*")) > 300)
        client.client_pause(1000)
    process.finish()
    record = process.record()
    e2e = record.latency["e2e"]["all"]
    assert record.counts.due == record.counts.completed == 1500
    assert record.counts.duplicated == record.counts.unknown == 0
    assert (e2e.p99_s or 0) > 0.8
    assert 0.9 < (e2e.max_s or 0) < 4
    require_that_redis_agrees(record, embedded.url, 1)


def test_a_server_that_goes_away_does_not_take_the_record_with_it(start: Start) -> None:
    """What was sent until then is accounted for, and the run says that it is not whole."""
    with embedded.running() as doomed, closing(redis.Redis.from_url(doomed.url)) as opened:
        client: Any = opened
        words = ("-u", "4", "-r", "4", "-t", "4s", "--enqueue-only", *LOOPS["open"])
        process = start(*HEADLESS, *words, "--redis-url", doomed.url)
        await_that(lambda: len(client.keys("asynq:t:*")) > 100)
        os.kill(doomed.pid, signal.SIGKILL)
        finished = process.finish()
    record = process.record()
    assert finished.code == 4, finished.err
    assert record.verdict == "incomplete"
    assert record.counts.enqueued > 100
    assert record.counts.due == (
        record.counts.enqueued + record.counts.unknown + record.counts.not_sent
    )


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ((), 2, "no server given"),
        (("--redis-url", "redis://127.0.0.1:1/0"), 6, "no server at redis://127.0.0.1:1/0"),
        (("--embedded", "--redis-url", "redis://127.0.0.1:1/0"), 2, "remove one of them"),
        (("--embedded",), 2, "can know of the server that this run starts for itself: name"),
        (("--embedded", "--pipeline", "5", "--arrivals", "poisson"), 2, "poisson"),
    ],
)
def test_a_broken_set_up_is_one_line_and_an_exit_code(
    start: Start, words: tuple[str, ...], code: int, message: str
) -> None:
    finished = start(*HEADLESS, "-u", "1", "-t", "2s", *words).finish()
    ours = [line for line in finished.err.splitlines() if line.startswith("bench: ")]
    assert (finished.code, len(ours)) == (code, 1), finished.err
    assert message in ours[0]
    assert "Traceback" not in finished.err


@pytest.mark.parametrize(
    ("words", "variables", "message"),
    [
        (("--rate", ""), {}, "--rate is empty: give it a value, or remove it"),
        (("--slo", "", "--processes", "2"), {}, "--slo is empty"),
        (("--redis-url", ""), {}, "--redis-url (or BENCH_REDIS_URL) is empty"),
        ((), {"BENCH_REDIS_URL": ""}, "--redis-url (or BENCH_REDIS_URL) is empty"),
        (("--embedded",), {"LOCUST_HOST": ""}, "LOCUST_HOST is set, but empty"),
        (("--redis-url", "redis://h/prod"), {}, "names no database that can be read"),
        (("--redis-url", "redis://:sesame@h?protocol=3"), {}, "unknown option 'protocol'"),
        (("--embedded", "--start-worker", "1000"), {}, "--start-worker: 1000 is out of range"),
        (("--embedded", "--scenario", "none.json"), {}, "none.json: No such file"),
        (("--embedded", "--record", "\udcff"), {}, "is not UTF-8"),
    ],
)
def test_what_no_test_can_be_made_of_is_one_line_before_locust_begins(
    start: Start, words: tuple[str, ...], variables: dict[str, str], message: str
) -> None:
    finished = start(*HEADLESS, "-u", "1", "-t", "2s", *words, variables=variables).finish()
    assert (finished.code, finished.out, finished.err.count("\n")) == (2, "", 1), finished.err
    assert finished.err.startswith("bench: ")
    assert message in finished.err
    assert "sesame" not in finished.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rate", "abc"), ": error: argument --rate: 'abc' is not a rate"),
        (("--slo", "e2e.p99 < 50", "--headless"), "'50' has no unit"),
        (("--tasks", str(2**64)), "argument --tasks: 18446744073709551616 is out of range"),
        (("--queues", "a=b", "--processes", "2"), "--queues: the weight of 'a' is not a number"),
        (("--layout", "asynk", "--master"), "argument --layout: 'asynk' is not one of"),
        (("--worker", "--slo", "fast"), "argument --slo: 'fast' is not an objective"),
        (("--trace", "absent.csv", "--embedded"), "bench: trace absent.csv: No such file"),
        (("--autostart",), "bench: no server given"),
    ],
)
def test_a_wrong_option_ends_locust_also_where_it_would_show_its_page(
    start: Start, free_port: int, words: tuple[str, ...], message: str
) -> None:
    """As long as the page could not ask for what is missing; the port is not even opened."""
    where = ("--web-host", "127.0.0.1", "--web-port", str(free_port))
    shape = ",shapes/trace.py" if "--trace" in words else ""
    finished = start(*where, *words, locustfile=f"runqy.py{shape}").finish()
    assert (finished.code, finished.out, finished.err.count("\n")) == (2, "", 1), finished.err
    assert message in finished.err


def test_a_wrong_password_is_told_without_it(start: Start, embedded: EmbeddedServer) -> None:
    with closing(redis.Redis.from_url(embedded.url)) as opened:
        client: Any = opened
        client.config_set("requirepass", "right")
        url = f"redis://:{WRONG}@127.0.0.1:{embedded.port}/0"
        finished = start(*HEADLESS, "-u", "1", "-t", "2s", "--redis-url", url).finish()
    assert finished.code == 6
    assert "refuses the user name or password" in finished.err
    assert WRONG not in finished.err + finished.out


def test_no_completions_at_all_are_a_failure(start: Start, embedded: EmbeddedServer) -> None:
    words = ("-u", "2", "-r", "2", "-t", "3s", "--rate", "100/s", "--drain-timeout", "0.3s")
    process = start(*HEADLESS, *words, variables={"BENCH_REDIS_URL": embedded.url})
    finished = process.finish()
    assert finished.code == 4
    assert "start one with 'bench worker inference', or the test with" in finished.err
    assert "no_completions" in [each.code for each in process.record().warnings]


def test_an_objective_that_is_missed_is_exit_code_5(start: Start) -> None:
    words = ("-u", "2", "-r", "2", "-t", "1s", "--rate", "200/s", "--start-worker")
    process = start(*HEADLESS, "--embedded", *words, "--slo", "e2e.max < 1us; lost == 0")
    finished = process.finish()
    record = process.record()
    assert [each.passed for each in record.slo] == [False, True]
    assert finished.code == (5 if record.verdict == "valid" else 4)


def test_an_application_enqueues_asks_and_waits(start: Start) -> None:
    """Each kind of call is a row, and what it enqueued is in the record's ledger."""
    words = ("-u", "5", "-r", "5", "-t", "2s", "--start-worker", "--store-results", "true")
    process = start(*HEADLESS, "--embedded", *words, locustfile="application.py")
    finished = process.finish()
    record = process.record()
    assert record.counts.completed == record.counts.due > 50
    rows = table(finished.err)
    assert {kind for kind, _ in rows} == {"enqueue", "e2e", "status", "result"}
    assert {row[3] for row in rows.values()} == {"0(0.00%)"}


def test_a_shape_gives_the_schedule(start: Start) -> None:
    """A spike of 600/s over 2 s: 0.4 and 0.5 of it at a fifth, a tenth at the peak."""
    words = ("--shape-duration", "2s", "--rate", "600/s", "--enqueue-only", "--embedded")
    process = start(*HEADLESS, *words, locustfile="runqy.py,shapes/spike.py")
    process.finish()
    record = process.record()
    assert [stage.duration_s for stage in record.scenario.stages] == pytest.approx([0.8, 0.2, 1.0])
    assert record.counts.due == record.counts.enqueued == round(2 * 600 * (0.9 * 0.2 + 0.1))


def test_locusts_own_outputs_work_beside_ours(start: Start, tmp_path: Any) -> None:
    words = ("-u", "2", "-r", "2", "-t", "2s", "--embedded", "--start-worker", "--rate", "300/s")
    process = start(*HEADLESS, *words, "--csv", "out", "--html", "out.html", "--json")
    finished = process.finish()
    assert finished.code in (0, 4), finished.err
    assert process.record().counts.due == 600
    assert "inference_high" in (tmp_path / "out.html").read_text()
    assert "enqueue,inference_high," in (tmp_path / "out_stats.csv").read_text()


@pytest.mark.parametrize(
    ("words", "number", "code", "last"),
    [
        ((), signal.SIGINT, 130, "bench: interrupted"),
        (
            ("--expect-workers-max-wait", "1"),
            None,
            4,
            "bench: 0 of 2 workers connected within 1.00 s: start the others, check that they "
            "reach the master's address and port, or raise --expect-workers-max-wait",
        ),
    ],
)
def test_a_master_that_waits_for_workers_in_vain_ends_with_one_line(
    start: Start, words: tuple[str, ...], number: signal.Signals | None, code: int, last: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    where = ("--master", "--master-bind-port", str(port), "--embedded", "--enqueue-only")
    process = start(*where, "--headless", "--expect-workers", "2", *words)
    if number is not None:
        await_that(lambda: handles_hangups(process.process.pid))
        process.interrupt(number)
    finished = process.finish()
    errors = [line for line in finished.err.splitlines() if "bench" in line or "Trace" in line]
    assert (finished.code, errors) == (code, [last])


def handles_hangups(pid: int) -> bool:
    """Whether a process handles SIGHUP, as ours does once it waits for workers."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) & 1)
