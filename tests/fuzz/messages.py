"""Cases of messages: bytes of the processes, clients and workers that a run listens to."""

import os
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from bench.clients import result
from bench.errors import BenchError
from bench.ipc import channel, remote
from bench.ipc.messages import ChildMessage, Failed, Ready
from bench.measure.histogram import Packed, unpack
from bench.measure.progress import progress_of
from bench.measure.report_checks import ReportLimits, require_whole
from bench.measure.reports import ProducerReport, WorkerReport
from bench.measure.summary import add_bins, cut_warmup, latencies, second_percentiles
from bench.measure.window import TimeLine, time_line
from bench.wire import ids, stamps
from bench.worker.recorder import AttemptBatch, AttemptOutcome, WorkerRecorder
from bench.worker.slot_states import SlotStates
from bench.workload.resolve import resolve
from tests.fuzz import examples, nasty
from tests.fuzz.cases import Case, Pieces, joined, once
from tests.fuzz.ending import How
from tests.fuzz.records import HOSTILE_HISTOGRAMS

_LINE = (
    '{"client":"go-seed","tasks":50,"elapsed_s":0.61,"cpu_s":0.3,"latency_us":[[113,7],[200,43]]}'
)


_QUEUE = "inference_default"
_LINE_OF_RUN = time_line(1_800_000_000_000_000, 0, 0)
_LIMITS = ReportLimits([_QUEUE], _LINE_OF_RUN.slices, {0: 10})
_SCENARIO = resolve({"queues": {_QUEUE: 1}, "rate": 1, "tasks": 10})


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
    )
    for info in remote.find(cast(Any, client), [1]).values():
        _worker_report(info.line, info.queues)
    for report in remote.collect(cast(Any, client), 1, _LIMITS).reports:
        progress_of("draining", 1.0, _SCENARIO, [], [report], [0])
        try:
            require_whole(report, _LIMITS)
        except ValueError:
            continue
        ledger = report.ledger()
        in_sets = sum(map(len, (*ledger.completed.values(), *ledger.archived.values())))
        most = sum(_LIMITS.sent.values())
        assert in_sets <= 2 * most, "more tasks than there are"
        assert sum(add_bins([report.finished_by_bin])) == report.ended
        cut_warmup(_LINE_OF_RUN, 0.0, [report.measured.series])
        latencies([report.measured], _LIMITS.queues, 0)
        second_percentiles([report], 99, 3)


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
    kind = random_.choice((*_reports(), _announcement(), *[_worker_report(_LINE_OF_RUN)] * 4))
    packed = msgspec.msgpack.encode(kind)
    if random_.random() < 0.5:
        tree = msgspec.msgpack.decode(packed)
        tree[random_.choice(list(tree))] = random_.choice(_VALUES)()
        packed = msgspec.msgpack.encode(tree)
    else:
        packed = _damaged(random_, packed)
    return once(packed.decode("latin-1"))


def _worker_report(line: TimeLine, queues: Sequence[str] = (_QUEUE,)) -> WorkerReport:
    """A full report of a worker that has completed three tasks of run 1, and archived one."""
    recorder = WorkerRecorder(1, line, queues, with_latency_counts=True)
    recorder.states = SlotStates(1)
    now_us = line.start_us + 1_500_000
    for sequence in range(4):
        outcome = AttemptOutcome.ARCHIVED if sequence == 3 else AttemptOutcome.COMPLETED
        name = ids.format_id(ids.TaskId(1, 0, sequence)).encode()
        payload = stamps.head(line.start_us + 900_000, line.start_us + 900_050) + b"}"
        recorder.started(1, now_us)
        attempts = AttemptBatch([name], [payload], [0], [now_us], now_us)
        recorder.ended(_QUEUE, attempts, outcome, now_us)
    report = recorder.report(full=True)
    report.name = "w1"
    return report


def _announcement() -> remote.RunInfo:
    return remote.RunInfo(line=_LINE_OF_RUN, queues=[_QUEUE], host="", offset_us=1)


_VALUES: tuple[Callable[[], object], ...] = (
    lambda: -1,
    lambda: 2**62,
    lambda: float("nan"),
    lambda: [2**62] * 3,
    lambda: [0] * 100_000,
    lambda: [-1],
    lambda: {0: b"garbage"},
    lambda: {0: zlib.compress(bytes(1 << 26), 9)},
    lambda: {0: zlib.compress(b"\xff" * 100)},
    lambda: {1 << 40: b""},
    lambda: {0: ["HISTFAAAAA==", 0, 0, 0, 0, 0]},
    lambda: {1 << 40: [examples.histogram_text(), 0, 0, 0, 0, 0]},
    lambda: {0: [examples.histogram_text(), 2**62, -1, 2**62, -(2**62), 2**62]},
    lambda: {_QUEUE: 2**62},
    lambda: {"x" * 10_000: 1},
    lambda: [-(2**62), [2**63, 1, -5]],
    lambda: {"e2e": {5: {"values": {-(2**62): 2**62}}}},
)
"""What no field of a report or an announcement may hold, or few of them."""


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
