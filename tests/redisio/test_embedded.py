"""The embedded server: private, without persistence, and gone with its owner."""

import re
import shutil
import tempfile
import time
from pathlib import Path

import psutil
import pytest
import redis

from bench.errors import ServerUnreachable, UsageError
from bench.redisio import embedded
from bench.redisio.embedded import EmbeddedServer
from bench.redisio.server_config import read_config, worth_recording
from bench.secrets import url_secrets

TIMEOUT_S = 20.0
PROGRAMS = [None, *(["redis-server"] if shutil.which("redis-server") else [])]


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers' folders are made and leftovers looked for: a folder of this test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def left_in(temporary: Path) -> list[Path]:
    """Everything in the temporary directory but the folder of all folders."""
    return [path for path in temporary.rglob("*") if path.parent != temporary]


def ask(url: str, *command: str) -> object:
    with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
        return client.execute_command(*command)


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_end(pid: int) -> None:
    """Return once the process has ended, whether or not its parent has taken note of it."""
    give_up = time.monotonic() + TIMEOUT_S
    while is_running(pid):
        assert time.monotonic() < give_up, f"process {pid} is still there"


def test_it_listens_on_loopback_alone() -> None:
    with embedded.running() as running:
        listening = {
            tuple(connection.laddr)
            for connection in psutil.Process(running.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {("127.0.0.1", running.port)}
        assert running.open_url == f"redis://127.0.0.1:{running.port}/0"


def test_it_has_a_folder_of_its_own_and_writes_no_data_there(temporary: Path) -> None:
    with embedded.running() as running:
        assert ask(running.url, "CONFIG", "GET", "save") == ["save", ""]
        assert ask(running.url, "CONFIG", "GET", "appendonly") == ["appendonly", "no"]
        assert ask(running.url, "CONFIG", "GET", "dir") == ["dir", str(running.folder)]
        assert running.folder.parent.parent == temporary


def test_it_starts_empty() -> None:
    with embedded.running() as running:
        assert ask(running.url, "DBSIZE") == 0


def test_process_and_folder_are_gone_afterwards(temporary: Path) -> None:
    with embedded.running() as running:
        assert is_running(running.pid)
    assert not psutil.pid_exists(running.pid)
    assert left_in(temporary) == []


def test_process_and_folder_are_gone_after_an_error_too(temporary: Path) -> None:
    with pytest.raises(KeyboardInterrupt), embedded.running() as running:
        raise KeyboardInterrupt
    assert not psutil.pid_exists(running.pid)
    assert left_in(temporary) == []


def test_a_server_that_died_under_us_is_no_error_on_the_way_out(temporary: Path) -> None:
    with embedded.running() as running:
        psutil.Process(running.pid).kill()
        await_end(running.pid)
    assert left_in(temporary) == []


def test_two_servers_do_not_meet() -> None:
    with embedded.running() as one, embedded.running() as other:
        assert one.port != other.port
        ask(one.url, "SET", "key", "value")
        assert ask(other.url, "DBSIZE") == 0


def test_redis_is_started_the_same_way() -> None:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on the PATH")
    with embedded.running("redis-server") as running:
        assert running.binary == program
        assert ask(running.url, "CONFIG", "GET", "save") == ["save", ""]
        assert ask(running.url, "CONFIG", "GET", "dir") == ["dir", str(running.folder)]
    assert not psutil.pid_exists(running.pid)


REFUSED = re.compile("permission|not allowed from script")
ADMINISTRATION = (
    *(("CONFIG", "SET", "dir", "/"), ("CONFIG", "SET", "requirepass", "x"), ("SAVE",), ("BGSAVE",)),
    *(("REPLICAOF", "127.0.0.1", "1"), ("MODULE", "LIST"), ("ACL", "LIST"), ("SHUTDOWN",)),
    *(("ACL", "SETUSER", "default", "+@all"), ("MONITOR",)),
    ("EVAL", "return redis.call('acl', 'setuser', 'default', '+@all')", "0"),
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_nobody_else_on_the_machine_may_configure_it(program: str | None) -> None:
    """Its owner may be root, and a server that is configured anew writes files where it is told."""
    with embedded.running(program) as running:
        for command in ADMINISTRATION:
            with pytest.raises(redis.exceptions.ResponseError, match=REFUSED):
                ask(running.open_url, *command)
        assert ask(running.url, "CONFIG", "SET", "maxmemory", "0") == "OK"


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_workers_do_needs_no_password(program: str | None) -> None:
    """An external worker may be given host and port alone."""
    with embedded.running(program) as running:
        assert ask(running.open_url, "LPUSH", "list", "id") == 1
        assert ask(running.open_url, "EVAL", "return redis.call('llen', 'list')", "0") == 1
        assert ask(running.open_url, "PUBLISH", "channel", "text") == 0
        assert ask(running.open_url, "CLIENT", "ID")
        assert ask(running.open_url, "CONFIG", "GET", "maxmemory-policy")
        assert ask(running.open_url, "INFO")


def shown_by(running: EmbeddedServer) -> str:
    """What others can see of a server: its command line, its output, and its description."""
    log = (running.folder / "server.log").read_text()
    return f"{psutil.Process(running.pid).cmdline()} {log} {running!r}"


def test_its_password_is_new_each_time_and_shown_nowhere() -> None:
    with embedded.running() as one, embedded.running() as other:
        words = {word for server in (one, other) for word in url_secrets(server.url)}
        passwords = {word for word in words if len(word) > 20}
        assert len(passwords) == 2
        assert not any(word in shown_by(server) for word in passwords for server in (one, other))


@pytest.mark.parametrize(
    "name", ["with space", 'quo"te', "back\\slash", "line\nbreak", "ünï", "\udcff"]
)
def test_its_folder_may_have_any_name(
    temporary: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (temporary / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / name))
    with embedded.running() as running:
        assert psutil.Process(running.pid).cwd() == str(running.folder)


def test_an_unknown_program_is_refused_by_name(temporary: Path) -> None:
    with pytest.raises(UsageError, match="--server-binary no-such-server: no such program"):
        embedded.running("no-such-server").__enter__()
    assert left_in(temporary) == []


def test_a_program_that_ends_at_once_is_told_with_its_last_words(temporary: Path) -> None:
    program = temporary / "broken-server"
    program.write_text("#!/bin/sh\necho first\necho it is broken\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(
        ServerUnreachable, match=rf"{program} did not start \(it is broken\): check --server-binary"
    ):
        embedded.running(str(program)).__enter__()
    assert left_in(temporary) == []


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_configuration_file_sets_all_but_what_keeps_the_server_private(
    program: str | None, tmp_path: Path
) -> None:
    config = tmp_path / "redis.conf"
    config.write_text(
        "appendonly yes\nmaxmemory-policy allkeys-lru\nport 1\nbind 0.0.0.0\nrequirepass x\n"
        "logfile elsewhere\ndir /\ndaemonize yes"
    )
    with embedded.running(program, [str(config)]) as running:
        for name, value in (
            *(("appendonly", "yes"), ("maxmemory-policy", "allkeys-lru"), ("bind", "127.0.0.1")),
            *(("port", str(running.port)), ("dir", str(running.folder)), ("logfile", "")),
        ):
            assert ask(running.url, "CONFIG", "GET", name) == [name, value]
        with pytest.raises(redis.exceptions.AuthenticationError):
            ask(f"redis://:x@127.0.0.1:{running.port}/0", "PING")


def test_a_line_that_the_server_refuses_is_named_without_its_value(tmp_path: Path) -> None:
    config = tmp_path / "redis.conf"
    config.write_text("maxmemory 64mb\nnonesuch open-sesame\n")
    with pytest.raises(UsageError) as caught, embedded.running(None, [str(config)]):
        pass
    assert str(caught.value).startswith(f"--server-config {config}: the server refuses 'nonesuch' ")
    assert "open-sesame" not in str(caught.value)


def test_a_configuration_that_is_not_there_is_told_before_a_server_starts(tmp_path: Path) -> None:
    missing = tmp_path / "none.conf"
    with pytest.raises(UsageError, match=r"none\.conf: No such file or directory: check the path"):
        read_config([str(missing)])


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (["appendonly yes"], ["appendonly yes"]),
        (["appendonly yes, appendfsync always"], ["appendonly yes", "appendfsync always"]),
        (["appendonly yes\n appendfsync always\n"], ["appendonly yes", "appendfsync always"]),
        (["hz 20", "save 60 1,hz 30"], ["hz 20", "save 60 1", "hz 30"]),
        (['save ""'], ['save ""']),
        (["enable-module-command a,b"], ["enable-module-command a,b"]),
    ],
)
def test_settings_may_stand_in_the_flag_itself(written: list[str], lines: list[str]) -> None:
    assert read_config(written).decode().splitlines() == lines


@pytest.mark.parametrize("program", PROGRAMS)
def test_settings_of_a_flag_hold(program: str | None) -> None:
    with embedded.running(program, ["appendonly yes, appendfsync always"]) as running:
        assert ask(running.url, "CONFIG", "GET", "appendfsync") == ["appendfsync", "always"]


def test_a_setting_that_the_server_refuses_is_named_without_its_value() -> None:
    with pytest.raises(UsageError) as caught, embedded.running(None, ["nonesuch open-sesame"]):
        pass
    assert str(caught.value).startswith("--server-config settings: the server refuses 'nonesuch' ")
    assert "open-sesame" not in str(caught.value)


def test_no_secret_and_no_place_of_a_server_is_recorded() -> None:
    found = {
        "requirepass": "x",
        "masterauth": "x",
        "primaryauth": "x",
        "tls-key-file-pass": "x",
        "port": "1",
        "dir": "/a",
        "tls-cert-file": "/a",
        "tls-auth-clients": "yes",
        "hz": "10",
    }
    assert worth_recording(found) == {"hz": "10", "tls-auth-clients": "yes"}
