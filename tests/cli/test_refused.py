"""What could pass for something else is refused by every command, before anything is written."""

import shutil
from pathlib import Path

import pytest
import redis

from bench.records import run_record
from tests.cli.conftest import Bench
from tests.records.fixtures import example_record

CAPACITY = Path(__file__).parents[1] / "records" / "data" / "capacity.json"
COMMANDS = [
    ["run", "smoke", "--quiet"],
    ["run", "enqueue-max", "--tasks", "5000"],
    ["worker", "inference"],
    ["clients", "--tasks", "10", "--repeat", "1"],
    ["enqueue", "inference_high", "{}"],
    ["status", "some-id"],
    ["result", "some-id"],
    ["clean", "record.json"],
    ["verify"],
    ["capacity", "--workers", "1", "--slo", "e2e.p99 < 1s", "--budget", "2m"],
    ["ab", "smoke", "--a", "--prefetch 1", "--b", "--prefetch 2", "--pairs", "1"],
]


@pytest.fixture(autouse=True)
def record() -> None:
    run_record.save(example_record(), Path("record.json"))


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.slow
def test_a_node_of_a_cluster_is_refused_and_keeps_nothing(
    bench: Bench, cluster_port: int, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", f"redis://127.0.0.1:{cluster_port}/0")
    outcome = bench(*words)
    assert (outcome.code, outcome.out) == (2, "")
    last = outcome.err.splitlines()[-1]
    assert last.startswith("bench: ")
    assert f"redis://127.0.0.1:{cluster_port}/0 is a node of a Redis Cluster" in last
    with redis.Redis(port=cluster_port) as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("", "BENCH_REDIS_URL is set, but empty: give it a value, or unset it"),
        ("redis://127.0.0.1:1/prod", "names no database that can be read"),
        ("redis://127.0.0.1:1/0?decode_responses=True", "unknown option 'decode_responses'"),
    ],
)
def test_a_variable_that_names_no_server_is_refused_by_every_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: list[str], url: str, part: str
) -> None:
    monkeypatch.setenv("BENCH_REDIS_URL", url)
    outcome = bench(*words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith("bench: ")
    assert part in outcome.err
    assert not Path("results").exists() or not any(Path("results").iterdir())


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["run", "smoke", "--slo", ""], "--slo"),
        (["run", "smoke", "--slo="], "--slo"),
        (["run", "smoke", "--redis-url", ""], "--redis-url"),
        (["run", "smoke", "--rate", ""], "--rate"),
        (["run", "smoke", "--server-binary", ""], "--server-binary"),
        (["run", "smoke", "-o", ""], "-o"),
        (["run", ""], "an argument"),
        (["compare", "record.json", "--", ""], "an argument"),
        (["compare", "record.json", "--", "record.json", "--margin", ""], "--margin"),
        (["compare", "record.json", "--", "record.json", "--gate", ""], "--gate"),
        (["clients", "--only", ""], "--only"),
        (["verify", "--queues", ""], "--queues"),
        (["history", ""], "an argument"),
        (["export", "record.json", "--csv", "--queue", ""], "--queue"),
        (["report", "record.json", "--html", ""], "--html"),
        (["plan", "record.json", "--rate", ""], "--rate"),
        (["capacity", "--workers", ""], "--workers"),
    ],
    ids=" ".join,
)
def test_an_empty_value_is_not_a_missing_one(bench: Bench, words: list[str], name: str) -> None:
    outcome = bench(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"bench: {name} is empty: give it a value, or remove it\n"


def test_an_arm_s_flags_may_not_be_empty_either(bench: Bench) -> None:
    outcome = bench("ab", "smoke", "--a", "--slo ''", "--b", "--prefetch 2")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "bench: arm A: --slo is empty: give it a value, or remove it\n"


def test_an_argument_that_a_record_could_not_hold_is_refused_before_measuring(
    bench: Bench,
) -> None:
    outcome = bench("run", "smoke", "--description", "\udcff")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == r"bench: '\udcff' is not UTF-8, as a record must be" + "\n"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["run", "smoke", "--slo", "e2e.p99 < 50"], "'50' has no unit: write 50ms or 50s"),
        (["run", "smoke", "--duration", "5"], "duration: '5' has no unit"),
        (["run", "smoke", "--warmup", "2"], "warmup: '2' has no unit"),
        (["run", "smoke", "--payload-size", "256"], "--payload-size: '256' has no unit"),
        (["run", "smoke", "--failure-rate", "5"], "--failure-rate: '5' has no unit: write 5%"),
        (["run", "smoke", "--seed", "18446744073709551616"], "seed: 18446744073709551616 is out"),
        (["run", "smoke", "--tasks", "18446744073709551616"], "tasks: 18446744073709551616 is"),
        (["run", "--rate", "max", "--max-backlog", "18446744073709551616"], "--max-backlog: 1844"),
        (["run", "smoke", "--tasks", "1.5"], "--tasks: '1.5' is not a whole number"),
        (["run", "smoke", "--seed", "0x10"], "--seed: '0x10' is not a whole number"),
        (["run", "smoke", "--tasks", "1,0"], "--tasks: '1,0' is not a whole number"),
        (["run", "smoke", "--tasks", "9" * 5000], "--tasks: '9999"),
        (["run", "smoke", "--warmup", "5s"], "warmup: 5.00 s of 5.00 s leave nothing to measure"),
        (["run", "smoke", "--workers", "0", "--slo", "e2e.p99 < 5ms"], "without workers no task"),
        (["ab", "smoke", "--b", "--prefetch 2", "--gate", "e2e{hi}.p99"], "no queue 'hi'"),
        (["ab", "smoke", "--workers", "0", "--b", "--pipeline 2", "--gate", "e2e.p99"], "--gate: "),
        (["run", "smoke", "--workers", "0", "--external-workers"], "external_workers: no worker"),
        (["run", "smoke", "--worker", "external"], "worker: no external worker can know of"),
        (["run", "smoke", "--rate", "0.000000001/s"], "a rate of 1e-09/s is out of range"),
        (["run", "smoke", "--service-time", "10000000000000s"], "--service-time: '100000"),
        (["run", "smoke", "--name", "a\x1b[2J"], "unprintable character '\\x1b'"),
        (["run", "smoke", "--restarts", "18446744073709551616"], "--restarts must be from 1 to"),
        (["compare", "record.json", "--", "record.json", "--margin", "5"], "--margin: '5' has no"),
        (["compare", "record.json", "--", "record.json", "--margin", "101%"], "it is over 100%"),
        (["compare", "record.json", "--", "record.json", "--margin", "1e308"], "'1e308' is not a"),
        (["compare", "record.json", "--", "record.json", "--allow", "sever"], "mean 'server'?"),
        (["ab", "smoke", "--b", "--prefetch 2", "--allow", "nothing"], "there are same, order,"),
        (
            ["run", "--distributed", "--expect-workers", "1", "--master-bind-host", "a b"],
            "--master-bind-host a b: the Locust master cannot listen at port 5557",
        ),
        (
            ["run", "--distributed", "--expect-workers", "1", "--master-bind-port", "0"],
            "--master-bind-port must be from 1 to 65535, not 0",
        ),
        (["plan", "record.json", "--rate", "5/s", "--keep", "2"], "--keep: '2' has no unit"),
        (["plan", "record.json", "--rate", "5/s", "--memory", "4"], "--memory: '4' has no unit"),
        (["plan", "record.json", "--rate", "5/s", "--headroom", "3"], "--headroom: '3' has no"),
        (["result", "some-id", "--timeout", "30"], "--timeout: '30' has no unit"),
        (["capacity", "--workers", "1,99999", "--slo", "e2e.p99 < 5ms"], "from 1 to 256"),
        (["capacity", "--slots", "1,501", "--slo", "e2e.p99 < 5ms"], "--slots must be from 1 to"),
        (["clients", "--only", ","], "--only names no client"),
        (["clients", "--queue", "a_\x07"], "--queue: "),
        (["verify", "--queues", "a_\x07"], "--queues: 'a_\\x07' is not a queue name"),
        (["enqueue", "a_\x07b", "{}"], "unprintable character '\\x07'"),
        (["enqueue", "a_b", "[" * 100_000], "nested too deeply"),
        (["worker", "a\x07"], "unprintable character '\\x07'"),
        (["worker", "inference", "--service-time", "2"], "--service-time: '2' has no unit"),
    ],
    ids=lambda value: " ".join(value)[:60] if isinstance(value, list) else None,
)
def test_what_could_be_meant_otherwise_is_one_line_and_exit_code_2(
    bench: Bench, words: list[str], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words[0] in ("worker", "verify"):
        monkeypatch.setenv("BENCH_REDIS_URL", "redis://127.0.0.1:1/0")
    if words[0] == "plan":
        shutil.copy(CAPACITY, "record.json")
    outcome = bench(*words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith("bench: ")
    assert part in outcome.err
