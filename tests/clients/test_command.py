"""``bench clients`` in process: what it prints and saves, and what it ends in."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from bench.clients import build, processes
from bench.clients.build import Program
from bench.clients.catalogue import BY_NAME, CLIENTS, Client
from bench.records import clients_record
from bench.redisio import embedded
from tests.cli.conftest import Bench, Outcome, interrupted
from tests.clients.conftest import require

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("built")]

FEW = ("clients", "--tasks", "120", "--repeat", "2", "-o", "record.json")
PYTHON = ("--only", "python-seed", "--only", "python-pipelined", "--only", "bench")
PENDING = "asynq:inference_default:pending"
Snapshot = dict[bytes, bytes | None]


def read(outcome: Outcome) -> dict[str, dict[str, object]]:
    """What ``--json`` printed of each client."""
    record = json.loads(outcome.out)
    assert record["format"] == "runqy-bench-clients/1"
    return {each["name"]: each for each in record["clients"]}


def test_every_client_that_can_run_is_right_and_the_others_say_why_not(
    bench: Bench, shared: redis.Redis
) -> None:
    """On a server of others, where nothing is left and nothing else is touched."""
    before = snapshot(shared)
    outcome = bench(*FEW, "--json")
    assert snapshot(shared) == before
    assert (outcome.code, outcome.err) == (0, "")
    rows = read(outcome)
    assert list(rows) == [client.name for client in CLIENTS]
    for client in CLIENTS:
        row = rows[client.name]
        assert ("figures" in row) != ("skipped" in row)
        assert "failed" not in row
    assert "run with --layout asynq" in str(rows["go-asynq"]["skipped"])
    assert json.loads(Path("record.json").read_text()) == json.loads(outcome.out)


def test_the_figures_fit_each_other(bench: Bench) -> None:
    bench(*FEW, *PYTHON, "--quiet")
    record = clients_record.load(Path("record.json"))
    assert [row.name for row in record.clients] == ["python-seed", "python-pipelined", "bench"]
    for row in record.clients:
        figures = row.figures
        assert figures is not None
        assert len(figures.repetitions) == 2
        assert figures.enqueue.count == 240
        assert figures.tasks_per_s_low <= figures.tasks_per_s <= figures.tasks_per_s_high
        rates = [120 / each.elapsed_s for each in figures.repetitions]
        assert figures.tasks_per_s_high == max(rates)
        assert figures.client_cpu_us_per_task > 0
        assert (figures.server_cpu_us_per_task or 0) > 0


def test_on_asynqs_layout_its_own_client_and_ours_are_run_and_no_other(bench: Bench) -> None:
    require(BY_NAME["go-asynq"])
    outcome = bench(*FEW, "--layout", "asynq", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    rows = read(outcome)
    assert [name for name, row in rows.items() if "figures" in row] == [
        *("go-asynq", "bench-asynq"),
    ]
    assert "run with --layout runqy" in str(rows["bench"]["skipped"])


def test_the_table_the_record_and_the_picture(bench: Bench) -> None:
    outcome = bench(*FEW, *PYTHON, "--images", "pictures")
    assert outcome.code == 0
    assert outcome.err.splitlines()[:3] == [
        "python-seed, 1 of 2",
        "python-pipelined, 1 of 2",
        "bench, 1 of 2",
    ]
    assert outcome.err.splitlines()[3] == "python-pipelined, 2 of 2", "each time another is first"
    for part in ("tasks/s", "python-seed", "closed loop", "record: record.json", "pictures: pict"):
        assert part in outcome.out
    pictures = {path.name: path.read_bytes()[:4] for path in Path("pictures").iterdir()}
    assert set(pictures) == {"clients-1-clients.svg", "clients-1-clients.png"}
    assert pictures["clients-1-clients.png"] == b"\x89PNG"
    again = bench("report", "record.json")
    assert (again.code, again.err) == (0, "")
    assert again.out == outcome.out.replace("pictures: pictures\n", "")
    assert bench("report", "record.json", "--html", "page.html").code == 0
    assert "python-seed" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--only", "pyhton-seed"], "--only pyhton-seed: no such client: did you mean 'python-s"),
        (
            ["--layout", "asynk"],
            "--layout: 'asynk' is not one of runqy, asynq, runqy-server: did you mean",
        ),
        (["--tasks", "0"], "--tasks must be from 1 to 10000000, not 0"),
        (["--repeat", "0"], "--repeat must be from 1 to 1000, not 0"),
        (["--queue", "a b"], "--queue: 'a b' is not a queue name"),
        (["--queue", "a'b"], '--queue: "a\'b" is no queue name that every client can write'),
        (["--queue", ""], "--queue is empty"),
        (["--server-binary", "no-such-server"], "--server-binary no-such-server: no such program"),
        (["--redis-url", "redis://127.0.0.1:1/0", "--server-binary", "x"], "remove one of them"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(bench: Bench, words: list[str], part: str) -> None:
    outcome = bench("clients", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert part in outcome.err


def test_without_a_server_the_exit_code_is_6(bench: Bench) -> None:
    outcome = bench("clients", "--redis-url", "redis://127.0.0.1:1/0")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (6, "", 1)
    assert "no server at redis://127.0.0.1:1/0" in outcome.err


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """The server of ``BENCH_REDIS_URL``, with keys of other people."""
    with embedded.running() as running, redis.Redis.from_url(running.url) as client:
        monkeypatch.setenv("BENCH_REDIS_URL", running.url)
        client.set("others:text", "value")
        client.hset("asynq:t:theirs", "type", "task")
        client.lpush("asynq:theirs_default:pending", "theirs")
        yield client


def snapshot(client: redis.Redis) -> Snapshot:
    return {key: client.dump(key) for key in client.scan_iter()}


def test_asynqs_queue_is_forgotten_on_a_server_of_others(bench: Bench, shared: redis.Redis) -> None:
    require(BY_NAME["go-asynq"])
    before = snapshot(shared)
    assert bench(*FEW, "--layout", "asynq", "--quiet").code == 0
    assert snapshot(shared) == before


def test_a_queue_that_holds_tasks_is_refused_untouched(bench: Bench, shared: redis.Redis) -> None:
    shared.lpush(PENDING, "theirs")
    before = snapshot(shared)
    outcome = bench(*FEW)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"bench: {PENDING} already holds 1 tasks")
    assert snapshot(shared) == before


SEED = """
import json, os, sys, redis
from bench.clients import program
order = program.read_arguments()
client = redis.Redis.from_url(order.url)
def enqueue(numbers):
    for number in numbers:
        fields = {"type": "task", "payload": json.dumps({"input": f"hello {number}"}),
                  "retry": "0", "max_retry": "3", "queue": order.queue}
        CHANGE
        client.hset(f"asynq:t:id-{number}", mapping=fields)
        client.lpush(f"asynq:{order.queue}:pending", f"id-{number}")
