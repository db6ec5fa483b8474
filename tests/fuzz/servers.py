"""Cases of servers: every command that talks to Redis, and replies that are wrong."""

import random

from tests.fuzz.cases import SERVER_URL, Case, CaseFile, Pieces, Reply, once
from tests.fuzz.hostile import real_commands

_URL = ("--redis-url", SERVER_URL)
COMMANDS: tuple[tuple[tuple[str, ...], int], ...] = (
    (("verify", *_URL), 4),
    (("clean", "run.json", *_URL), 4),
    (("enqueue", "inference_high", '{"input": 1}', *_URL), 4),
    (("status", "some-id", *_URL), 4),
    (("result", "some-id", "--timeout", "100ms", *_URL), 4),
    (("worker", "inference", *_URL), 1),
    (("run", "smoke", "--tasks", "20", "--drain-timeout", "1s", "--quiet", *_URL), 5),
    (("clients", "--tasks", "5", "--repeat", "1", "--only", "bench", "--quiet", *_URL), 1),
    (("capacity", "--slots", "1", "--slo", "e2e.p99 < 1s", "--budget", "2m", "--quiet", *_URL), 1),
)
"""Command lines with how often each is drawn."""

REPLIES: tuple[Pieces, ...] = (
    *map(
        once,
        (
            *(
                "",
                "\r\n",
                "!!garbage\r\n",
                "HTTP/1.1 400 Bad Request\r\n\r\n",
                "SSH-2.0-OpenSSH_9\r\n",
            ),
            *(
                "+OK\r\n",
                "+\r\n",
                "+\x1b[31mred\r\n",
                "-\r\n",
                "-ERR \x1b]0;title\x07\r\n",
                "-ERR no\r\n",
            ),
            *("-LOADING loading\r\n", "-BUSY busy\r\n", "-READONLY no\r\n", "-NOAUTH no\r\n"),
            *(
                "-OOM no\r\n",
                "-WRONGTYPE no\r\n",
                "-NOSCRIPT no\r\n",
                "-MOVED 1 h:1\r\n",
                "-NOPERM x\r\n",
            ),
            *(
                "-CLUSTERDOWN x\r\n",
                "-MASTERDOWN x\r\n",
                "-EXECABORT x\r\n",
                "-MISCONF x\r\n",
                "-ASK 1 a:1\r\n",
            ),
            *(
                ":0\r\n",
                ":-1\r\n",
                ":9223372036854775807\r\n",
                ":9223372036854775808\r\n",
                ":x\r\n",
                ":\r\n",
            ),
            *(
                "$-1\r\n",
                "$-2\r\n",
                "$0\r\n\r\n",
                "$3\r\nabc\r\n",
                "$3\r\n\xff\xfe\x00\r\n",
                "$x\r\n",
                "$5\r\nab",
            ),
            *(
                "$999999999999\r\nx",
                "$9223372036854775808\r\nx",
                "$536870912\r\nx",
                "$3\r\nabcde\r\n",
            ),
            *(
                "*-1\r\n",
                "*0\r\n",
                "*1\r\n$-1\r\n",
                "*2\r\n:1\r\n:2\r\n",
                "*3\r\n$1\r\na\r\n:1\r\n*0\r\n",
            ),
            *(
                "*999999999\r\n",
                "*9223372036854775807\r\n",
                "*-5\r\n",
                "*2\r\n$1\r\n0\r\n*-1\r\n",
                "*2\r\n",
            ),
            *(
                "*2\r\n$1\r\n7\r\n*0\r\n",
                "*2\r\n$1\r\nx\r\n*0\r\n",
                "*2\r\n:-1\r\n:-1\r\n",
                "*2\r\n$1\r\n0\r\n*1\r\n:5\r\n",
            ),
            *(
                "*2\r\n$3\r\n\xff\xfe\x00\r\n$3\r\n\xff\xfe\x00\r\n",
                "%1\r\n+a\r\n:1\r\n",
                "~1\r\n+a\r\n",
                "_\r\n",
            ),
            *(",nan\r\n", ",inf\r\n", "#t\r\n", "(3492890328409238509324850943850943825024385\r\n"),
            *(
                "=15\r\ntxt:Some string\r\n",
                ">2\r\n+message\r\n+x\r\n",
                "|1\r\n+a\r\n:1\r\n:2\r\n",
                "!5\r\nERR x\r\n",
            ),
            *(
                "+OK\r\n+OK\r\n",
                ":1\r\n:1\r\n:1\r\n",
                "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
                "+PONG\r\n-ERR late\r\n",
            ),
        ),
    ),
    [("*1\r\n", 9), (":1\r\n", 1)],
    [("*1\r\n", 20_000), (":1\r\n", 1)],
    [("+", 1), ("x", 1_000_000), ("\r\n", 1)],
    [("-ERR ", 1), ("x", 100_000), ("\r\n", 1)],
    [("$1000000\r\n", 1), ("x", 1_000_000), ("\r\n", 1)],
    [("*100000\r\n", 1), ("$1\r\nx\r\n", 100_000)],
    [("x", 1_000_000)],
    [("+OK\r\n", 100_000)],
)
_THEN = ("go on", "go on", "go on", "go on", "close", "close")
SLOW_THEN = ("silence", "trickle")


def generate(random_: random.Random) -> Case:
    """A command, and one or two wrong replies of its server."""
    arguments = random_.choices([each for each, _ in COMMANDS], [n for _, n in COMMANDS])[0]
    replies = tuple(_reply(random_) for _ in range(random_.choice((1, 1, 2))))
    return Case(
        kind="servers",
        arguments=arguments,
        files={"run.json": CaseFile("run-smoke-1")},
        server=replies,
        measures=True,
    )


def _reply(random_: random.Random) -> Reply:
    if random_.random() < 0.3:
        command, nth = "", random_.choice((0, 1, 2, 3, 5, 8, 13))
    else:
        command, nth = random_.choice(list(real_commands())), random_.choice((0, 0, 0, 1, 2))
    return Reply(
        text=random_.choice(REPLIES),
        command=command,
        nth=nth,
        again=random_.random() < 0.5,
        then=random_.choice(SLOW_THEN) if random_.random() < 0.02 else random_.choice(_THEN),
    )
