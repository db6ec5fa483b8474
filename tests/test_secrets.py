"""Secrets are hidden by their place and by their value, in every spelling."""

import ast
import html
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from bench import secrets
from bench.secrets import HIDDEN, SHORTEST, hide, hide_in_command, hide_in_command_text

NASTY = ":/?#[]@!$&'()*+,;=%\"\\ "
NON_ASCII = "éßя中🙈"

passwords = st.text(st.sampled_from(NASTY + NON_ASCII + "aZ09-_.~<>`"), min_size=SHORTEST)
marked_passwords = st.builds(lambda text: f"Zq{text}9z", passwords)
"""None of them occurs by chance in what stands around them."""
short_passwords = st.text(
    st.sampled_from(NASTY + "aZ0é"), min_size=1, max_size=SHORTEST - 1
).filter(lambda text: text.strip())


def lower_case_percent(text: str) -> str:
    return re.sub("%..", lambda match: match[0].lower(), quote(text, safe=""))


def every_byte_percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def every_second_percent(text: str) -> str:
    return "".join(quote(each, safe="") if at % 2 else each for at, each in enumerate(text))


def backslashed(text: str) -> str:
    """As ``printf %q`` of a shell writes it."""
    return re.sub(r"([^\w])", r"\\\1", text)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded, lower case": lower_case_percent,
    "percent-encoded, all of it": every_byte_percent,
    "percent-encoded, in part": every_second_percent,
    "percent-encoded, as a form": quote_plus,
    "quoted for a shell": shlex.quote,
    "escaped for a shell": backslashed,
    "JSON": json.dumps,
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "repr": repr,
    "ascii": ascii,
    "repr of bytes": lambda text: repr(text.encode()),
    "HTML": html.escape,
    "HTML, numbers": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(each):X};" for each in text),
}
WRAPPINGS = ("JSON", "repr", "HTML", "quoted for a shell", "percent-encoded", "ascii")
"""What happens to a text that quotes a secret already: log lines, command lines, pages, URLs."""


@pytest.mark.parametrize("name", SPELLINGS)
def test_each_spelling_of_a_secret_is_hidden(name: str) -> None:
    secret = NASTY + NON_ASCII
    spelled = SPELLINGS[name](secret)
    assert hide(f"| {spelled} |", [secret]).strip("| b'\"") == HIDDEN


@given(passwords, st.sampled_from(sorted(SPELLINGS)), st.sampled_from(WRAPPINGS))
@settings(max_examples=150)
def test_a_spelling_of_a_spelling_is_hidden(secret: str, inner: str, outer: str) -> None:
    spelled = SPELLINGS[outer](SPELLINGS[inner](secret))
    shown = hide(f"<| {spelled} |>", [secret])
    # At most the quotes around it are left, and what stood beside it.
    assert HIDDEN in shown
    assert len(shown) <= len(SPELLINGS[outer](SPELLINGS[inner]("?"))) + 8


@given(passwords)
def test_the_password_of_a_url_is_known_as_written_and_as_meant(secret: str) -> None:
    written = quote(secret, safe="")
    for url in (f"redis://me:{written}@host:1/0", f"redis://host:1/0?password={written}"):
        assert {written, secret} <= secrets.url_secrets(url)
        assert secrets.has_password(url)
        assert not secrets.has_unencoded(url)
        assert secrets.address(url) == "redis://host:1/0"


@given(passwords)
def test_an_address_never_shows_a_password_that_was_not_encoded(secret: str) -> None:
    for url in (f"redis://:{secret}@host:1/0", f"unix://:{secret}@/tmp/s", f"redis://:{secret}"):
        shown = secrets.address(url).partition("://")[2]
        assert shown in ("host:1/0", "/tmp/s", HIDDEN) or shown in secret  # noqa: S108 - in a URL


@given(passwords, st.text(st.sampled_from("abc xyz.,;\n"), max_size=20))
def test_a_url_in_a_text_is_cut_down_to_its_address(secret: str, around: str) -> None:
    url = f"rediss://me:{quote(secret, safe='')}@host:1/0"
    assert hide(f"{around} {url} {around}") == f"{around} rediss://host:1/0 {around}"