program.write(program.measure("python-seed", order, enqueue))
"""
WRONG = {
    "another field": (
        'fields["retry"] = "1" if number == 7 else "0"',
        "task id-7: field 'retry': expected '0', found '1'",
    ),
    "a field more": ('fields["state"] = "x"', "task id-0: field 'state': expected none"),
    "dies": (
        'if number == 7: sys.exit("first\\nthe last word of " + order.url)',
        "it ended with exit code 1: first | the last word of redis://127.0.0.1:",
    ),
    "prints more": (
        'if number == 7: print("{}", flush=True)',
        "it printed 2 result lines instead of one",
    ),
    "a key that nobody lists": (
        'client.hset("asynq:t:stray", "a", "b")',
        "the server: expected 121 keys, found 122",
    ),
}


@pytest.fixture
def replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Put another program in the place of ``python-seed``."""
    prepare = build.prepare

    def replace(change: str) -> None:
        script = tmp_path / "program.py"
        script.write_text(SEED.replace("CHANGE", change))

        def instead(client: Client, notify: build.Notify) -> Program:
            if client.name == "python-seed":
                return Program((sys.executable, str(script)), "a test")
            return prepare(client, notify)

        monkeypatch.setattr(build, "prepare", instead)

    return replace


@pytest.mark.parametrize("name", WRONG)
def test_a_client_that_is_wrong_is_told_and_the_others_go_on(
    bench: Bench, replaced: Callable[[str], None], name: str
) -> None:
    change, said = WRONG[name]
    replaced(change)
    outcome = bench(*FEW, *PYTHON[:2], *PYTHON[-2:], "--json")
    assert outcome.code == 4
    rows = read(outcome)
    assert str(rows["python-seed"]["failed"]).startswith(said)
    assert "figures" not in rows["python-seed"]
    assert "figures" in rows["bench"]
    assert outcome.err.startswith(f"bench: python-seed: {said}")
    assert outcome.err.count("\n") == 1


def test_a_client_that_hangs_is_ended_and_told(
    bench: Bench, replaced: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_START_S", 1.0)
    monkeypatch.setattr(processes, "_SLOWEST_TASK_S", 0.0)
    replaced("import signal; signal.pause()")
    outcome = bench(*FEW, "--only", "python-seed", "--quiet")
    assert outcome.code == 4
    assert outcome.err == "bench: python-seed: it did not end in time, and was killed\n"
    assert "it did not end" in outcome.out, "quiet is only for when all is well"


def test_on_a_server_of_others_what_cannot_be_told_apart_is_left_and_told(
    bench: Bench, shared: redis.Redis, replaced: Callable[[str], None]
) -> None:
    replaced(WRONG["another field"][0])
    before = snapshot(shared)
    outcome = bench(*FEW, "--only", "python-seed", "--json")
    assert outcome.code == 4
    assert f"; ids that may belong to others were left in {PENDING}: 1" in outcome.err
    after = snapshot(shared)
    assert after.keys() - before.keys() == {b"asynq:t:id-7", PENDING.encode()}
    assert {key: after[key] for key in before} == before


def test_a_password_is_neither_printed_nor_saved(
    bench: Bench, shared: redis.Redis, replaced: Callable[[str], None]
) -> None:
    replaced(WRONG["dies"][0])
    password = "open-sesame"  # noqa: S105 - of a server that lives as long as this test
    shared.config_set("requirepass", password)
    port = shared.connection_pool.connection_kwargs["port"]
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    outcome = bench(*FEW, *PYTHON, "--redis-url", url)
    assert outcome.code == 4
    assert "the last word of redis://127.0.0.1:" in outcome.err
    assert "put the URL into BENCH_REDIS_URL instead" in outcome.err
    for text in (outcome.out, outcome.err, Path("record.json").read_text()):
        assert password not in text


def test_an_interrupted_run_saves_what_it_has_and_leaves_nothing(
    folder: Path, shared: redis.Redis
) -> None:
    before = snapshot(shared)
    words = ["clients", *PYTHON[:2], "--tasks", "100000", "-o", "record.json", "--json"]
    code, _ = interrupted(folder, words, lambda: shared.exists(PENDING) > 0)
    assert code == 130
    record = clients_record.load(folder / "record.json")
    assert not record.is_complete
    assert record.clients[0].skipped == "interrupted before it was done"
    orphans = {key for key in snapshot(shared) if key not in before}
    assert len(orphans) <= 1, "a task whose second command had not been sent"
    assert PENDING.encode() not in orphans
