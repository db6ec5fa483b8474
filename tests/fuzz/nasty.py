"""Values that have broken programs before, as JSON, TOML and arguments write them."""

import json
import random
import re

from bench.workload.fields import FIELDS
from tests.fuzz.cases import CANARY, SERVER_URL, Pieces, once

NUMBERS = (
    *("0", "-0", "-1", "1", "2", "0.5", "1e-9", "1e-400", "5e-324", "1e15", "1e17", "1e300"),
    *("1e308", "-1e308", "1e309", "1e999999", "nan", "inf", "-inf", "NaN", "Infinity"),
    *("2147483647", "2147483648", "4294967296", "9007199254740993", "9223372036854775807"),
    *(
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
    ),
    *("1000000000000", "1" + "0" * 40, "-1" + "0" * 40, "0x10", "1_000", "01", "٣", "²", "1.5.2"),
)
LONG = 1_000_000

TEXTS = (
    *(
        "",
        " ",
        "\t",
        "\n",
        "\r\n",
        "a\nb",
        "\x00",
        "a\x00b",
        "\x07",
        "\x1b[31mred\x1b[0m",
        "\x1b]0;t\x07",
    ),
    *(
        "\x7f",
        "\x9b31m",
        "\u202eabc",
        "\u2066x",
        "\ufeff",
        "\u2028",
        "é",
        "日本語",
        "😀",
        "a" * 300,
    ),
    *(
        "[/red]",
        "[bold]x[/bold]",
        "[link=x]y",
        "{",
        "}",
        "{}",
        "{0}",
        "{host}",
        "%s",
        "%n",
        "$HOME",
    ),
    *("<b>x</b>", "</script>", "&amp;", "a|b", "a,b", "a=b", "a=1,b=2", "all", "'", '"', "`id`"),
    *("--", "-", "-x", "--nope", "..", "/", "//", "a/../b", "../x", "nul", "con", "~", "*", "?"),
    *("None", "null", "true", "max", "auto", "none", "inference_high", "a_b", "a:b", "[1,2]"),
    *("::error::x", "::set-output name=x::y", "=1+1", "@x", "]]>", "\\", "\\x00", "\\u0000"),
)
PATHS = (
    *("", ".", "..", "a-file", "a-folder", "a-folder/", "a-file/x", "missing", "missing/x.json"),
    *("a-loop", "a-link", "a-fifo", "x" * 255, "x" * 5000, "a\x00b", "\x1b[31m.json", "a\nb.json"),
    *("--", "-", "[/red].html", "x.html", "x.png", "x.svg", "x.json", "x.toml", "deep/er/x.html"),
    *("/proc/nope/x", "/dev/null/x", "\udcff.json", "日本語.json", "run.json/", "run.json"),
)
"""None of these is a device: a command that replaces its output would replace the machine's."""
READ_ONLY_PATHS = ("/dev/zero", "/dev/null", "/dev/urandom", "/proc/self/mem", "/proc/self/environ")

AMOUNTS = (
    *("5s", "0s", "-5s", "1ms", "1us", "1ns", "300ms", "10m", "1h", "24h", "1e5s", "5", "s", "5 s"),
    *("5000/s", "0/s", "1/h", "1/m", "1e9/s", "max", "5000", "100/min", "/s", "10%", "0%", "100%"),
    *("101%", "-1%", "0.5", "%", "64", "64B", "1KB", "1MB", "1GB", "1TB", "exp:2ms", "exp:0ms"),
    *("uniform:1ms..5ms", "uniform:5ms..1ms", "lognormal:2ms,0.5", "lognormal:2ms,1e9", "2ms"),
    *(
        "normal:1ms",
        "auto",
        "inference_high=1,inference_low=3",
        "inference_x=0",
        "inference_x=1e308",
    ),
    *("5s@1000/s", "5s@0/s", "1s@1/s..2/s,1s@2/s", "@", "1s@", "a,b", "1,2", "0", "1,2,4", "-1"),
    *("e2e.p99 < 50ms", "e2e.p99 < -1ms", "e2e.p101 < 1ms", "e2e.p99.9999 < 1ms", "lost == 0"),
    *("e2e{inference_high}.p99 < 1s", "e2e{}.p99 < 1s", "completed.rate >= 1e308/s", "e2e.p99"),
    *("enqueue.p50", "completed.rate", "server.cpu", "e2e{x}.p50", "e2e.max", "e2e.p0 < 1s"),
)


def number_in(random_: random.Random, text: str) -> str:
    """The text with one of its numbers replaced by a nasty one."""
    found = list(re.finditer(r"\d+(?:\.\d+)?", text))
    if not found:
        return text + random_.choice(NUMBERS)
    chosen = random_.choice(found)
    return text[: chosen.start()] + random_.choice(NUMBERS) + text[chosen.end() :]


def argument(random_: random.Random, example: str | None = None) -> str:
    """One value of an argument; ``example`` is a valid one."""
    choice = random_.random()
    if example is not None and choice < 0.3:
        return number_in(random_, example)
    if choice < 0.45:
        return random_.choice(AMOUNTS)
    if choice < 0.6:
        return number_in(random_, random_.choice(AMOUNTS))
    if choice < 0.75:
        return random_.choice(NUMBERS)
    if choice < 0.95:
        return random_.choice(TEXTS)
    return random_.choice(("9" * 5000, "x" * 100_000, "(" * 3000, "a," * 5000, "a=1," * 3000))


