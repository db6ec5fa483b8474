"""``bench run`` starts the servers that its flags ask for, and refuses what does not fit."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from bench.records import run_record
from bench.redisio import own_topology
from bench.redisio.url import parse
from tests.cli.conftest import SHORT_RUN, Bench, expected_code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--topology", "sentinal"], "did you mean 'sentinel'?"),
        (["--replicas", "0"], "--replicas must be from 1 to 5, not 0"),
        (["--topology", "single", "--replicas", "1"], "--topology single has no replicas"),
        (["--replicas", "1", "--redis-url", "redis://h"], "but the Redis URL names one"),
        (["--topology", "sentinel", "--distributed"], "cannot be combined with --distributed"),
        (["--redis-url", "redis+sentinel://127.0.0.1:1"], "names no master that can be read"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(
    bench: Bench, words: list[str], message: str
) -> None:
    outcome = bench(*SHORT_RUN, *words)
    assert (outcome.code, outcome.out) == (2, "")
    (line,) = outcome.err.splitlines()
    assert message in line


def test_sentinels_that_do_not_answer_are_a_server_that_cannot_be_reached(bench: Bench) -> None:
    outcome = bench(*SHORT_RUN, "--redis-url", "redis+sentinel://:pw@127.0.0.1:1/m", "--quiet")
    (line,) = outcome.err.splitlines()
    assert outcome.code == 6
    assert "no master 'm' was found: 127.0.0.1:1 cannot be reached (connection refused)" in line
    assert "pw" not in line


@pytest.mark.slow
def test_a_server_that_is_not_the_master_is_named_with_its_cure(bench: Bench) -> None:
    with own_topology.running(1, with_sentinels=True) as topology:
        own = parse(topology.url)
        sentinel = f"{own.sentinel_user.name}:{own.sentinel_user.password}@{topology.sentinels[0]}"
        for url, cure in (
            (topology.servers[1].url, " is a replica, which nothing can be written to: use its "),
            (
                f"redis://{sentinel}/0",
                "write redis+sentinel://HOST:PORT/MASTER if it is a Sentinel",
            ),
            (topology.servers[0].url.replace("/0", "/99"), "/99 has no database 99: check the URL"),
        ):
            outcome = bench(*SHORT_RUN, "--redis-url", url, "--quiet")
            (line,) = outcome.err.splitlines()
            assert outcome.code == 6
            assert cure in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--topology", "sentinel"], {"topology": "sentinel", "replicas": 1, "down_after_s": 1.0}),
        (["--replicas", "2"], {"topology": "replicas", "replicas": 2}),
    ],
)
def test_the_record_of_a_run_on_its_own_servers_says_what_they_were(
    bench: Bench, words: list[str], found: dict[str, object]
) -> None:
    outcome = bench(*SHORT_RUN, *words, "-o", "record.json", "--quiet")
    record = run_record.load(Path("record.json"))
    assert outcome.code == expected_code(record)
    assert record.server | found == record.server
    assert all(counts.enqueued == counts.completed > 0 for counts in record.queues.values())


def _servers_below(pid: int) -> list[psutil.Process]:
    found = []
    for each in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended since
            if "server" in each.name():
                found.append(each)
    return found


@pytest.mark.slow
def test_a_run_that_is_killed_leaves_none_of_its_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    words = ["run", "smoke", "--duration", "1m", "--topology", "sentinel", "--quiet"]
    deadline_s = time.monotonic() + 60
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *words],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        start_new_session=True,
    ) as process:
        servers: list[psutil.Process] = []
        while len(servers) < 5:  # a master, a replica and three Sentinels
            servers = _servers_below(process.pid)
            assert time.monotonic() < deadline_s
        process.kill()
    _, alive = psutil.wait_procs(servers, timeout=deadline_s - time.monotonic())
    assert alive == []
    while list(tmp_path.glob("runqy-bench.*/*")):
        assert time.monotonic() < deadline_s
