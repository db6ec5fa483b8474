"""What is missing is a reason to skip, in words that say what to install."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bench.clients import build, catalogue
from bench.clients.build import Unavailable
from bench.clients.catalogue import BY_NAME, CLIENTS, Client
from bench.clients.redis_cli import process
from bench.errors import UsageError

NODE = "needs Node.js 18 or newer and npm: apt-get install nodejs npm"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in which programs are looked for; and an empty cache."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return folder


def put(folder: Path, scripts: Mapping[str, str]) -> None:
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)


def reason(name: str) -> str:
    with pytest.raises(Unavailable) as refused:
        build.prepare(BY_NAME[name], lambda _: None)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("redis-cli", "needs redis-cli: apt-get install redis-tools"),
        ("redis-cli-pipe", "needs redis-cli: apt-get install redis-tools"),
        ("node-seed", NODE),
        ("node-pipelined", NODE),
        ("go-seed", "or newer: apt-get install golang-go"),
        ("go-asynq", "needs Go 1."),
    ],
)
def test_a_missing_tool_says_what_to_install(tools: Path, name: str, needs: str) -> None:
    assert needs in reason(name)


@pytest.mark.parametrize(
    ("scripts", "said"),
    [
        ({"node": "echo v20.1.0"}, NODE),
        ({"node": "echo v16.20.2", "npm": ""}, f"{NODE} (found 16.20.2)"),
        ({"node": "exit 1", "npm": ""}, f"{NODE} (node is installed but does not run)"),
        (
            {
                "node": "echo v20.1.0",
                "npm": "echo 'npm error code ENOTFOUND' >&2; echo 'npm error no network' >&2;"
                "echo 'npm error A complete log of this run is elsewhere' >&2; exit 1",
            },
            "npm ci failed: no network",
        ),
        ({"node": "echo v20.1.0", "npm": "exit 7"}, "npm ci failed: it printed nothing"),
    ],
)
def test_a_tool_that_fails_says_why(tools: Path, scripts: Mapping[str, str], said: str) -> None:
    put(tools, scripts)
    assert reason("node-seed") == said


def test_a_build_that_fails_says_its_last_line_and_leaves_nothing(
    tools: Path, tmp_path: Path
) -> None:
    script = 'test "$1" = env && { echo go1.99.0; exit 0; }; echo first >&2; echo last >&2; exit 1'
    put(tools, {"go": script})
    assert reason("go-seed") == "go build failed: last"
    assert list((tmp_path / "cache" / "runqy-bench" / "clients").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_a_reason_too(tools: Path, tmp_path: Path) -> None:
    put(tools, {"go": "echo go1.99.0"})
    (tmp_path / "cache").write_text("in the way")
    assert reason("go-seed").startswith("cannot be built: ")


def test_what_is_built_is_built_once_for_all_clients_of_its_kind(
    tools: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    put(tools, {"go": f'test "$1" = env && {{ echo go1.99.0; exit 0; }}; echo "$1" >> {log}'})
    said: list[str] = []
    seed = build.prepare(BY_NAME["go-seed"], said.append)
    asynq = build.prepare(BY_NAME["go-asynq"], said.append)
    assert log.read_text() == "build\n"
    assert said == ["building the Go clients (go build); this is done once"]
    assert seed.command[0] == asynq.command[0]
    assert (seed.command[1:], asynq.command[1:]) == (("--kind", "seed"), ("--kind", "asynq"))
    assert seed.runs_on.startswith("Go 1.99.0, go-redis 9.")
    assert asynq.runs_on.startswith("Go 1.99.0, asynq 0.26.")


def test_another_version_of_the_tool_builds_anew(tools: Path) -> None:
    folders = set()
    for version in ("go1.98.0", "go1.99.0"):
        put(tools, {"go": f"echo {version}"})
        folders.add(build.prepare(BY_NAME["go-seed"], lambda _: None).command[0])
    assert len(folders) == 2


def test_the_lock_file_names_versions_and_no_registry() -> None:
    lock = (Path(build.__file__).parent / "node" / "package-lock.json").read_text()
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
    assert "http" not in lock.replace("https://opencollective.com", "").replace(
        "https://github.com", ""
    )


def test_the_names_are_these() -> None:
    assert (
        *("redis-cli", "redis-cli-pipe", "python-seed", "python-pipelined", "bench"),
        *("node-seed", "node-pipelined", "go-seed", "go-pipelined", "go-asynq"),
        *("bench-asynq", "bench-runqy-server"),
    ) == catalogue.NAMES


def test_those_that_are_named_come_in_the_catalogues_order() -> None:
    assert [each.name for each in catalogue.chosen(["go-seed", "bench"])] == ["bench", "go-seed"]
    assert catalogue.chosen([]) == list(CLIENTS)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("pyhton-seed", "did you mean 'python-seed'?"),
        ("go-asynk", "did you mean 'go-asynq'?"),
        ("rust", "there are redis-cli, "),
    ],
)
def test_a_name_that_is_none_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=f"^--only {name}: no such client: ") as refused:
        catalogue.chosen([name])
    assert hint in str(refused.value)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_client_is_run_on_its_own_layout_alone(client: Client) -> None:
    other = "runqy" if client.layout == "asynq" else "asynq"
    url = "redis://127.0.0.1:6379/0"
    assert catalogue.why_not(client, client.layout, url) == ""
    assert f"run with --layout {client.layout}" in catalogue.why_not(client, other, url)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_options_of_a_url_are_for_clients_that_this_project_connects(client: Client) -> None:
    for url, has_options in (
        ("redis://127.0.0.1:6379/0?socket_timeout=5", True),
        ("redis://:se?same@127.0.0.1:6379/0", False),
    ):
        told = catalogue.why_not(client, client.layout, url)
        assert bool(told) == (has_options and client.toolchain in ("node", "go"))


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("redis://me:secret@h:7/3", "-h h -p 7 -n 3 --user me"),
        ("unix:///tmp/a.sock?db=2", "-s /tmp/a.sock -n 2"),
        ("rediss://10.0.0.1", "-h 10.0.0.1 -p 6379 --tls"),
        ("rediss://[::1]:7/0", "-h ::1 -p 7 --tls"),
        ("rediss://h/0?ssl_check_hostname=false", "-h h -p 6379 --tls --sni h"),
        ("rediss://h?ssl_cert_reqs=none", "-h h -p 6379 --tls --sni h --insecure"),
        (
            "rediss://h?ssl_ca_certs=/ca&ssl_ca_path=/cas&ssl_certfile=/c&ssl_keyfile=/k",
            "-h h -p 6379 --tls --sni h --cacert /ca --cacertdir /cas --cert /c --key /k",
        ),
    ],
)
def test_redis_cli_connects_as_the_url_says(url: str, arguments: str) -> None:
    assert process.server_arguments(url) == arguments.split()