def url(random_: random.Random) -> str:
    """A Redis URL that is wrong in one way, or the case's own server."""
    return random_.choice(
        (
            SERVER_URL,
            f"redis://:{CANARY}@127.0.0.1:1/0",
            f"redis://:{CANARY}@127.0.0.1:99999/0",
            f"redis://:{CANARY}@127.0.0.1:x/0",
            f"redis://u:{CANARY}@[::1/0",
            f"redis://u:{CANARY}@h\x00/0",
            f"redis://u:{CANARY}@127.0.0.1:1/prod",
            f"redis://u:{CANARY}@127.0.0.1:1/0?db=3",
            f"redis://127.0.0.1:1/0?password={CANARY}",
            f"redis://127.0.0.1:1/0?foo={CANARY}",
            f"redis://u:{CANARY}@127.0.0.1:1/0?socket_timeout=abc",
            f"redis://u:{CANARY}@127.0.0.1:1/0?decode_responses=True",
            f"redis://u:{CANARY}@127.0.0.1:1/0?protocol=3",
            f"redis://u:{CANARY}@127.0.0.1:1/18446744073709551616",
            f"rediss://u:{CANARY}@127.0.0.1:1/0?ssl_cert_reqs=nope",
            f"unix://u:{CANARY}@/nope.sock",
            f"unix://:{CANARY}@a-file",
            f"http://u:{CANARY}@127.0.0.1:1",
            f"redis://u:{CANARY}#@127.0.0.1:1/0",
            f"redis://u:{CANARY}%zz@127.0.0.1:1",
            "redis://",
            "redis:",
            "",
            " ",
            "://",
            "127.0.0.1:1",
            "redis://" + "h" * 3000,
            "redis://\u202e/0",
            "redis://xn--\u00e9.invalid/0",
            "redis://.:1/0",
        )
    )


def json_value(random_: random.Random) -> Pieces:
    """One value as JSON text, valid or not."""
    choice = random_.random()
    if choice < 0.35:
        return once(_as_bytes(random_.choice(NUMBERS)))
    if choice < 0.6:
        return once(json.dumps(random_.choice((*TEXTS, *AMOUNTS))))
    if choice < 0.9:
        return once(random_.choice(_JSON_SHAPES))
    return random_.choice(_LARGE)


_JSON_SHAPES = (
    *("null", "true", "[]", "{}", "[[]]", '[{"a": 1}]', "[null]", "[1, 2]", '{"": {}}', '""'),
    *('"\\ud800"', '"\xff"', '"\\u0000"', "[1e308, 1e308]", '{"a": 1, "a": 2}', "tru", '"open'),
    *(
        '[["a"]]',
        '{"all": null}',
        '{"p99": 1e308}',
        '[[0, 1e308, "x"]]',
        "'x'",
        "\x00",
        "\ufeff1".encode().decode("latin-1"),
    ),
)
_LARGE: tuple[Pieces, ...] = (
    [("[", 100_000), ("]", 100_000)],
    [('{"a":', 100_000), ("1", 1), ("}", 100_000)],
    [("[", 500), ("]", 500)],
    [("[", 100_000)],
    [('"', 1), ("x", LONG), ('"', 1)],
    [('"', 1), ("A", LONG), ('"', 1)],
    [("[0", 1), (",0", 100_000), ("]", 1)],
    [("[[]", 1), (",[]", 100_000), ("]", 1)],
    [("9", 5000)],
    [("1e", 1), ("9", 5000)],
)


def toml_value(random_: random.Random, example: object) -> Pieces:
    """One value as TOML text, valid or not."""
    choice = random_.random()
    if choice < 0.3 and isinstance(example, str):
        return once(_as_bytes(json.dumps(number_in(random_, example), ensure_ascii=False)))
    if choice < (0.8 if isinstance(example, int | float) else 0.45):
        return once(_as_bytes(random_.choice(NUMBERS)))
    if choice < 0.85:
        text = json.dumps(random_.choice((*TEXTS, *AMOUNTS, *AMOUNTS)), ensure_ascii=False)
        return once(_as_bytes(text))
    if choice < 0.97:
        return once(random_.choice(_TOML_SHAPES))
    return random_.choice(_LARGE)


_TOML_SHAPES = (
    *(
        "true",
        "[]",
        "{}",
        "[1, 2]",
        '["e2e.p99 < 50ms", 3]',
        "{ a_b = 1 }",
        "{ a_b = [] }",
        '["x"]',
    ),
    *("{ a_b = -1 }", "{ a_b = 1e308, a_c = 1e308 }", "{ a_b = 5e-324, a_c = 1e308 }", "[{}]"),
    *(
        "{ a_b = nan }",
        "{ a_b = inf }",
        "{ a_b = true }",
        "1979-05-27",
        "07:32:00",
        "[[1]]",
        "{ '' = 1 }",
    ),
    *('{ "a_\\u0000" = 1 }', '{ "a_\\u001b[31m" = 1 }', '{ "a_[/red]" = 1 }', '{ "a_all" = 1 }'),
    *(
        '"""x',
        "'x",
        "\xff",
        "\x00",
        "=",
        "",
        "1 2",
        '"\\ud800"',
        '{ "a_b\\n" = 1 }',
        "[[[[[[1]]]]]]",
    ),
)


def _as_bytes(text: str) -> str:
    """UTF-8 as the Latin-1 text that stands for its bytes."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def field_example(name: str) -> str | None:
    """A valid value of a scenario's field as an argument, where its declaration has one."""
    return FIELDS[name].declared.example if name in FIELDS else None
