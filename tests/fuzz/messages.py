"""Cases of messages: bytes of the processes, clients and workers that a run listens to."""

import os
import random
import struct
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from bench.clients import result
from bench.errors import BenchError
from bench.ipc import channel, remote
from bench.ipc.messages import ChildMessage, Failed, Ready
from bench.measure.histogram import Packed, unpack
from bench.measure.reports import ProducerReport, WorkerReport
from tests.fuzz import examples, nasty
from tests.fuzz.cases import Case, Pieces, joined, once
from tests.fuzz.ending import How
from tests.fuzz.records import HOSTILE_HISTOGRAMS

_LINE = (
    '{"client":"go-seed","tasks":50,"elapsed_s":0.61,"cpu_s":0.3,"latency_us":[[113,7],[200,43]]}'
)


def generate(random_: random.Random) -> Case:
    """Bytes for one of the readers: valid ones with an edit, or others."""
    reader = random_.choice(list(READERS))
    return Case(kind="messages", arguments=(reader,), message=_GENERATE[reader](random_))


def receive(case: Case) -> tuple[How, int | None]:
    """Give a case's bytes to its reader, which may refuse them with the error that it documents."""
    READERS[case.arguments[0]](joined(case.message).encode("latin-1"))
    return "measuring", None


def _read_line(data: bytes) -> None:
    try:
        read = result.decode(data, "go-seed", 50)
    except ValueError:
        return
    read.histogram().percentile_us(99)


def _read_channel(data: bytes) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, data[:60_000])
        os.close(writing)
        reader: channel.Reader[Any] = channel.Reader(reading, cast(Any, ChildMessage))
        while True:
            reader.read()
    except (channel.ChannelClosed, BenchError):
        return
    finally:
        os.close(reading)


def _read_remote(data: bytes) -> None:
    client = SimpleNamespace(
        smembers=lambda _: [b"w1", data[:20]],
        mget=lambda names: [data] * len(names),
        get=lambda _: data,
    )
    for read in (remote.collect, remote.find):
        try:
            read(cast(Any, client), 1)
        except BenchError:
            continue


def _read_histogram(data: bytes) -> None:
    try:
        unpack(Packed(data.decode("latin-1"), 0, 0, 0, 0, 0)).percentile_us(99)
    except ValueError:
        return


READERS: dict[str, Callable[[bytes], None]] = {
    "line of a client": _read_line,
    "channel of a process": _read_channel,
    "report of a worker": _read_remote,
    "histogram": _read_histogram,
}
"""Who reads bytes of other processes; each may raise what it documents and nothing else."""


def _line(random_: random.Random) -> Pieces:
    choice = random_.random()
    if choice < 0.5:
        return once(nasty.number_in(random_, _LINE).encode().decode("latin-1"))
    if choice < 0.8:
        at = random_.randrange(len(_LINE))
        return [
            (_LINE[:at], 1),
            *nasty.json_value(random_),
            (_LINE[at + random_.choice((0, 1, 9)) :], 1),
        ]
    return nasty.json_value(random_)


def _damaged(random_: random.Random, data: bytes) -> bytes:
    """Bytes of MessagePack with one of them changed, cut off, or something put between."""
    at = random_.randrange(len(data))
    choice = random_.randrange(5)
    if choice == 0:
        return data[:at]
    if choice == 1:
        return data[:at] + bytes([random_.randrange(256)]) + data[at + 1 :]
    if choice == 2:
        return data[:at] + random_.choice(_PACKED) + data[at:]
    if choice == 3:
        return data[:at] + random_.choice(_PACKED) + data[at + 1 :]
    return random_.choice(_PACKED)


_PACKED = (
    *(
        b"\xcf" + b"\xff" * 8,
        b"\xd3\x80" + b"\0" * 7,
        b"\xcb\x7f\xf0" + b"\0" * 6,
        b"\xcb\x7f\xf8" + b"\0" * 6,
    ),
    *(
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
    ),
    *(
        b"\xc0",
        b"\xc1",
        b"\x80",
        b"\x90",
        b"\xa1\xff",
        b"\x91" * 2000 + b"\xc0",
        b"\xd6\xff\0\0\0\0",
        b"\xff",
    ),
)


def _report(random_: random.Random) -> Pieces:
    kind = random_.choice(_reports())
    return once(_damaged(random_, msgspec.msgpack.encode(kind)).decode("latin-1"))


def _frames(random_: random.Random) -> Pieces:
    body = msgspec.msgpack.encode(random_.choice((Ready(), Failed("no", 2), *_reports())))
    body = _damaged(random_, body)
    length = random_.choice((len(body), len(body), len(body), 0, 1, 0xFFFFFFFF, len(body) + 1))
    return once((struct.pack("<I", length) + body).decode("latin-1"))


def _reports() -> tuple[object, ...]:
    """A report of a producer and of a worker with the fewest values."""
    return tuple(_least(kind) for kind in (ProducerReport, WorkerReport))


def _least(kind: type[msgspec.Struct]) -> object:
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        if field.required:
            values[field.encode_name] = _value_of(field.type)
    return msgspec.convert(values, kind, strict=False)


def _value_of(hint: Any) -> object:
    simple: tuple[object, ...] = (0, "x", [], {}, False, 0.0, None)
    for value in simple:
        try:
            msgspec.convert(value, hint)
        except msgspec.ValidationError:
            continue
        return value
    return {
        each.encode_name: _value_of(each.type)
        for each in msgspec.structs.fields(hint)
        if each.required
    }


def _histogram(random_: random.Random) -> Pieces:
    text = examples.histogram_text()
    at = random_.randrange(len(text))
    if random_.random() < 0.4:
        return once(random_.choice(HOSTILE_HISTOGRAMS)())
    return once(
        text[:at] + random_.choice(nasty.TEXTS).encode("utf-8").decode("latin-1") + text[at + 1 :]
    )


_GENERATE: dict[str, Callable[[random.Random], Pieces]] = {
    "line of a client": _line,
    "channel of a process": _frames,
    "report of a worker": _report,
    "histogram": _histogram,
}
