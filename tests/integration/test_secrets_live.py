"""Passwords that are hard to hide, on a real server: nothing that a command leaves shows one.

Each whole process is watched: what it prints, the files that it leaves, and the command lines of
all its descendants, which others can read.
"""

import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
import redis
from hypothesis import given, settings

from bench.cli.app import main
from bench.errors import ExitCode, ServerUnreachable, UsageError
from bench.records import run_record
from bench.redisio import embedded
from bench.redisio.connection import RawConnection, open_client
from bench.secrets import HIDDEN, URL_VARIABLE, has_unencoded
from tests.test_secrets import NASTY, NON_ASCII, SPELLINGS, passwords

pytestmark = pytest.mark.slow

USER = "né@me/1"
PASSWORD = f"Zqxjk{NASTY}{NON_ASCII}9zkvw"
WRONG = f"Kxqzj{NON_ASCII}{NASTY[::-1]}7wvkz"
TIMEOUT_S = 60.0
SHORT_RUN = ("run", "smoke", "--duration", "300ms", "--rate", "200/s", "-o", "record.json")


@dataclass(frozen=True)
class Server:
    """A server that asks for a password, and an ACL user with the same one."""

    port: int

    def url(self, password: str = PASSWORD, user: str = "") -> str:
        userinfo = f"{quote(user, safe='')}:{quote(password, safe='')}"
        return f"redis://{userinfo}@127.0.0.1:{self.port}/0"


@dataclass(frozen=True)
class Left:
    """What a process left: its exit code and all that others can see."""

    code: int
    out: str
    err: str
    texts: list[str]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with embedded.running() as started:
        with redis.Redis.from_url(started.url) as client:
            client.execute_command(
                "ACL", "SETUSER", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all"
            )
            client.config_set("requirepass", PASSWORD)
        yield Server(started.port)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, and no server in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    return tmp_path


def watched(
    *words: str, url: str, program: str = "bench", until: Callable[[Path], bool] | None = None
) -> Left:
    """Run a command to its end, or until it is time to interrupt it."""
    command_lines: set[str] = set()
    has_ended = threading.Event()
    with subprocess.Popen(
        [sys.executable, "-m", program, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, URL_VARIABLE: url},
        start_new_session=True,
    ) as process:
        top = psutil.Process(process.pid)

        def watch() -> None:
            is_interrupted = False
            while not has_ended.wait(0.05):
                for each in _with_descendants(top):
                    command_lines.update(_command_line(each))
                if until is not None and not is_interrupted and until(Path.cwd()):
                    is_interrupted = True
                    os.killpg(process.pid, signal.SIGINT)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        finally:
            has_ended.set()
            thread.join()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    files = [path.read_text() for path in Path.cwd().rglob("*") if path.is_file()]
    assert command_lines
    return Left(process.returncode, out, err, [out, err, *files, *command_lines])


def _with_descendants(top: psutil.Process) -> list[psutil.Process]:
    try:
        return [top, *top.children(recursive=True)]
    except psutil.Error:
        return []


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return ["\0".join(process.cmdline())]
    except psutil.Error:
        return []


def require_hidden(texts: list[str], password: str = PASSWORD) -> None:
    """No text holds the password in any spelling, nor a part of it."""
    for text in texts:
        for name, spell in SPELLINGS.items():
            assert spell(password) not in text, name
        for part in (password[:5], password[-5:]):
            assert part not in text


def in_process(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str, *words: str
) -> Left:
    """Run a command in this process."""
    monkeypatch.setenv(URL_VARIABLE, url)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    capsys.readouterr()
    code = main(words)
    for number, handler in before.items():
        signal.signal(number, handler)
    out, err = capsys.readouterr()
    files = [path.read_text() for path in Path.cwd().rglob("*") if path.is_file()]
    return Left(int(code), out, err, [out, err, *files])


@given(passwords)
@settings(max_examples=30)
def test_a_percent_encoded_password_opens_the_server(server: Server, password: str) -> None:
    with redis.Redis.from_url(server.url(user=USER)) as client:
        client.execute_command("ACL", "SETUSER", "fuzz", "reset", "on", f">{password}", "+@all")
    open_client(server.url(password, "fuzz")).close()
    RawConnection(server.url(password, "fuzz")).close()
    with pytest.raises(ServerUnreachable) as refused:
        open_client(server.url(f"{password}!", "fuzz"))
    assert str(refused.value) == (
        f"redis://127.0.0.1:{server.port}/0 refuses the user name or password: "
        "check the URL, or BENCH_REDIS_URL"
    )


@given(passwords.map(lambda text: f"Zqxjk{text}9zkvw"))
@settings(max_examples=30)
def test_a_password_as_it_is_opens_the_server_or_is_refused_in_one_line(
    server: Server, password: str
) -> None:
    """A raw @, / or # would end it: the message says what to write, and does not show it."""
    url = f"redis://:{password}@127.0.0.1:{server.port}/0"
    with pytest.raises((UsageError, ServerUnreachable)) as refused:
        open_client(url)
    assert isinstance(refused.value, UsageError) or not has_unencoded(url)
    require_hidden([str(refused.value)], password)
    assert "\n" not in str(refused.value)
    assert not has_unencoded(url) or "percent-encode" in str(refused.value)