@given(
    marked_passwords, st.sampled_from(["-a", "--password", "--pass", "--redis-auth", "requirepass"])
)
def test_the_value_of_a_flag_is_hidden(secret: str, flag: str) -> None:
    assert hide_in_command(["worker", flag, secret, "x"]) == f"worker {flag} {HIDDEN!r} x"
    script = f"worker {flag} {shlex.quote(secret)} x"
    assert secret not in hide_in_command(["sh", "-c", script]).removeprefix("sh -c ")
    assert hide(script).startswith(f"worker {flag} {HIDDEN}")
    assert secret not in hide(script)


@given(
    marked_passwords,
    st.sampled_from(["REDISCLI_AUTH", "DB_PASSWORD", "A_TOKEN", "MY_SECRET", "API_KEY"]),
)
def test_an_assignment_is_hidden(secret: str, name: str) -> None:
    assert hide_in_command(["env", f"{name}={secret}", "x"]) == f"env '{name}={HIDDEN}' x"
    assert hide(f"a\n{name}={secret}x\nb") == f"a\n{name}={HIDDEN}\nb"
    assert hide(f"run {name}={shlex.quote(secret)} w").startswith(f"run {name}={HIDDEN}")
    for spell in (json.dumps, repr):
        assert hide(spell({name: secret, "x": 1})) == spell({name: "?", "x": 1}).replace(
            spell("?"), HIDDEN
        )


def test_a_script_among_the_arguments_keeps_all_but_its_secrets() -> None:
    script = "REDIS_PASSWORD=xyz worker --redis redis://:pw@h/0 && redis-cli -a 'q r' ping"
    shown = f"REDIS_PASSWORD={HIDDEN} worker --redis redis://h/0 && redis-cli -a {HIDDEN} ping"
    assert hide_in_command(["sh", "-c", script]) == shlex.join(["sh", "-c", shown])
    assert hide_in_command_text(shlex.join(["sh", "-c", script])) == shlex.join(["sh", "-c", shown])
    assert secrets.command_secrets(["sh", "-c", script]) == {"xyz", "pw", "q r"}


@given(marked_passwords)
def test_a_script_in_a_script_shows_no_secret(secret: str) -> None:
    inner = shlex.join(["env", f"REDIS_PASSWORD={secret}", "worker", "-a", secret])
    words = ["sh", "-c", shlex.join(["sh", "-c", inner])]
    assert secrets.command_secrets(words) == {secret}
    shown = hide_in_command(words)
    assert not any(spell(secret) in shown for spell in SPELLINGS.values())
    assert secrets.holds_secret(words)


@pytest.mark.parametrize(
    "arguments",
    [
        ["bench", "run", "smoke", "--rate", "200/s", "-o", "token.json"],
        ["bench", "ab", "--a", "--prefetch 1", "--b", "--server-binary /usr/bin/redis-server"],
        ["celery", "-A", "app", "worker", "--loglevel", "info"],
        ["worker", "--max-tokens=512", "--compass=north", "--password-file", "secrets.txt"],
        ["worker", "redis://127.0.0.1:6379/0", "--url=unix:///tmp/redis.sock"],
    ],
)
def test_a_command_without_secrets_is_shown_as_it_is(arguments: list[str]) -> None:
    assert hide_in_command(arguments) == shlex.join(arguments)
    assert not secrets.holds_secret(arguments)
    assert not secrets.command_secrets(arguments)


@pytest.mark.parametrize(
    "text",
    [
        "redis://h:1/0 refuses the user name or password: check the URL, or BENCH_REDIS_URL",
        "other users can see a password on the command line; put the URL into BENCH_REDIS_URL "
        "instead",
        "--prefetch 1 and PWD=/work and https://docs.example.org/page?x=1, and so on",
        'no server at redis://127.0.0.1:1/0 (connection refused): start one, or "check" the URL',
        "WRONGPASS invalid username-password pair or user is disabled.",
    ],
)
def test_a_message_without_secrets_is_shown_as_it_is(text: str) -> None:
    assert hide(text) == text
    assert hide(text, ["ai", "a", "://"]) == text


