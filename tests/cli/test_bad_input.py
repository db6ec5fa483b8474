"""Bad input ends in one clear line and exit code 2, before anything is sent or started."""

import os
import select
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.processes import start
from bench.records import run_record
from tests.cli.conftest import Bench
from tests.records.fixtures import example_record

FILES = {
    "no-toml.toml": b'rate = "5/s"\nduration == 3\n',
    "no-text.toml": b'name = "\xff"\n',
    "field.toml": b'queuess = { inference_high = 1 }\nrate = "5/s"\nduration = "1s"\n',
    "weight.toml": b'queues = { inference_high = 0 }\nrate = "5/s"\nduration = "1s"\n',
    "lines.jsonl": b'{"input": 1}\n{"input": \n',
    "a-file": b"",
}


@pytest.fixture(autouse=True)
def files(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "a-folder.toml").mkdir()


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server, producer or worker is started: that would end the test."""

    class Refused(subprocess.Popen[bytes]):
        """A class, as modules that are loaded meanwhile name it in their annotations."""

        def __init__(self, *_: object, **__: object) -> None:
            self.returncode = 0  # it is asked for this as it goes
            pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "Popen", Refused)
    monkeypatch.setattr(start, "GuardedProcess", Refused)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Takes note of whoever connects, and answers nobody."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening


def has_visitor(listener: socket.socket) -> bool:
    return bool(select.select([listener], [], [], 0)[0])


def test_the_tripwires_work(
    bench: Bench, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(pytest.fail.Exception, match="a process was started"):
        bench("run", "smoke")
    assert not has_visitor(listener)
    with socket.create_connection(listener.getsockname()):
        assert has_visitor(listener)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        # What the command line itself does not know.
        (["rn"], ["'rn'", "did you mean 'run'?"]),
        (["run", "--nope"], ["--nope", "did you mean '--otlp'?"]),
        (["run", "--rat", "5/s"], ["--rat", "did you mean '--rate'?"]),
        (["run", "--rate"], ["--rate needs a value: write for example --rate 5000/s"]),
        (["run", "--seed", "abc"], ["--seed: 'abc' is not a whole number"]),
        (["run", "smoke", "latency"], ["latency"]),
        # The scenario, by name and by file.
        (["run", "smok"], ["no scenario 'smok': did you mean 'smoke'?"]),
        (["run", "missing.toml"], ["missing.toml: No such file"]),
        (["run", "a-folder.toml"], ["a-folder.toml: Is a directory"]),
        (["run", "no-text.toml"], ["no-text.toml: not UTF-8 at byte 8"]),
        (["run", "no-toml.toml"], ["no-toml.toml: not TOML", "line 2"]),
        (["run", "field.toml"], ["field.toml: unknown field 'queuess': did you mean 'queues'?"]),
        (["run", "weight.toml"], ["weight.toml: queues: the weight of 'inference_high'", "not 0"]),
        (["scenarios", "smok"], ["no scenario 'smok': did you mean 'smoke'?"]),
        # Single fields.
        (["run", "--queues", "inference_high=0"], ["queues: ", "'inference_high'", "not 0"]),
        (["run", "--queues", "inference_high=-1"], ["queues: ", "'inference_high'", "not -1"]),
        (["run", "--queues", "inference_high=x"], ["queues: ", "'inference_high'", "'x'"]),
        (["run", "--queues", "high"], ["queues: 'high' is not a sub-queue", "PARENT_NAME"]),
        (["run", "--queues", "a_x,b_y"], ["queues: a and b are two parents"]),
        (["run", "--rate", "0"], ["rate: the rate must be above zero"]),
        (["run", "--rate", "fast"], ["rate: 'fast' is not a rate: write for example 5000/s"]),
        (["run", "--tasks", "0"], ["tasks: 0 is out of range"]),
        (["run", "--duration", "0s"], ["duration: it must be longer than zero"]),
        (["run", "--priority", "strikt"], ["priority: ", "did you mean 'strict'?"]),
        (["run", "--payload-file", "lines.jsonl"], ["payload_file lines.jsonl, line 2: not JSON"]),
        (["run", "--payload-file", "missing.jsonl"], ["payload_file missing.jsonl: No such file"]),
        # Objectives.
        (["run", "--slo", "e2e.p99"], ["slo: 'e2e.p99' is not an objective", "e2e.p99 < 50ms"]),
        (["run", "--slo", "e3e.p99 < 5ms"], ["slo: ", "'e3e.p99' is not measured", "e2e"]),
        (["run", "--slo", "e2e.p99 < soon"], ["slo: 'e2e.p99 < soon': 'soon' is not a duration"]),
        (
            ["run", "--slo", "e2e{inference_hihg}.p99 < 5ms"],
            ["slo: ", "no queue 'inference_hihg': did you mean 'inference_high'?"],
        ),
        # Where the record goes.
        (["run", "-o", "a-file/record.json"], ["cannot write a-file/record.json: Not a directory"]),
        (["run", "--output", "a-folder.toml"], ["cannot write a-folder.toml: it is a folder"]),
        # Records.
        (["report", "missing.json"], ["missing.json: No such file"]),
        (["report", "a-file"], ["a-file: not a run record"]),
        (["report", "lines.jsonl"], ["lines.jsonl: not a run record"]),
        (["export", "missing.json", "--csv"], ["missing.json: No such file"]),
        (["export", "a-file"], ["one of --csv, --parquet, --bmf, "]),
        (["export", "a-file", "--csv", "--hdr"], ["one of --csv, --parquet, --bmf, "]),
        (["clean", "a-file"], ["a-file: not a run record"]),
        # Single tasks.
        (["enqueue", "high", "{}"], ["'high' is not a sub-queue: write PARENT_NAME"]),
        (["enqueue", "inference_high", "{"], ["the payload is not JSON"]),
        (["enqueue", "inference_high", "[]"], ["the payload must be a JSON object"]),
        (["result", "some-id", "--timeout", "soon"], ["'soon' is not a duration"]),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("on", ["a server of its own", "a server that is there"])
def test_bad_input_is_one_line_that_names_the_place_and_nothing_is_sent(
    bench: Bench,
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    parts: list[str],
    on: str,
) -> None:
    if on == "a server that is there":
        port = listener.getsockname()[1]
        monkeypatch.setenv("BENCH_REDIS_URL", f"redis://127.0.0.1:{port}/0")
    outcome = bench(*words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith("bench: ")
    for part in parts:
        assert part in outcome.err
    assert not has_visitor(listener)


@pytest.mark.parametrize("start", ["--server-binary", "--server-config"])
@pytest.mark.parametrize("given", ["flag", "variable"])
def test_a_server_to_start_and_one_that_is_there_are_one_too_many(
    bench: Bench, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, given: str, start: str
) -> None:
    url = f"redis://127.0.0.1:{listener.getsockname()[1]}/0"
    words = ["run", "smoke", start, "redis-server"]
    if given == "flag":
        words += ["--redis-url", url]
    else:
        monkeypatch.setenv("BENCH_REDIS_URL", url)
    outcome = bench(*words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert start in outcome.err
    assert not has_visitor(listener)


def test_a_server_program_that_is_not_there_is_named(bench: Bench) -> None:
    outcome = bench("run", "smoke", "--server-binary", "no-such-server")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bench: --server-binary no-such-server: no such program")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1:6379", "redis://127.0.0.1:x/0"])
def test_a_url_that_is_none_is_refused(bench: Bench, url: str) -> None:
    outcome = bench("status", "some-id", "--redis-url", url)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "redis://" in outcome.err


@pytest.mark.parametrize("words", [["worker", "inference"], ["clean", "a-record"], ["verify"]])
def test_what_needs_a_server_never_takes_the_one_of_redis_url(
    bench: Bench, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    port = listener.getsockname()[1]
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")
    run_record.save(example_record(), Path("a-record"))
    outcome = bench(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "bench: no server given: use --redis-url, or set BENCH_REDIS_URL\n"
    assert not has_visitor(listener)


@pytest.mark.parametrize(
    "words",
    [["run", "smoke"], ["status", "x"], ["result", "x"], ["worker", "inference"], ["verify"]],
)
def test_no_server_is_one_line_and_exit_code_6(bench: Bench, words: list[str]) -> None:
    with socket.socket() as silent:  # bound, so that nobody else takes the port; not listening
        silent.bind(("127.0.0.1", 0))
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        outcome = bench(*words, "--redis-url", address)
    assert (outcome.code, outcome.out) == (6, "")
    assert outcome.err == (
        f"bench: no server at {address} (connection refused): start one, or check the URL\n"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["run", "smoke", "--restarts", "2"], "the record of all starts is saved after each"),
        (
            ["capacity", "--workers", "1", "--slo", "e2e.p99 < 1s"],
            "the search is saved after each trial",
        ),
    ],
    ids=["restarts", "capacity"],
)
@pytest.mark.parametrize("place", [os.devnull, "/dev/fd/1"])
def test_what_is_saved_several_times_needs_a_file(
    bench: Bench, words: list[str], why: str, place: str
) -> None:
    outcome = bench(*words, "-o", place)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"bench: {place} is no file on a disk, but {why}: name a file\n"


def test_a_job_whose_state_would_be_a_pipe_is_refused(bench: Bench) -> None:
    Path("job").mkdir()
    os.mkfifo("job/job.json")
    outcome = bench("ab", "smoke", "--b", "--prefetch 1", "-o", "job")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("bench: job/job.json is no file on a disk, but the job is saved")