def test_a_run_and_its_page_show_no_password(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    left = watched(*SHORT_RUN, url=server.url(user=USER))
    require_hidden(left.texts)
    saved = run_record.load(Path("record.json"))
    assert saved.server["address"] == f"redis://127.0.0.1:{server.port}/0"
    shown = in_process(
        capsys, monkeypatch, server.url(), "report", "record.json", "--html", "page.html"
    )
    assert Path("page.html").exists(), shown.err
    require_hidden(shown.texts)


CONNECTING = (
    ("run", "smoke"),
    ("verify",),
    ("worker", "inference"),
    ("enqueue", "a_b", "{}"),
    ("status", "x"),
    ("result", "x"),
    ("clients", "--only", "python-seed"),
)
STARTING_RUNS = (
    ("ab", "smoke", "--pairs", "1", "--allow", "same", "-o", "job"),
    ("capacity", "--workers", "1", "--slo", "e2e.p99 < 1s", "--budget", "10m"),
)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        *((words, kind) for words in CONNECTING for kind in ("wrong", "away", "raw")),
        *((words, "wrong") for words in STARTING_RUNS),
    ],
    ids=lambda each: each if isinstance(each, str) else each[0],
)
def test_a_server_that_cannot_be_used_is_told_without_the_password(
    server: Server,
    words: tuple[str, ...],
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = {
        "wrong": server.url(WRONG),
        "away": f"redis://:{quote(WRONG, safe='')}@127.0.0.1:1/0",
        "raw": f"redis://:{WRONG}@127.0.0.1:{server.port}/0",
    }[kind]
    left = in_process(capsys, monkeypatch, url, *words)
    assert left.code == (ExitCode.USAGE if kind == "raw" else ExitCode.UNREACHABLE), left.err
    assert ("percent-encode" in left.err) == (kind == "raw")
    require_hidden(left.texts, WRONG)


@pytest.mark.parametrize("password", [PASSWORD, "a"])
def test_a_worker_that_prints_its_environment_and_dies_shows_no_password(
    server: Server, password: str, tmp_path: Path
) -> None:
    """What it says stands in the message, or in the report where the run has begun meanwhile,
    without the secrets that it was given."""
    program = tmp_path / "worker.py"
    program.write_text(
        "import json, os, shlex, subprocess, sys\n"
        "url = os.environ['BENCH_REDIS_URL']\n"
        "print('variables', dict(os.environ))\n"
        "print(json.dumps({'url': url, 'password': os.environ['DB_PASSWORD']}))\n"
        "print('login with', shlex.quote(url), 'failed: password is', os.environ['DB_PASSWORD'])\n"
        "subprocess.run(['env'])\n"
        "sys.exit('the last word of ' + url)\n"
    )
    with redis.Redis.from_url(server.url(user=USER)) as client:
        client.execute_command("ACL", "SETUSER", "w", "reset", "on", f">{password}", "~*", "+@all")
    os.environ["DB_PASSWORD"] = password
    try:
        command = f"{sys.executable} {program}"
        left = watched(*SHORT_RUN, "--worker-command", command, url=server.url(password, "w"))
    finally:
        del os.environ["DB_PASSWORD"]
    program.unlink()
    assert "the last word of redis://127.0.0.1" in " ".join((left.out + left.err).split())
    if password == PASSWORD:
        require_hidden(left.texts)
    for text in left.texts:
        assert f":{quote(password, safe='')}@" not in text
        assert f"'{password}'" not in text
        assert f"PASSWORD={password}" not in text


def test_a_secret_in_a_worker_command_is_hidden_in_the_record(server: Server) -> None:
    script = f"REDIS_PASSWORD={shlex.quote(PASSWORD)} sleep 60"
    left = watched(
        *SHORT_RUN,
        "--worker-command",
        shlex.join(["sh", "-c", script]),
        "--drain-timeout",
        "100ms",
        url=server.url(),
    )
    texts = [left.out, left.err, Path("record.json").read_text()]
    require_hidden(texts)
    saved = run_record.load(Path("record.json"))
    assert saved.scenario.worker_command == f"sh -c 'REDIS_PASSWORD={HIDDEN} sleep 60'"


def test_clients_and_their_programs_show_no_password(server: Server) -> None:
    only = [
        word for name in ("python-pipelined", "bench", "redis-cli") for word in ("--only", name)
    ]
    left = watched(
        *("clients", *only, "--tasks", "20", "--repeat", "1", "--queue", "q_w", "-o", "r.json"),
        url=server.url(),
    )
    assert left.code in (0, 3), left.err
    require_hidden(left.texts)


def test_a_worker_on_its_own_shows_no_password(server: Server) -> None:
    with redis.Redis.from_url(server.url(user=USER)) as client:

        def serves(_: Path) -> bool:
            return any(each["user"] == USER for each in client.client_list())

        left = watched("worker", "inference", url=server.url(user=USER), until=serves)
    require_hidden(left.texts)


def test_a_search_shows_no_password(server: Server) -> None:
    left = watched(
        *("capacity", "--workers", "1", "--slo", "e2e.p99 < 1s", "--budget", "10m"),
        *("-o", "capacity.json"),
        url=server.url(),
        until=lambda folder: any((folder / "capacity-trials").glob("*.json")),
    )
    assert left.code == ExitCode.INTERRUPTED, left.err
    require_hidden(left.texts)


def test_a_distributed_run_shows_no_password(server: Server) -> None:
    left = watched(*SHORT_RUN, "--distributed", "--producers", "1", url=server.url())
    assert run_record.load(Path("record.json")).counts.enqueued, left.err
    require_hidden(left.texts)


def test_locust_and_its_log_show_no_password(server: Server) -> None:
    locustfile = Path(__file__).parents[2] / "locustfiles" / "runqy.py"
    words = ("-f", str(locustfile), "--headless", "-u", "1", "-t", "1s", "--loglevel", "DEBUG")
    for url, code in ((server.url(), None), (server.url(WRONG), ExitCode.UNREACHABLE)):
        left = watched(
            *words, "--enqueue-only", "--record", "record.json", url=url, program="locust"
        )
        assert code is None or left.code == code, left.err
        require_hidden(left.texts)
        require_hidden(left.texts, WRONG)
