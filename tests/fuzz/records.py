"""Cases of records: every kind of file that bench writes and reads back, changed."""

import functools
import json
import random
from collections.abc import Iterator
from typing import Any

from tests.fuzz import examples, nasty
from tests.fuzz.cases import SERVER_URL, Case, CaseFile, Edit, Pieces, once

_FILE = "record.json"
_SHOWN = (("report", _FILE), ("report", _FILE, "--json"), ("report", _FILE, "--html", "page.html"))
_COMMANDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "run": (
        *_SHOWN,
        ("export", _FILE, "--hgrm"),
        ("export", _FILE, "--csv"),
        ("export", _FILE, "--hdr"),
        ("clean", _FILE, "--redis-url", SERVER_URL),
        ("compare", "run.json", "--", _FILE, "--allow", "order"),
        ("compare", _FILE, "--", "run.json", "--gate", "e2e.p99", "--markdown", "m.md"),
        ("history", ".", "--csv", "otava.csv"),
        ("report", _FILE, "--images", "pictures"),
    ),
    "capacity": (
        *_SHOWN,
        ("plan", _FILE, "--rate", "1000/s"),
        ("plan", _FILE, "--rate", "1000/s", "--service-time", "4ms", "--memory", "4000MB"),
        ("capacity", "--resume", _FILE),
    ),
    "comparison": _SHOWN,
    "clients": _SHOWN,
    "restarts": _SHOWN,
    "chaos": (*_SHOWN, ("chaos", "--resume", _FILE)),
    "sweep": (*_SHOWN, ("sweep", "--resume", _FILE)),
    "selftest": (*_SHOWN, ("report", _FILE, "--markdown"), ("export", _FILE, "--bmf")),
    "job": (("ab", "--resume", _FILE),),
}
_PATHS_SEEN: dict[str, list[tuple[str | int, ...]]] = {}


def generate(random_: random.Random) -> Case:
    """A record with one to three changes, shown, exported, compared or cleaned up by."""
    kind = random_.choices(list(_COMMANDS), (8, 4, 2, 1, 2, 2, 2, 2, 2))[0]
    example = random_.choice(examples.RECORDS[kind])
    edits = [_edit(random_, example) for _ in range(random_.choice((1, 1, 1, 2, 3)))]
    if random_.random() < 0.06:
        edits.append(_byte_edit(random_))
    files = {_FILE: CaseFile(example, tuple(edits)), "run.json": CaseFile("run-smoke-1")}
    return Case(kind="records", arguments=random_.choice(_COMMANDS[kind]), files=files)


def paths(example: str) -> list[tuple[str | int, ...]]:
    """The paths of all values in an example; of long lists, only the first elements."""
    if example not in _PATHS_SEEN:
        _PATHS_SEEN[example] = [path for path in _walk(examples.tree(example)) if path]
    return _PATHS_SEEN[example]


def _walk(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _walk(each, (*path, key))
    elif isinstance(value, list):
        for number, each in enumerate(value[:3]):
            yield from _walk(each, (*path, number))


def _edit(random_: random.Random, example: str) -> Edit:
    path = _path(random_, example)
    if path[-1] == "hdr":
        return Edit(at=path, write=_hdr(random_))
    choice = random_.random()
    if choice < 0.15:
        return Edit(at=path)
    if choice < 0.7:
        value = _value_at(example, path)
        return Edit(at=path, write=_alike(random_, value))
    return Edit(at=path, write=nasty.json_value(random_))


def _path(random_: random.Random, example: str) -> tuple[str | int, ...]:
    """A path by its first part, so that long parts do not take most of the edits."""
    found = paths(example)
    if random_.random() < 0.05 and (encodings := [path for path in found if path[-1] == "hdr"]):
        return random_.choice(encodings)
    first = random_.choice(list(examples.tree(example)))
    return random_.choice([path for path in found if path[0] == first])


def _value_at(example: str, path: tuple[str | int, ...]) -> Any:
    value = examples.tree(example)
    for part in path:
        value = value[part]
    return value


def _alike(random_: random.Random, value: object) -> Pieces:
    """A value of the same type that says something else."""
    choices: tuple[str, ...] = ()
    match value:
        case bool():
            choices = ("false" if value else "true",)
        case int():
            choices = ("0", "-1", str(value + 1), "1000000000000", str(1 << 60))
        case float():
            choices = ("0.0", "-1.0", "1e19", "1e-308", "1e15", str(value * 1000))
        case str():
            choices = tuple(map(json.dumps, (*nasty.TEXTS, value + "x", value.upper())))
        case list():
            choices = ("[]",)
        case dict():
            choices = ("{}",)
    return once(random_.choice(choices)) if choices else nasty.json_value(random_)


def _hdr(random_: random.Random) -> Pieces:
    """A histogram's encoding, damaged."""
    text = examples.histogram_text()
    at = random_.randrange(len(text))
    choice = random_.randrange(6)
    if choice == 0:
        return once(f'"{text[:at]}"')
    if choice == 1:
        return [('"', 1), ("A", 1_000_000), ('"', 1)]
    if choice == 2:
        return once(f'"{text[:at]}{random_.choice("AZ9/+=")}{text[at + 1 :]}"')
    if choice == 3:
        return once(f'"{random_.choice(HOSTILE_HISTOGRAMS)()}"')
    return nasty.json_value(random_)


def _byte_edit(random_: random.Random) -> Edit:
    text = random_.choice(("\xff", "\x00", "\xef\xbb\xbf", ",", "}", '"', "\x1b[31m", "[" * 2000))
    return Edit(
        offset=random_.choice((0, 0, random_.randrange(3000))),
        remove=random_.choice((0, 1, 20, 100_000)),
        write=once(text),
    )


def _compressed(payload: bytes, cookie: int = 0x1C849314) -> str:
    import base64
    import struct
    import zlib

    packed = zlib.compress(payload, 9)
    return base64.b64encode(struct.pack(">II", cookie, len(packed)) + packed).decode()


def _header(length: int, digits: int = 3, highest: int = 3_600_000_000) -> bytes:
    import struct

    return struct.pack(">IIIIQQd", 0x1C849313, length, 0, digits, 1, highest, 1.0)


@functools.cache
def bomb(megabytes: int = 64) -> str:
    """An encoding that unpacks to many times its size."""
    return _compressed(_header(megabytes << 20) + bytes(megabytes << 20))


HOSTILE_HISTOGRAMS = (
    bomb,
    lambda: _compressed(_header(0, digits=5, highest=(1 << 62))),
    lambda: _compressed(_header(0, digits=0)),
    lambda: _compressed(_header(0, digits=400)),
    lambda: _compressed(_header(0, highest=0)),
    lambda: _compressed(_header(9) + b"\xfe" + b"\xff" * 8),
    lambda: _compressed(_header(18) + b"\xfe" + b"\xff" * 8 + b"\xfe" + b"\xff" * 8),
    lambda: _compressed(_header(9) + b"\xff" * 9),
    lambda: _compressed(_header(5) + b"\x80" * 5),
    lambda: _compressed(_header(1 << 31)),
    lambda: _compressed(_header(3) + b"\x02\x04"),
    lambda: _compressed(b""),
    lambda: _compressed(b"x" * 20),
    lambda: _compressed(_header(0), cookie=0x1C849304),
)
"""Encodings whose header or counts are wrong."""
