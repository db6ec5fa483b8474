"""A password appears in nothing that a command prints or saves."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bench.cli import command_line
from bench.records import run_record
from bench.redisio import embedded
from bench.secrets import address
from tests.cli.conftest import SHORT_RUN, Bench, expected_code

PASSWORD = "open-sesame"  # noqa: S105 - of a server that lives as long as this module
WRONG = "abracadabra"


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """Address of a server that asks for a password."""
    with embedded.running() as running:
        with redis.Redis.from_url(running.url) as client:
            client.config_set("requirepass", PASSWORD)
        yield f"127.0.0.1:{running.port}/0"


@pytest.mark.parametrize("user", ["", "default", "somebody"])
@pytest.mark.parametrize(
    "words", [["run", "smoke", "--quiet"], ["status", "x"], ["enqueue", "a_b", "{}"], ["verify"]]
)
def test_a_wrong_password_is_one_line_without_it_and_exit_code_6(
    bench: Bench, guarded: str, words: list[str], user: str
) -> None:
    outcome = bench(*words, "--redis-url", f"redis://{user}:{WRONG}@{guarded}")
    assert (outcome.code, outcome.out) == (6, "")
    assert outcome.err == (
        f"bench: redis://{guarded} refuses the user name or password: "
        "check the URL, or BENCH_REDIS_URL\n"
    )


@pytest.mark.slow
def test_a_password_on_the_command_line_is_warned_of(bench: Bench, guarded: str) -> None:
    outcome = bench(*SHORT_RUN, "--redis-url", f"redis://:{PASSWORD}@{guarded}")
    warning = outcome.err.splitlines()[-1]
    assert warning == (
        "bench: other users can see a password on the command line; put the URL into "
        "BENCH_REDIS_URL instead"
    )


def test_no_password_where_one_is_needed_is_exit_code_6(bench: Bench, guarded: str) -> None:
    outcome = bench("run", "smoke", "--redis-url", f"redis://{guarded}")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (6, "", 1)


@pytest.mark.slow
@pytest.mark.parametrize("given", ["two words", "one word", "variable"])
def test_the_right_password_is_neither_printed_nor_saved(
    bench: Bench, guarded: str, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    url = f"redis://:{PASSWORD}@{guarded}"
    words = {"two words": ["--redis-url", url], "one word": [f"--redis-url={url}"]}.get(given, [])
    if given == "variable":
        monkeypatch.setenv("BENCH_REDIS_URL", url)
    outcome = bench(*SHORT_RUN, "-o", "record.json", *words)
    saved = run_record.load(Path("record.json"))
    assert outcome.code == expected_code(saved)
    assert saved.server["address"] == f"redis://{guarded}"
    shown = [word.replace(f":{PASSWORD}@", "") for word in words]
    assert saved.command == " ".join(["bench", *SHORT_RUN, "-o", "record.json", *shown])
    for text in (outcome.out, outcome.err, Path("record.json").read_text()):
        assert PASSWORD not in text


@pytest.mark.parametrize("url", ["redis://:{}@127.0.0.1:x/0", "http://:{}@127.0.0.1"])
def test_a_url_that_cannot_be_read_is_not_quoted(bench: Bench, url: str) -> None:
    outcome = bench("status", "x", "--redis-url", url.format(WRONG))
    assert (outcome.code, outcome.out) == (2, "")
    assert WRONG not in outcome.err


def test_a_flag_that_is_misspelt_does_not_show_its_value(bench: Bench) -> None:
    outcome = bench("run", "smoke", "--redis-ulr", f"redis://:{WRONG}@127.0.0.1:1/0")
    assert (outcome.code, outcome.out) == (2, "")
    assert WRONG not in outcome.err


@pytest.mark.parametrize("url", ["redis://:open=sesame@{}", "redis://{}?password=open=sesame"])
def test_a_password_with_an_equals_sign_is_not_saved(url: str) -> None:
    command_line.remember(["run", "--redis-url", url.format("host:1/0")])
    assert command_line.command_line() == "bench run --redis-url redis://host:1/0"


def test_a_password_with_a_slash_is_not_printed(bench: Bench) -> None:
    outcome = bench("status", "x", "--redis-url", "redis://:1/sesame@127.0.0.1:1/0")
    assert outcome.code in (2, 6)
    assert "sesame" not in outcome.err


@pytest.mark.parametrize("url", ["redis://:sesa[me@127.0.0.1:1/0", "redis://[::1:6379/0"])
@pytest.mark.parametrize("words", [["status", "x"], ["run", "smoke"]])
def test_a_bracket_in_a_url_is_one_line(bench: Bench, words: list[str], url: str) -> None:
    outcome = bench(*words, "--redis-url", url)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "sesa" not in outcome.err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://user:sesame@[::1]:6379/2?ssl_cert_reqs=none", "rediss://[::1]:6379/2"),
        ("redis://127.0.0.1:1/0?password=se@same", "redis://127.0.0.1:1/0"),
        ("unix:///tmp/s?password=x@y/z", "unix:///tmp/s"),
        ("unix://:sesame@/tmp/s", "unix:///tmp/s"),
        ("redis://:se?same@host/0", "redis://host/0"),
        ("redis://:se#same@host/0", "redis://host/0"),
        ("redis://:sesame", "redis://…"),
    ],
)
def test_an_address_is_the_place_alone(url: str, shown: str) -> None:
    assert address(url) == shown


def test_a_forgotten_flag_does_not_show_the_password(bench: Bench) -> None:
    outcome = bench("run", f"redis://:{WRONG}@127.0.0.1:1/0")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "--redis-url" in outcome.err
    assert WRONG not in outcome.err