@given(short_passwords)
def test_a_short_secret_is_not_shown_as_a_password(secret: str) -> None:
    for text, shown in {
        f"the password is {secret}\n": f"the password is {HIDDEN}\n",
        f"password: {secret}": f"password: {HIDDEN}",
        f"it said\n{secret}\nand ended": f"it said\n{HIDDEN}\nand ended",
        f"user:{secret}@host": f"user:{HIDDEN}@host",
        f"invalid value {json.dumps(secret)}.": f'invalid value "{HIDDEN}".',
        f"invalid value {html.escape(repr(secret))}.": None,
    }.items():
        found = hide(text, [secret])
        assert HIDDEN in found
        assert shown is None or found == shown or not secret.isalnum()


@pytest.mark.parametrize("secret", ["a", "re", "the", "/"])
def test_a_short_secret_does_not_turn_a_text_into_dots(secret: str) -> None:
    text = f"the area / there: a redis server is here, at /tmp/{secret}.sock, and {secret} is free"
    assert hide(text, [secret]) == text


@given(passwords.filter(lambda text: len(text) > secrets.LEAST_PART and not {*"'\""} & {*text}))
def test_the_first_part_of_a_secret_that_was_cut_off_is_hidden(secret: str) -> None:
    assert hide(f"<|{secret[: secrets.LEAST_PART]}|>", [secret]) == f"<|{HIDDEN}|>"


def test_a_command_that_a_server_quotes_is_left_out() -> None:
    text = "unknown command 'AUTH', with args beginning with: 'me' 'open-sesa"
    assert hide(text) == "unknown command 'AUTH'"


@given(passwords, st.text(st.sampled_from(NASTY + "\n'\"abc|")))
def test_what_is_hidden_stays_as_it_is(secret: str, text: str) -> None:
    once = hide(f"{text}|{secret}|{text}", [secret])
    assert hide(once, [secret]) == once


def test_secrets_of_an_environment_are_found_by_name_and_in_urls() -> None:
    environment = {
        "REDISCLI_AUTH": "one",
        "DB_PASSWORD": "two",
        "OTHER": "redis://:three@host",
        "DOCS": "https://example.org/?page=1",
        "PWD": "/work",
        "EMPTY_TOKEN": "",
    }
    assert secrets.environment_secrets(environment) == {"one", "two", "three"}


@pytest.mark.parametrize("length", [100, 2000])
@pytest.mark.parametrize("piece", ["\\", "%25", "'\"", "&amp;", "PASSWORD='", "redis://:", "a@"])
def test_no_text_takes_long(piece: str, length: int) -> None:
    """Each is a text that a pattern with two ways to read an escape would take forever on."""
    text = piece * length
    hide(text, [f"{piece * 20}x", "a"])
    hide_in_command([text])


REDACTION = re.compile(
    r"""password=|passw[^\n]*\[\^|rpartition\(.@.\)|://\[\^|(replace|sub)\(.*['"]…['"]"""
)


def redactions(source: str) -> list[str]:
    """Calls that look for passwords, take a URL apart at its ``@``, or put dots into a text."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [call for call in map(ast.unparse, calls) if REDACTION.search(call)]


def test_nothing_is_hidden_by_other_code() -> None:
    """Patterns about passwords, and URLs taken apart at their ``@``, are in one module."""
    package = Path(bench.__file__).parent
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if redactions(path.read_text(encoding="utf-8"))
    }
    assert found == {"secrets.py"}


@pytest.mark.parametrize(
    "source",
    [
        "text.replace(url, '…')",
        "re.sub(pattern, '…', text)",
        "user, _, place = rest.rpartition('@')",
        "re.compile('://[^@:]*:[^@]+@')",
        "re.compile('[?&]password=[^&]')",
    ],
)
def test_code_that_hides_something_is_recognised(source: str) -> None:
    assert redactions(source)


def test_a_secret_that_looks_like_a_url_is_hidden_where_its_name_says_what_it_is() -> None:
    words = ["env", "REDISCLI_AUTH=a://sesame", "worker"]
    assert hide_in_command(words) == f"env 'REDISCLI_AUTH={HIDDEN}' worker"
    assert secrets.command_secrets(words) == {"a://sesame"}
    assert secrets.holds_secret(words)
